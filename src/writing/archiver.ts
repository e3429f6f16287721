/**
 * Moves rows from the outbox to the offline store: when they have waited `interval`, when a batch is full, or when
 * somebody waits for them.
 *
 * One pass at a time goes over all shards (`shard-drain.ts`); what arrives during a pass is for the next one, so many
 * writers that wait share one commit (group commit). A fault does not stop reads and writes: it is in `status`, the
 * pass is retried with growing delays, and the outbox's limit is what bounds the backlog.
 */

import type { DefinitionsSource } from '../domain/definitions-source.ts'
import type { Shard } from '../domain/entity-key.ts'
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import { NO_POSITION, type Position } from '../domain/version.ts'
import type { Clock } from '../lib/clock.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { waitFor } from './abort.ts'
import { type ArchivedRow, ArchiveWaiters } from './archive-waiters.ts'
import { type BackoffLimits, backoffMs } from './backoff.ts'
import { type BlockedView, type SetAsideRow, ShardDrain } from './shard-drain.ts'
import { type EarlierViews, ViewLookup } from './view-lookup.ts'

export interface ArchiverLimits {
  /** `archive-interval`: the longest a row waits for others before its commit, milliseconds. */
  readonly intervalMs: number
  /**
   * `archive-batch-rows` and `archive-batch-bytes`: what one batch of a shard holds; so many pending rows start a
   * pass.
   */
  readonly batchRows: number
  readonly batchBytes: number
  readonly retry: BackoffLimits
}

export interface ArchiverParts {
  readonly online: OnlineStore
  readonly offline: Pick<OfflineStore, 'append' | 'archivedPosition'>
  readonly definitions: DefinitionsSource
  readonly clock: Clock
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number
  readonly limits: ArchiverLimits
  /** Stores a row that can never be appended; see `DrainParts.setAside`. */
  readonly setAside: (row: SetAsideRow) => Promise<void>
  /** Views of earlier definitions that rows in the outbox may belong to. */
  readonly earlierViews: EarlierViews
  /** Told every fault once when it appears, for the log. */
  readonly onFault: (fault: TwinstoreError) => void
}

export interface ArchiverStatus {
  /** Passes that failed since one succeeded. */
  readonly failures: number
  /** Why the outbox cannot be emptied, if it cannot. */
  readonly error?: string
  /** Views whose rows stay in the outbox. */
  readonly blocked: readonly BlockedView[]
  /** Rows that could not be read and were set aside since the start. */
  readonly rowsSetAside: number
}

export interface Archiver {
  /**
   * Lifts the online store's positions above those the offline store knows and begins to work. Rejects when the
   * offline store cannot say, because a position given twice would make an append drop the row that has it.
   */
  start(): Promise<void>
  /** Tells that rows were acknowledged, so that a full batch need not wait for the interval. */
  accepted(rows: number, bytes: number): void
  /**
   * Resolves when the row is committed offline; waits through faults until the signal aborts (`message` is the
   * error's).
   */
  archived(row: ArchivedRow, signal: AbortSignal | undefined, message: string): Promise<void>
  /**
   * Everything acknowledged before the call is committed offline when it resolves. Rejects with UNAVAILABLE as soon as
   * an attempt has failed, and when the signal aborts. `storageIds` narrows what may make it fail to these views.
   */
  flush(signal?: AbortSignal, storageIds?: readonly string[]): Promise<void>
  status(): ArchiverStatus
  /**
   * A last flush, for at most so long, then no more passes. False if rows may be left in the outbox, for the next
   * start.
   */
  stop(deadlineMs: number): Promise<boolean>
}

export function createArchiver(parts: ArchiverParts): Archiver {
  return new OutboxArchiver(parts)
}

