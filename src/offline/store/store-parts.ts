import type { FeatureView } from '../../domain/registry.ts'
import type { CheckpointOptions } from '../delta/checkpoints.ts'
import type { DeltaTableOptions } from '../delta/delta-table.ts'
import type { OfflineEngine } from '../engine.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { Spool } from './spool.ts'
import type { ViewTables } from './view-tables.ts'

export interface DeltaOfflineStoreOptions {
  readonly objects: ObjectStore
  readonly engine: OfflineEngine
  /** Name and version of what the engine writes files with; recorded in pins. */
  readonly engineName: string
  /** A view's source SQL with local paths put in. */
  readonly resolveSource: (view: FeatureView) => Promise<string>
  readonly table: Omit<DeltaTableOptions, 'checkpoints'>
  /** Undefined: none are written, and of those that are there nothing is read. */
  readonly checkpoints?: Omit<CheckpointOptions, 'engine'>
  /** Where finished data sets wait until they are sent. */
  readonly spoolDir: string
  /** Option `spool-bytes-max`. */
  readonly spoolBytesMax: number
  /** Files of one operation that are uploaded or fetched at the same time, option `offline-files-at-once`. */
  readonly filesAtOnce: number
  /** Data files that are remembered as verified against their checksum, option `verified-files-max`. */
  readonly verifiedFilesMax: number
  /** Rows that `latest` gives in one batch, option `sync-seed-rows`. */
  readonly latestBatchRows: number
}

/** What the operations of the store work with. */
export interface StoreParts extends DeltaOfflineStoreOptions {
  readonly tables: ViewTables
  readonly spool: Spool
}
