/**
 * The port of an online store: the latest row per key, and the outbox of rows the offline store does not hold yet.
 *
 * Batch-first. Every adapter passes the contract suite in `test/contract/online-store.ts`. Adapters differ in how they
 * store; they do not differ in what is promised here.
 */
import type { RowKey, Shard } from '../domain/entity-key.ts'
import type { TwinstoreError } from '../domain/errors.ts'
import type { RowResult, WriteStatus } from '../domain/outcome.ts'
import type { OnlineExtent } from '../domain/registry.ts'
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
  /**
   * Which entities of the rows' views are kept online; `all` unless given. A row that is not stored gets its position and its
   * place in the outbox all the same, and the outcome HISTORY_ONLY: with `none` every row, with `some` a row of an
   * entity without a row whose event timestamp is not above the view's horizon (`raiseHorizon`).
   */
  readonly extent?: OnlineExtent
}

/** A row accepted online and not yet committed offline, with its position and created timestamp set. */
export interface OutboxEntry {
  readonly key: RowKey
  readonly row: Buffer
  readonly position: Position
}

/** Keys whose rows changed, or `all` when the store cannot tell which (a connection was lost). */
export type Invalidation = readonly RowKey[] | 'all'

export interface ReadOptions {
  readonly signal?: AbortSignal
  /**
   * The rows may come from a replica that lags behind what was acknowledged. False or not given: the rows are at least as
   * new as every write that was acknowledged before the call (G3).
   */
  readonly mayLag?: boolean
  /** The shard of all the keys, where the caller has worked it out already; a wrong one finds nothing. */
  readonly shard?: Shard
}

/** One of several instances on the same store. */
export interface ShardClaim {
  /** Unique among live instances. */
  readonly owner: string
  /** How long the claim stands without being repeated, milliseconds. */
  readonly ttlMs: number
}

declare const scanCursorBrand: unique symbol

/** Where a page of a scan begins. It means nothing to callers, and is good for the store that gave it while it is open. */
export type ScanCursor = string & { readonly [scanCursorBrand]: true }

export interface KeyPage {
  /** May be none though there is a next page. */
  readonly keys: readonly RowKey[]
  /** Undefined after the last page. */
  readonly next: ScanCursor | undefined
  /** Why the keys of a shard were not all listed; the next page goes on with the shard after it. */
  readonly fault?: TwinstoreError
}

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
   * it stays valid. Rejects with DEADLINE_EXCEEDED or CANCELLED when the signal aborts. Keys of several shards are
   * answered together, when the last of them is; who wants not to wait for a slow shard asks shard by shard.
   */
  readMany(keys: readonly RowKey[], options?: ReadOptions): Promise<readonly RowResult[]>

  /**
   * Writes rows: per shard, values and outbox entries change together or not at all. Each row gets a position greater
   * than every earlier one of its shard, also within the batch, which is put into the stored row together with the
   * equal created timestamp; the value is replaced if the new version is greater; the outbox gets every row. Resolves once the change
   * is as durable as the store's options promise.
   *
   * Rejects with RESOURCE_EXHAUSTED when the outbox has no room for a shard's rows, and with UNAVAILABLE when a shard
   * does not answer. That shard's rows are then unchanged, or, as the message says, of unknown fate; the rows of other
   * shards may be written. A repetition with the same write id writes what is missing and nothing twice. A store whose
   * shards share their limits (the embedded one) changes nothing at all.
   */
  write(rows: readonly RowWrite[], options?: WriteOptions): Promise<readonly RowOutcome[]>

  /** Stores rows that the offline store already holds, with the positions in them: no outbox; the greater version wins. */
  seed(rows: readonly RowWrite[]): Promise<readonly WriteStatus[]>

  /**
   * Puts sound rows over damaged ones, for repair: as `seed`, but a stored row of the same version is replaced too, and so is
   * one that is not sound (`rowFault`) whatever version it seems to have. A sound row of a greater version stays
   * (SUPERSEDED), also one that is written at the same moment. A key at most once in a call.
   */
  mend(rows: readonly RowWrite[]): Promise<readonly WriteStatus[]>

  /**
   * The keys of a view's rows, about `limit` in a page, in no order; `cursor` undefined begins. Every key that is there from the
   * first page to the last is listed, perhaps more than once. Where that cannot be kept for a shard (its node does not
   * answer, was replaced, or hands the shard over), the page says so in `fault` and goes on; it never rejects for one shard.
   */
  scanKeys(storageId: string, cursor: ScanCursor | undefined, limit: number): Promise<KeyPage>

  /**
   * Removes the rows of these keys that have a position below `before`; says of each whether it was removed. For rows that the
   * history holds and that are not to be kept online: who removes them has raised the view's horizon first, so that no
   * older row takes their place. A row that was written or seeded at that position or after it stays.
   */
  remove(keys: readonly RowKey[], before: Position): Promise<readonly boolean[]>

  /**
   * Says that entities of the view have versions with event timestamps up to `eventMicros` that are in the history and not
   * here: of an entity that has no row here, a write with extent `some` up to that time may be older than one of them.
   * A horizon only rises; it is kept per view, on every shard.
   */
  raiseHorizon(storageId: string, eventMicros: number): Promise<void>

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

  /**
   * The greatest position of the shard that the store remembers. Less than one it has given before: the store lost the
   * end of its writes (a failover to a replica that lagged).
   */
  lastPosition(shard: Shard): Promise<Position>

  /**
   * Claims a fair part of the shards for archiving: what the owner holds and may keep, and free ones, up to the number of
   * shards divided by the number of live owners, rounded up; more than that is given up. Repeating it keeps the claim alive.
   * Claims only save work: an owner that is late and a new one may both archive a shard, and the offline commit decides.
   */
  claimShards(claim: ShardClaim): Promise<readonly Shard[]>

  /** Gives up all claims of an owner that stops, so that the others need not wait for them to end. */
  releaseShards(owner: string): Promise<void>

  /** A small durable note kept in the store itself, so that it is lost when the store is (how far a sync was seeded). */
  readMark(name: string): Promise<string | undefined>
  writeMark(name: string, value: string): Promise<void>
  /** Writes the mark unless there is one; resolves to what it holds then. Of several callers all get the same. */
  claimMark(name: string, value: string): Promise<string>

  /** Calls `listener` after rows changed, whoever changed them. Returns a function that stops it. */
  watch(listener: (changed: Invalidation) => void): () => void

  /** Resolves when the store answers; rejects with what is wrong. */
  health(): Promise<void>

  close(): Promise<void>
}
