/**
 * The port of an online store: the latest row per key, and the outbox of rows the offline store does not hold yet.
 *
 * Batch-first. Every adapter passes the contract suite in `test/contract/online-store.ts`. Adapters differ in how they
 * store; they do not differ in what is promised here.
 */
import type { RowKey, Shard } from '../domain/entity-key.ts'
import type { RowResult, WriteStatus } from '../domain/outcome.ts'
import type { Position } from '../domain/version.ts'

/** A row to store, encoded (`domain/row-codec.ts`). */
export interface RowWrite {
  readonly key: RowKey
  readonly row: Buffer
}

/** What became of one written row; `position` is the one the store gave it (also when SUPERSEDED: it is in the outbox). */
export interface RowOutcome {
  readonly status: WriteStatus
  readonly position: Position
}

export interface WriteOptions {
  /**
   * Makes a retry idempotent: a second write with the same id and `contentHash` changes nothing and gets the first
   * one's outcomes, for as long as the store remembers it (option `write-id-retention`). The same id with another hash
   * is refused with ALREADY_EXISTS.
   */
  readonly writeId?: string
  readonly contentHash?: string
}

/** A row accepted online and not yet committed offline, with its position and created timestamp set. */
export interface OutboxEntry {
  readonly key: RowKey
  readonly row: Buffer
  readonly position: Position
}

/** Keys whose rows changed, or `all` when the store cannot tell which (a connection was lost). */
export type Invalidation = readonly RowKey[] | 'all'

export interface OutboxDepth {
  readonly rows: number
  readonly bytes: number
}

export interface OnlineStore {
  /** Made when the store was created; never changes. Names the store in the archiver's positions. */
  readonly storeId: string
  /** Fixed at creation. */
  readonly shardCount: number

  /**
   * One result per key, in order; a fault of one shard or row is that key's result (G8). The result is the caller's own:
   * it stays valid. Rejects with DEADLINE_EXCEEDED or CANCELLED when the signal aborts.
   */
  readMany(keys: readonly RowKey[], signal?: AbortSignal): Promise<readonly RowResult[]>

  /**
   * Writes rows: per shard, values and outbox entries change together or not at all. Each row gets a position greater
   * than every earlier one of its shard, also within the batch, which is put into the stored row together with the
   * equal created timestamp; the value is replaced if the new version is greater; the outbox gets every row. Resolves once the change
   * survives a crash. Rejects with RESOURCE_EXHAUSTED, having changed nothing, when the outbox has no room.
   */
  write(rows: readonly RowWrite[], options?: WriteOptions): Promise<readonly RowOutcome[]>

  /** Stores rows that the offline store already holds, with the positions in them: no outbox; the greater version wins. */
  seed(rows: readonly RowWrite[]): Promise<readonly WriteStatus[]>

  /**
   * Entries of a shard with a position above `after`, oldest first, up to either limit (at least one entry if any). Rows
   * come as they are stored; whoever reads them checks them (`rowFault`).
   */
  readOutbox(shard: Shard, after: Position, limits: { rows: number; bytes: number }): Promise<readonly OutboxEntry[]>

  /** Drops a shard's entries up to and including `through`. */
  trimOutbox(shard: Shard, through: Position): Promise<void>

  outboxDepth(): Promise<OutboxDepth>

  /** A position for rows that a sync brings: greater than every position given so far, on every shard. */
  reservePosition(): Promise<Position>

  /** Makes the shard's future positions greater than `floor`; used when the offline store knows of greater ones. */
  raisePositions(shard: Shard, floor: Position): Promise<void>

  /** A small durable note kept in the store itself, so that it is lost when the store is (how far a sync was seeded). */
  readMark(name: string): Promise<string | undefined>
  writeMark(name: string, value: string): Promise<void>

  /** Calls `listener` after rows changed, whoever changed them. Returns a function that stops it. */
  watch(listener: (changed: Invalidation) => void): () => void

  /** Resolves when the store answers; rejects with what is wrong. */
  health(): Promise<void>

  close(): Promise<void>
}
