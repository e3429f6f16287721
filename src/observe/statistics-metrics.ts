/** How far the features of each view have drifted, as this instance last found; it says nothing of views that others describe. */
import type { Metrics, Sample } from './metrics.ts'

interface ViewStatistics {
  readonly recordedAt: string
  readonly features: readonly {
    readonly name: string
    readonly psi: number | null
    readonly nullRate: number
    readonly missingRate: number
  }[]
}

/** `last`: by view. There are as many series as the definitions have features, three times over. */
export function registerStatisticsMetrics(metrics: Metrics, last: () => ReadonlyMap<string, ViewStatistics>): void {
  const perFeature = (value: (feature: ViewStatistics['features'][number]) => number | null) => (): readonly Sample[] =>
    [...last()].flatMap(([view, { features }]) =>
      features.flatMap((feature) => {
        const found = value(feature)
        return found === null ? [] : [{ labels: { view, feature: feature.name }, value: found }]
      }),
    )
  const labels = ['view', 'feature']
  metrics.gauge({
    name: 'twinstore_feature_psi',
    help: 'Population stability index of the last statistics against their reference window',
    labels,
    read: perFeature(({ psi }) => psi),
  })
  metrics.gauge({
    name: 'twinstore_feature_null_ratio',
    help: 'Share of rows of the last statistics whose value is null',
    labels,
    read: perFeature(({ nullRate }) => nullRate),
  })
  metrics.gauge({
    name: 'twinstore_feature_missing_ratio',
    help: 'Share of rows of the last statistics without a value',
    labels,
    read: perFeature(({ missingRate }) => missingRate),
  })
  metrics.gauge({
    name: 'twinstore_statistics_timestamp_seconds',
    help: 'When the last statistics were made',
    labels: ['view'],
    read: () =>
      [...last()].map(([view, { recordedAt }]) => ({ labels: { view }, value: Date.parse(recordedAt) / 1000 })),
  })
}
