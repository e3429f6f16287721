/** The manifest of a training set: its pin, and beside it what an experiment tracker logs. */
import type { FeatureService, OnDemandView } from '../../domain/registry.ts'
import type { TrainingSetJob } from '../dataset-jobs.ts'
import { historyRange } from '../history-range.ts'
import type { Manifest, Pin, TrainingSetRequest } from '../offline-store.ts'
import type { TableFiles, TableState } from './view-tables.ts'

/** What was joined. */
export interface Joined {
  readonly service: FeatureService
  readonly onDemandViews: Readonly<Record<string, OnDemandView>>
  readonly request: TrainingSetRequest
  /** The tables, in the order of their views' names. */
  readonly states: readonly (TableFiles & TableState)[]
}

type Made = Omit<TrainingSetJob['output'], 'path'>

export function manifestOf(joined: Joined, pin: Pin, made: Made, nowMicros: number): Manifest {
  const { spine } = made
  return {
    ...pin,
    manifestFormat: 1,
    createdAt: isoMicros(nowMicros),
    spine: {
      ...pin.spine,
      fromTimestamp: isoMicros(spine.fromMicros),
      untilTimestamp: isoMicros(spine.untilMicros),
    },
    output: { ...pin.output, bytes: made.bytes, columns: made.columns },
    historyFrom: historyFrom(joined, spine),
    features: made.features,
  }
}

function historyFrom({ service, onDemandViews, states }: Joined, spine: Made['spine']): Record<string, string> {
  return Object.fromEntries(
    states.flatMap(({ view }) => {
      const { eventMicrosMin } = historyRange(view, service, onDemandViews, spine)
      return eventMicrosMin === undefined ? [] : [[view.name, isoMicros(eventMicrosMin)] as const]
    }),
  )
}

/** `2001-06-30T23:59:00.000000Z`: as exact as event timestamps are. */
function isoMicros(micros: number): string {
  const belowMillis = ((micros % 1000) + 1000) % 1000
  const millis = new Date((micros - belowMillis) / 1000).toISOString()
  return `${millis.slice(0, -1)}${String(belowMillis).padStart(3, '0')}Z`
}
