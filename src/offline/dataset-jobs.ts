/** The jobs that make data sets for people: exports and training sets. */
import type { FeatureService, OnDemandView } from '../domain/registry.ts'
import type { ScalarType } from '../domain/value-type.ts'
import type { TableScan } from './table-jobs.ts'

export type DatasetFormat = 'parquet' | 'arrow' | 'csv' | 'rows'

/** EVENT_TIME: what was true at the spine row's time. AS_SERVED: what the online store would have answered then. */
export type JoinMode = 'EVENT_TIME' | 'AS_SERVED'

/** What a finished data set is; the file is complete and closed. */
export interface DatasetFile {
  readonly path: string
  readonly bytes: number
  readonly rows: number
  /** SHA-256 of the file, hex; with format `rows`, of the messages without the lengths before them. */
  readonly sha256: string
  readonly columns: readonly DatasetColumn[]
}

/** The feature types of DuckDB's type names; a list's name is its item's with `[]` behind it. */
export const SCALAR_OF_COLUMN_TYPE: Readonly<Record<string, ScalarType>> = {
  BOOLEAN: 'bool',
  INTEGER: 'int32',
  BIGINT: 'int64',
  FLOAT: 'float',
  DOUBLE: 'double',
  VARCHAR: 'string',
  BLOB: 'bytes',
  'TIMESTAMP WITH TIME ZONE': 'timestamp',
  TIMESTAMPTZ: 'timestamp',
}

export interface DatasetColumn {
  readonly name: string
  /** A DuckDB type name. */
  readonly type: string
}

/** Rows of one view's table, by event time, in order of (entity, event timestamp, write position). */
export interface ExportJob {
  readonly input: {
    readonly table: TableScan
    readonly format: DatasetFormat
    readonly outputFile: string
    /** Columns to give, in order; undefined: join keys, `event_timestamp`, `created_timestamp`, all features. */
    readonly columns?: readonly string[]
    /** Names in the data set for columns of the view, where they differ. */
    readonly rename?: Readonly<Record<string, string>>
    /** Event time from (inclusive) and until (exclusive), microseconds. */
    readonly fromMicros?: number
    readonly untilMicros?: number
    /** Only these entities: join-key values in canonical order; an int64 as a decimal string. */
    readonly entities?: readonly (readonly string[])[]
    /** Only the greatest version per entity (and of the given time range). */
    readonly latestOnly?: boolean
  }
  readonly output: DatasetFile
}

/** Point-in-time correct feature rows for a spine, in the spine's order, the spine's columns first. */
export interface TrainingSetJob {
  readonly input: {
    readonly service: FeatureService
    /** The tables of every view that the service or its on-demand views use, by view name. */
    readonly tables: Readonly<Record<string, TableScan>>
    readonly onDemandViews: Readonly<Record<string, OnDemandView>>
    /** The code bundle (a local `.mjs`) whose functions the on-demand views need; undefined if there are none. */
    readonly bundleFile?: string
    readonly spine: {
      readonly file: string
      readonly format: 'parquet' | 'csv' | 'arrow'
      readonly timestampColumn: string
      /** Where a spine without rows is no mistake: one that was made from a table. */
      readonly mayBeEmpty?: boolean
    }
    readonly mode: JoinMode
    readonly format: DatasetFormat
    readonly outputFile: string
  }
  readonly output: DatasetFile & {
    readonly spine: SpineFigures
    /** One per feature column, in their order. */
    readonly features: readonly FeatureFigures[]
  }
}

/** What a spine is. */
export interface SpineFigures {
  readonly sha256: string
  readonly rows: number
  /** Its least and greatest timestamp, microseconds. */
  readonly fromMicros: number
  readonly untilMicros: number
}

/** How the values of one feature column came about. Rates are shares of the training set's rows, 0 to 1. */
export interface FeatureFigures {
  /** The name of the column. */
  readonly column: string
  /** The view, or the on-demand view, and its feature. */
  readonly view: string
  readonly feature: string
  /** Null in the data set, for whatever reason. */
  readonly nullRate: number
  /** Of a feature of a view; an on-demand feature is computed from those. */
  readonly history?: HistoryFigures
}

export interface HistoryFigures {
  /** The entity had no row yet (or none that recent, see `history-range.ts`), or its row has no value of this feature. */
  readonly missingRate: number
  /** The entity's row was older than the TTL of its view. */
  readonly staleRate: number
  /** The value in the data set is the feature's default. */
  readonly defaultRate: number
  /** How much older than the spine row the rows were that were found, stale ones included; undefined if none was. */
  readonly ageSeconds?: { readonly min: number; readonly mean: number; readonly max: number }
}

/** The least and the greatest timestamp of a spine's rows, so that files which cannot matter need not be there for the join. */
export interface SpineRangeJob {
  readonly input: { readonly spine: TrainingSetJob['input']['spine'] }
  /** Microseconds; undefined where there is no such column or no timestamp in it, which is the join's to refuse. */
  readonly output: { readonly range?: { readonly fromMicros: number; readonly untilMicros: number } }
}
