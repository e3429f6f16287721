/** The job that describes the values of a view's features over a time window, and how they are spread beside a reference window. */
import type { TableScan } from './table-jobs.ts'

/** Event times in microseconds since 1970-01-01 UTC: from (inclusive) and until (exclusive). */
export interface TimeWindow {
  readonly fromMicros: number
  readonly untilMicros: number
}

export interface StatisticsJob {
  readonly input: {
    readonly table: TableScan
    readonly window: TimeWindow
    readonly reference: TimeWindow
    /** Most values that are named with their counts, per feature. */
    readonly topValuesMax: number
    /** Up to so many rows in each window quantiles are exact, which holds all values of a feature in memory, 8 bytes each. */
    readonly exactRowsMax: number
  }
  readonly output: StatisticsData
}

export interface StatisticsData {
  /** Rows of the history in the window. A row that was corrected counts with both of its versions. */
  readonly rows: number
  readonly referenceRows: number
  /** Whether quantiles are exact, or estimates. */
  readonly exactQuantiles: boolean
  readonly features: readonly FeatureSummary[]
}

export interface FeatureSummary {
  readonly name: string
  /** As `typeName` writes it. */
  readonly type: string
  readonly nulls: number
  /** Left out by the writer, or written before the feature was added. */
  readonly missing: number
  /** An estimate, off by some percent. */
  readonly distinct: number
  /** Of numbers; of timestamps, as seconds since 1970-01-01 UTC. */
  readonly numbers?: NumberSummary
  /** Of strings in characters, of bytes, and of items of lists and vectors. */
  readonly lengths?: NumberSummary
  /** Of strings and bools, the most frequent first. A string counts by its first 256 characters. */
  readonly top?: readonly ValueCount[]
  readonly bins: Bins
}

/** Undefined where there is no finite number. */
export interface NumberSummary {
  readonly min: number | undefined
  readonly max: number | undefined
  readonly mean: number | undefined
  /** One for each of `QUANTILES`. */
  readonly quantiles: readonly number[]
  /** NaN and infinities, which the other members leave out. */
  readonly notFinite: number
}

export const QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99] as const

export interface ValueCount {
  readonly value: string
  readonly count: number
}

/**
 * How rows of both windows fall into the same bins, which are made from the reference window, or from the window itself if the
 * reference has no values. Of numbers (or lengths) with more than ten different values, tenths of the reference; of all else,
 * the most frequent values.
 */
export type Bins = BinCounts &
  (
    | {
        readonly kind: 'ranges'
        /** The greatest number of each bin but the last, ascending. */
        readonly upTo: readonly number[]
      }
    | { readonly kind: 'values'; readonly values: readonly string[] }
  )

export interface BinCounts {
  /** Rows per bin, then those of greater numbers or other values, then those without a value (null, missing, NaN). */
  readonly counts: readonly number[]
  readonly referenceCounts: readonly number[]
}
