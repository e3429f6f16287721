/** The jobs that write and read one table. */
import type { EntityKey } from '../domain/entity-key.ts'
import type { KeySample } from '../domain/key-sample.ts'
import type { FeatureView } from '../domain/registry.ts'
import type { BlockChecksums } from '../lib/block-checksums.ts'

/** The resources of one job's DuckDB instance. */
export interface EngineLimits {
  readonly memoryBytes: number
  readonly threads: number
  /** Where a job writes what does not fit in memory, in a folder of its own that goes away with it. */
  readonly spillDir: string
  readonly spillBytesMax: number
}

/**
 * The column of a compacted file with the version of the table that added each row. It is in no table's schema, so that other
 * engines read past it; no feature can have the name, which begins with a character that theirs cannot.
 */
export const ROW_VERSION_COLUMN = '_twinstore_version'

/** A data file of a table's snapshot, as a local path with its partition value (`event_date`, `YYYY-MM-DD`). */
export interface DataFile {
  readonly path: string
  readonly eventDate: string
  /** Only its rows with a `ROW_VERSION_COLUMN` up to this are rows of the scan; undefined: all of them. */
  readonly rowsUntilVersion?: number
  /** Present if the file was not verified as a whole: a job that reads part of it verifies that part (`sound-parts.ts`). */
  readonly unverified?: UnverifiedFile
}

export interface UnverifiedFile {
  /** How people know the file. */
  readonly name: string
  readonly checksums: BlockChecksums
}

/** A view's offline table at one version: the files that can hold what is asked for. */
export interface TableScan {
  readonly view: FeatureView
  readonly files: readonly DataFile[]
}

/** A Parquet file a job wrote for a table, with what the table's log records about it. */
export interface WrittenFile {
  readonly path: string
  readonly eventDate: string
  readonly bytes: number
  readonly stats: FileStats
}

/** Delta's per-file statistics; timestamps as ISO 8601 UTC strings, keys are column names. */
export interface FileStats {
  readonly numRecords: number
  readonly minValues: Readonly<Record<string, unknown>>
  readonly maxValues: Readonly<Record<string, unknown>>
  readonly nullCount: Readonly<Record<string, number>>
}

/**
 * Rewrites files of a table as fewer and larger ones, one per partition: the same rows, each with the version of the table that
 * added it. `columns` are the table's, not the view's: rows may have values of features that the view has no more.
 */
export interface CompactJob {
  readonly input: {
    /** Named as in Delta: `long`, `array<string>`. Without the partition column. */
    readonly columns: readonly { readonly name: string; readonly type: string }[]
    readonly joinKeys: readonly string[]
    readonly files: readonly SourceFile[]
    readonly outputDir: string
  }
  /** Of each written file the statistics have the least and greatest `ROW_VERSION_COLUMN`. */
  readonly output: { readonly files: readonly WrittenFile[]; readonly rows: number }
}

export interface SourceFile extends DataFile {
  /** The version that added all of its rows; undefined if each row says its own. */
  readonly addedVersion?: number
}

/** Outbox rows of one view as Parquet files in `outputDir`, which is made if need be. */
export interface AppendJob {
  readonly input: {
    readonly view: FeatureView
    /** A row spool (`row-spool.ts`), which may still be written. */
    readonly rowsFile: string
    readonly outputDir: string
  }
  readonly output: { readonly files: readonly WrittenFile[] }
}

/**
 * Runs a view's source SQL and writes, as Parquet files in `outputDir`, the rows that the table does not have yet: those
 * that differ from the latest row of origin `sync` with the same entity and event timestamp. All get `position`.
 */
export interface SyncJob {
  readonly input: {
    readonly view: FeatureView
    /** The source SQL with local paths put in. */
    readonly sql: string
    readonly existing: readonly DataFile[]
    readonly position: number
    readonly outputDir: string
  }
  readonly output: { readonly files: readonly WrittenFile[]; readonly rowsRead: number; readonly rowsAdded: number }
}

/** What a job wrote to its spool file. */
export interface SpooledRows {
  readonly rows: number
  readonly bytes: number
}

/**
 * The latest row per entity of a table, encoded for the online store, in one row spool (`row-spool.ts`). With `limit` in
 * key order (by join keys in canonical order, strings by their bytes), and no more entities than that.
 */
export interface LatestJob {
  readonly input: {
    readonly table: TableScan
    readonly outputFile: string
    /** Only entities after this one in key order: the text of its join-key values, in canonical order. */
    readonly after?: readonly string[]
    readonly limit?: number
  }
  /** `entities`: those after `after`, also beyond the limit. */
  readonly output: SpooledRows & { readonly entities: number }
}

/** The latest row of each entity that is named, in a spool file of the same form. */
export interface LatestOfJob {
  readonly input: {
    readonly table: TableScan
    /** Join-key values in canonical order; an int64 as a decimal string. */
    readonly entities: readonly (readonly string[])[]
    readonly outputFile: string
  }
  readonly output: SpooledRows
}

/** The latest rows of the entities that the table's view keeps online (`keepOnline`), in a spool file of the same form. */
export interface KeptJob {
  readonly input: {
    readonly table: TableScan
    /** Rows dated later than this are kept whatever their rank, microseconds. */
    readonly nowMicros: number
    readonly outputFile: string
  }
  /** `leftOutMicrosMax`: the greatest event timestamp of the latest rows that are not kept; undefined if all are. */
  readonly output: SpooledRows & { readonly leftOutMicrosMax?: number }
}

/** The latest row of each of a few entities, sent back as it is: for somebody who waits. */
export interface LookUpJob {
  readonly input: {
    readonly table: TableScan
    /** Join-key values in canonical order; an int64 as a decimal string. */
    readonly entities: readonly (readonly string[])[]
  }
  /** The entities that have rows, in no order. */
  readonly output: { readonly rows: readonly { readonly key: EntityKey; readonly row: Uint8Array }[] }
}

/** The latest row of each entity of a sample, in a spool file of the same form. */
export interface LatestSampleJob {
  readonly input: { readonly table: TableScan; readonly sample: KeySample; readonly outputFile: string }
  readonly output: SpooledRows
}

/**
 * Rows with positions of their own as Parquet files in `outputDir`, but those that `existing` has: of the same entity, event
 * timestamp and write position.
 */
export interface RestoreJob {
  readonly input: AppendJob['input'] & { readonly existing: readonly DataFile[] }
  readonly output: { readonly files: readonly WrittenFile[] }
}

/** The rows of one entity as known at some time, newest version first. */
export interface HistoryJob {
  readonly input: {
    readonly table: TableScan
    /** Join-key values in canonical order; an int64 as a decimal string. */
    readonly entity: readonly string[]
    readonly eventMicrosMax?: number
    readonly recordedMicrosMax?: number
    readonly limit: number
  }
  readonly output: { readonly rows: readonly HistoryRowData[]; readonly truncated: boolean }
}

export interface HistoryRowData {
  readonly eventMicros: number
  readonly createdMicros: number
  readonly position: number
  readonly origin: 'write' | 'sync'
  /** Serialized `Value`s in ordinal order; a missing value is empty. */
  readonly values: readonly Uint8Array[]
}
