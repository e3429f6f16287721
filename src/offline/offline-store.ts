/**
 * The port of the offline store: the complete history of every view, and what is made from it.
 *
 * One table per view (and view version). Rows are only ever added. A caller that needs the rows just acknowledged online
 * to be in a result flushes the archiver first; this store knows nothing of the outbox.
 */
import type { EntityKey, KeyValue, RowKey, Shard } from '../domain/entity-key.ts'
import type { KeySample } from '../domain/key-sample.ts'
import type { FeatureService, FeatureView } from '../domain/registry.ts'
import type { Position } from '../domain/version.ts'
import type { OutboxEntry, RowWrite } from '../online/online-store.ts'
import type { Dataset, ExportRequest, TrainingSet, TrainingSetRequest } from './datasets.ts'
import type { JobOptions } from './engine.ts'
import type { StatisticsData, StatisticsJob } from './statistics-job.ts'
import type { HistoryRowData } from './table-jobs.ts'
import type { CompactRequest, CompactResult, VacuumRequest, VacuumResult } from './table-upkeep.ts'

export type { DatasetColumn, DatasetFile, DatasetFormat, FeatureFigures, JoinMode } from './dataset-jobs.ts'
export { SCALAR_OF_COLUMN_TYPE } from './dataset-jobs.ts'
export type { Dataset, ExportRequest, Manifest, Pin, TrainingSet, TrainingSetRequest } from './datasets.ts'
export type { JobOptions, JobProgress } from './engine.ts'
export type { Bins, FeatureSummary, NumberSummary, StatisticsData, TimeWindow } from './statistics-job.ts'
export { QUANTILES } from './statistics-job.ts'
export type { HistoryRowData } from './table-jobs.ts'
export type { CompactRequest, CompactResult, VacuumRequest, VacuumResult } from './table-upkeep.ts'
export type { EntityKey, RowKey }

/** Whose outbox rows come from: the archiver's position is kept per online store and shard, in the same commit. */
export interface OutboxSource {
  readonly storeId: string
  readonly shard: Shard
}

/** Outbox rows of one source, oldest first. */
export interface OutboxBatch {
  readonly source: OutboxSource
  readonly entries: readonly OutboxEntry[]
}

export interface AppendResult {
  readonly tableVersion: number
  readonly rowsAdded: number
}

export interface SyncResult extends AppendResult {
  readonly rowsRead: number
  /** As `TableStatus.syncPosition`, of the table with what was added. */
  readonly syncPosition: Position | 0
}

export interface TableStatus {
  readonly view: string
  readonly tableVersion: number
  readonly rows: number
  readonly files: number
  readonly bytes: number
  /** Of the last sync that added rows, 0 if there was none; a position is a time (microseconds). */
  readonly syncPosition: Position | 0
  /** The greatest event timestamp, microseconds, rounded up to milliseconds; undefined if there are no rows or none says. */
  readonly newestEventMicros: number | undefined
}

export interface LatestOptions extends JobOptions {
  /** Only entities after this one, in key order: the text of its join-key values, in canonical order. */
  readonly after?: readonly string[]
  /** Most entities; the rows then come in key order, so that the last one's key is the next call's `after`. */
  readonly limit?: number
  /** Only rows that the table got after this version; some older ones may come with them. */
  readonly sinceVersion?: number
}

export interface LatestRows {
  readonly tableVersion: number
  readonly syncPosition: Position | 0
  readonly rows: number
  /** How many entities there are after `after`, also beyond the limit. */
  readonly entities: number
  /** To be read once. */
  readonly batches: AsyncIterable<readonly RowWrite[]>
}

export interface KeptRows extends Omit<LatestRows, 'entities'> {
  /** The greatest event timestamp of the latest rows of other entities, microseconds; undefined if there are none. */
  readonly leftOutMicrosMax?: number
}

export type EntitySelection = { readonly sample: KeySample } | { readonly entities: readonly (readonly KeyValue[])[] }

export interface SelectedRows {
  readonly tableVersion: number
  readonly rows: number
  /** To be read once. */
  readonly batches: AsyncIterable<readonly RowWrite[]>
}

