/**
 * The statistics of a view as a JSON document: what is kept beside the tables, for people and other tools
 * (docs/statistics.md describes it member by member).
 */
import { TwinstoreError } from '../domain/errors.ts'
import type { FeatureView } from '../domain/registry.ts'
import {
  type Bins,
  type FeatureSummary,
  type NumberSummary,
  QUANTILES,
  type StatisticsData,
  type TimeWindow,
} from '../offline/offline-store.ts'
import { type Drift, type DriftThresholds, driftOf, populationStabilityIndex } from './psi.ts'

const FORMAT = 1

export interface StatisticsDocument {
  readonly statisticsFormat: typeof FORMAT
  readonly view: string
  readonly viewVersion: number
  readonly tableVersion: number
  /** Of the definitions. */
  readonly fingerprint: string
  /** When they were made, ISO 8601 as all times here. */
  readonly recordedAt: string
  readonly window: DocumentWindow
  readonly reference: DocumentWindow
  readonly exactQuantiles: boolean
  readonly thresholds: DriftThresholds
  readonly features: readonly FeatureStatistics[]
}

export interface DocumentWindow {
  readonly from: string
  /** Exclusive. */
  readonly until: string
  readonly rows: number
}

export interface FeatureStatistics {
  readonly name: string
  readonly type: string
  readonly nulls: number
  readonly missing: number
  /** Of the window's rows; 0 if it has none. */
  readonly nullRate: number
  readonly missingRate: number
  readonly distinct: number
  /** Null if one of the windows has no rows. */
  readonly psi: number | null
  readonly drift: Drift | null
  readonly numbers?: DocumentNumbers
  readonly lengths?: DocumentNumbers
  readonly top?: readonly { readonly value: string; readonly count: number }[]
  readonly bins: Bins
}

export interface DocumentNumbers {
  readonly min: number | null
  readonly max: number | null
  readonly mean: number | null
  /** By name: p1, p5, p25, p50, p75, p95, p99. */
  readonly quantiles: Readonly<Record<string, number>>
  readonly notFinite: number
}

export interface DocumentParts {
  readonly view: FeatureView
  readonly fingerprint: string
  readonly recordedMs: number
  readonly window: TimeWindow
  readonly reference: TimeWindow
  readonly thresholds: DriftThresholds
  readonly data: StatisticsData & { readonly tableVersion: number }
}

export function statisticsDocument(parts: DocumentParts): StatisticsDocument {
  const { view, data, thresholds } = parts
  return {
    statisticsFormat: FORMAT,
    view: view.name,
    viewVersion: view.version,
    tableVersion: data.tableVersion,
    fingerprint: parts.fingerprint,
    recordedAt: isoTime(parts.recordedMs * 1000),
    window: documentWindow(parts.window, data.rows),
    reference: documentWindow(parts.reference, data.referenceRows),
    exactQuantiles: data.exactQuantiles,
    thresholds,
    features: data.features.map((feature) => featureStatistics(feature, data, thresholds)),
  }
}

export function documentBytes(document: StatisticsDocument): Buffer {
  return Buffer.from(`${JSON.stringify(document, undefined, 2)}\n`)
}

/** DATA_LOSS naming the object if the bytes are no such document. */
export function parseDocument(path: string, bytes: Buffer): StatisticsDocument {
  try {
    const document = JSON.parse(bytes.toString()) as StatisticsDocument
    if (document.statisticsFormat === FORMAT) return document
  } catch (error) {
    throw new TwinstoreError('DATA_LOSS', `${path} is not JSON`, { cause: error })
  }
  throw new TwinstoreError('DATA_LOSS', `${path} is not a statistics document of format ${FORMAT}`)
}

function documentWindow({ fromMicros, untilMicros }: TimeWindow, rows: number): DocumentWindow {
  return { from: isoTime(fromMicros), until: isoTime(untilMicros), rows }
}

function featureStatistics(
  { name, type, nulls, missing, distinct, numbers, lengths, top, bins }: FeatureSummary,
  { rows }: StatisticsData,
  thresholds: DriftThresholds,
): FeatureStatistics {
  const psi = populationStabilityIndex(bins.referenceCounts, bins.counts)
  return {
    name,
    type,
    nulls,
    missing,
    nullRate: rows === 0 ? 0 : nulls / rows,
    missingRate: rows === 0 ? 0 : missing / rows,
    distinct,
    psi: psi ?? null,
    drift: psi === undefined ? null : driftOf(psi, thresholds),
    ...(numbers === undefined ? {} : { numbers: documentNumbers(numbers) }),
    ...(lengths === undefined ? {} : { lengths: documentNumbers(lengths) }),
    ...(top === undefined ? {} : { top }),
    bins,
  }
}

function documentNumbers({ min, max, mean, quantiles, notFinite }: NumberSummary): DocumentNumbers {
  const named = quantiles.map((quantile, index) => [`p${Math.round(QUANTILES[index]! * 100)}`, quantile])
  return { min: min ?? null, max: max ?? null, mean: mean ?? null, quantiles: Object.fromEntries(named), notFinite }
}

function isoTime(micros: number): string {
  return new Date(micros / 1000).toISOString()
}