class OutboxArchiver implements Archiver {
  readonly #parts: ArchiverParts
  readonly #views: ViewLookup
  readonly #drains: readonly ShardDrain[]
  readonly #waiters = new ArchiveWaiters()
  /** Unknown views already reported. */
  readonly #unknownTold = new Set<string>()
  #state: 'new' | 'running' | 'stopped' = 'new'
  #timer: { cancel(): void } | undefined
  #passing = false
  #passWanted = false
  #retryWanted = false
  #retryAtMs = 0
  #failures = 0
  #error: TwinstoreError | undefined
  #pendingRows = 0
  #pendingBytes = 0
  #rowsSetAside = 0

  constructor(parts: ArchiverParts) {
    this.#parts = parts
    this.#views = new ViewLookup(parts.definitions, parts.earlierViews)
    const drainParts = {
      online: parts.online,
      offline: parts.offline,
      views: this.#views,
      batch: { rows: parts.limits.batchRows, bytes: parts.limits.batchBytes },
      setAside: async (row: SetAsideRow) => {
        await parts.setAside(row)
        this.#rowsSetAside++
        parts.onFault(setAsideFault(row))
      },
    }
    this.#drains = Array.from(
      { length: parts.online.shardCount },
      (_, shard) => new ShardDrain(shard as Shard, drainParts),
    )
  }

  async start(): Promise<void> {
    const { online, offline, definitions } = this.#parts
    this.#views.refresh()
    for (const { shard } of this.#drains) {
      let floor = NO_POSITION
      for (const view of definitions.current.registry.views.values()) {
        const position = await offline.archivedPosition(view, { storeId: online.storeId, shard })
        if (position > floor) floor = position
      }
      if (floor > NO_POSITION) await online.raisePositions(shard, floor)
    }
    this.#state = 'running'
    this.#wake()
  }

  accepted(rows: number, bytes: number): void {
    this.#pendingRows += rows
    this.#pendingBytes += bytes
    const { batchRows, batchBytes } = this.#parts.limits
    if (this.#pendingRows >= batchRows || this.#pendingBytes >= batchBytes) this.#wake()
  }

  archived(row: ArchivedRow, signal: AbortSignal | undefined, message: string): Promise<void> {
    const drain = this.#drains[row.shard]!
    if (drain.isArchived(row.storageId, row.position)) return Promise.resolve()
    const wait = this.#waiters.forRow(row)
    // A blocked view's next chance is the retry; waking for it would only hammer a store that is down.
    if (!drain.blocked.has(row.storageId)) this.#wake()
    return waitFor(wait.done, signal, message).finally(wait.forget)
  }

  async flush(signal?: AbortSignal, storageIds?: readonly string[]): Promise<void> {
    const { online } = this.#parts
    if ((await online.outboxDepth()).rows === 0) return
    // Every row acknowledged so far has a smaller position, on every shard.
    const through = await online.reservePosition()
    if (this.#state !== 'running') throw new TwinstoreError('UNAVAILABLE', 'the archiver is not running')
    const wait = this.#waiters.forFlush(through, storageIds)
    this.#retryWanted = true
    this.#wake()
    await waitFor(wait.done, signal, 'the rows accepted online were not all committed offline in time').finally(
      wait.forget,
    )
  }

  status(): ArchiverStatus {
    const blocked = new Map(this.#drains.flatMap((drain) => [...drain.blocked]))
    const error = this.#error === undefined ? {} : { error: this.#error.message }
    return { failures: this.#failures, ...error, blocked: [...blocked.values()], rowsSetAside: this.#rowsSetAside }
  }

  async stop(deadlineMs: number): Promise<boolean> {
    if (this.#state !== 'running') return false
    const deadline = new AbortController()
    const timer = this.#parts.clock.after(deadlineMs, () => deadline.abort())
    const drained = await waitFor(this.flush(), deadline.signal, 'the last flush took too long').then(
      () => true,
      () => false,
    )
    timer.cancel()
    this.#state = 'stopped'
    this.#timer?.cancel()
    this.#waiters.flushes().fail(new TwinstoreError('UNAVAILABLE', 'the archiver has stopped'))
    return drained
  }

  /** Starts a pass now, or right after the one under way. */
  #wake(): void {
    if (this.#state !== 'running') return
    this.#passWanted = true
    if (!this.#passing) void this.#run()
  }

  async #run(): Promise<void> {
    this.#passing = true
    this.#timer?.cancel()
    while (this.#passWanted && this.#state === 'running') {
      this.#passWanted = false
      await this.#pass()
    }
    this.#passing = false
    if (this.#state === 'running') this.#arm()
  }

  #arm(): void {
    const { clock, limits } = this.#parts
    const delayMs = this.#failures === 0 ? limits.intervalMs : Math.max(0, this.#retryAtMs - clock.monotonicMs())
    this.#timer = clock.after(delayMs, () => {
      this.#retryWanted = true
      this.#wake()
    })
  }

  async #pass(): Promise<void> {
    const retrying = this.#views.refresh() || (this.#retryWanted && this.#failures > 0)
    this.#retryWanted = false
    this.#pendingRows = 0
    this.#pendingBytes = 0
    if (retrying) for (const drain of this.#drains) drain.retry()
    const flushes = this.#waiters.flushes()
    try {
      for (const drain of this.#drains) await this.#drainShard(drain, flushes.through)
      flushes.settle(this.#drains)
      this.#note(this.#firstProblem(), retrying)
    } catch (error) {
      const fault = asTwinstoreError(error)
      flushes.fail(fault)
      this.#note(fault, true)
    }
  }

  /**
   * Until the shard is empty, or what is left came after the pass began and nobody waits for it: endless writers must
   * neither keep the pass on one shard nor make it commit a handful of rows at a time.
   */
  async #drainShard(drain: ShardDrain, flushThrough: Position): Promise<void> {
    const began = this.#parts.clock.nowMicros()
    const needed = Math.max(flushThrough, ...this.#waiters.ofShard(drain.shard).map((waiter) => waiter.row.position))
    while (this.#state === 'running') {
      const waiting = this.#waiters.ofShard(drain.shard)
      const { rows, full } = await drain.step()
      for (const { row, resolve } of waiting) {
        // An empty outbox has no row of those that were acknowledged before it was read: another process archived them.
        const emptied = rows === 0 && !drain.blocked.has(row.storageId)
        if (emptied || drain.isArchived(row.storageId, row.position)) resolve()
      }
      if (rows === 0) return
      if (drain.cursor >= needed && (!full || drain.cursor >= began)) return
    }
  }

  #firstProblem(): TwinstoreError | undefined {
    const blocked = this.#drains.flatMap((drain) => [...drain.blocked.values()])
    for (const { storageId, error, retryHelps } of blocked) {
      if (retryHelps || this.#unknownTold.has(storageId)) continue
      this.#unknownTold.add(storageId)
      this.#parts.onFault(error)
    }
    return blocked.find((view) => view.retryHelps)?.error
  }

  /** Records how a pass went; a pass that left alone what is blocked says nothing new of it. */
  #note(error: TwinstoreError | undefined, tried: boolean): void {
    if (error !== undefined && error.message !== this.#error?.message) this.#parts.onFault(error)
    this.#error = error
    if (error === undefined) this.#failures = 0
    else if (tried || this.#failures === 0) {
      const { clock, limits, random } = this.#parts
      this.#failures++
      this.#retryAtMs = clock.monotonicMs() + backoffMs(this.#failures, limits.retry, random())
    }
  }
}

function setAsideFault(row: SetAsideRow): TwinstoreError {
  const key = Buffer.from(row.key, 'latin1').toString('hex')
  const message = `outbox row at position ${row.position} of shard ${row.shard}, key ${key}, cannot be archived and was set aside: ${row.fault.message}`
  return new TwinstoreError('DATA_LOSS', message, { cause: row.fault })
}