export interface HistoryRequest {
  readonly entity: readonly KeyValue[]
  /** Only rows with an event timestamp up to this, microseconds. */
  readonly eventMicrosMax?: number
  /** Only rows recorded (created) up to this, microseconds: what was known then. */
  readonly recordedMicrosMax?: number
  readonly limit: number
}

export type StatisticsRequest = Omit<StatisticsJob['input'], 'table'>

export interface OfflineStore {
  /** Creates or evolves the view's table so that it has the view's columns. Idempotent. */
  prepare(view: FeatureView): Promise<void>

  /**
   * Adds outbox rows of one view from any number of shards in one commit; at most one batch per source. Rows at or below
   * the archived position of their source are dropped, so that a replay, and a second archiver of the same shard, add
   * nothing twice. When it resolves the rows and the new position of every source are committed.
   */
  append(view: FeatureView, batches: readonly OutboxBatch[]): Promise<AppendResult>

  /** The greatest position of each source that the view's table holds, in order; 0 if none. */
  archivedPositions(view: FeatureView, sources: readonly OutboxSource[]): Promise<readonly Position[]>

  /** Runs the view's SQL source and adds what is new at `position`. FAILED_PRECONDITION if the view has no source. */
  sync(view: FeatureView, position: Position, options?: JobOptions): Promise<SyncResult>

  /** The latest row per entity at the table's newest version, in batches, for seeding the online store. */
  latest(view: FeatureView, options?: LatestOptions): Promise<LatestRows>

  /** The latest row of each entity of a sample, or of each that is named, at the table's newest version; in no order. */
  latestOf(view: FeatureView, selection: EntitySelection, options?: JobOptions): Promise<SelectedRows>

  /**
   * The latest rows of those entities that the view keeps online (`keepOnline`): the `limit` with the greatest values, null
   * and NaN last, of equal ones those with the least join keys; and besides, whatever is dated after `nowMicros`.
   */
  kept(view: FeatureView, nowMicros: number, options?: JobOptions): Promise<KeptRows>

  /**
   * The latest row of each entity at the table's newest version, in order; null where there is none. For a few entities
   * that a request waits for: reads only files and row groups that can hold them, and does not wait behind other work.
   */
  lookUp(view: FeatureView, entities: readonly EntityKey[], options?: JobOptions): Promise<readonly (Buffer | null)[]>

  /**
   * Gives back to the history rows that it lost, with the positions in them; those that it has are left out. Only for rows
   * that no outbox holds: the archiver would add them again.
   */
  restore(view: FeatureView, rows: readonly RowWrite[]): Promise<AppendResult>

  history(
    view: FeatureView,
    request: HistoryRequest,
    options?: JobOptions,
  ): Promise<{ readonly rows: readonly HistoryRowData[]; readonly truncated: boolean; readonly tableVersion: number }>

  export(
    view: FeatureView,
    request: ExportRequest,
    options?: JobOptions,
  ): Promise<Dataset & { readonly tableVersion: number }>

  trainingSet(service: FeatureService, request: TrainingSetRequest, options?: JobOptions): Promise<TrainingSet>

  /**
   * Rewrites small files of the view's table as fewer large ones; the rows stay as they are, at every version. Any number of writers
   * and readers may be at work: those that began before go on with the files they know, which stay until `vacuum`. ABORTED
   * if one of the view runs in this process; cancelled between two commits or within a job.
   */
  compact(view: FeatureView, request: CompactRequest, options?: JobOptions): Promise<CompactResult>

  /**
   * Deletes files of the view's table that are in no version any more (compaction replaced them) or never were in one (a crash
   * left them), once they are old enough. Every version stays readable.
   */
  vacuum(view: FeatureView, request: VacuumRequest, options?: JobOptions): Promise<VacuumResult>

  /**
   * Describes the values of the view's features in a window of event time, and how they are spread beside those in a reference
   * window; either may have no rows.
   */
  statistics(
    view: FeatureView,
    request: StatisticsRequest,
    options?: JobOptions,
  ): Promise<StatisticsData & { readonly tableVersion: number }>

  /** NOT_FOUND never: a view without a table has version -1 and no rows. */
  status(view: FeatureView): Promise<TableStatus>

  health(): Promise<void>
  close(): Promise<void>
}
