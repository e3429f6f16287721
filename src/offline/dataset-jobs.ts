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
    }
    readonly mode: JoinMode
    readonly format: DatasetFormat
    readonly outputFile: string
  }
  readonly output: DatasetFile & { readonly spineRows: number; readonly spineSha256: string }
}
