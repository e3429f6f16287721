/**
 * Moves rows from the outbox to the offline store: when they have waited `interval`, when a batch is full, or when
 * somebody waits for them.
 *
 * One pass at a time goes over many shards (`archive-rounds.ts`). What arrives during a pass is for the next one, so many
 * writers that wait share one commit (group commit).
 *
 * Of several instances each goes over the shards it has claimed, and over others only when somebody here waits for their
 * rows: then it archives them itself at once, because another instance cannot be asked, and the commit sees to it that
 * nothing is added twice.
 *
 * A fault does not stop reads and writes, nor other views and shards: it is in `status`, what failed is tried again with
 * growing delays, and the outbox's limit is what bounds the backlog.
 */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import type { Shard } from '../domain/entity-key.ts'
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { waitFor } from './abort.ts'
import { ArchiveFaults, setAsideFault, tailLostFault } from './archive-faults.ts'
import { ArchiveRounds, type RoundLimits } from './archive-rounds.ts'
import { type ArchivedRow, ArchiveWaiters, type FlushScope } from './archive-waiters.ts'
import type { Archiver, ArchiverStatus } from './archiver.ts'
import { PassLoop } from './pass-loop.ts'
import { PositionLifts } from './position-lifts.ts'
import { ShardClaims } from './shard-claims.ts'
import { ShardDrain } from './shard-drain.ts'
import { type SetAsideRow, ViewAppends } from './view-appends.ts'
import { type EarlierViews, ViewLookup } from './view-lookup.ts'

export interface ArchiverLimits extends RoundLimits {
  /** `archive-interval`: the longest a row waits for others before its commit, milliseconds. */
  readonly intervalMs: number
  /** `archive-lease`: how long a claim stands, milliseconds. */
  readonly leaseMs: number
}

export interface ArchiverParts {
  readonly online: OnlineStore
  readonly offline: Pick<OfflineStore, 'append' | 'archivedPositions'>
  readonly definitions: DefinitionsSource
  readonly clock: Clock
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number
  /** Unique among live instances. */
  readonly owner: string
  readonly limits: ArchiverLimits
  /** Stores a row that can never be appended; see `ViewAppendsParts.setAside`. */
  readonly setAside: (row: SetAsideRow) => Promise<void>
  /** Views of earlier definitions that rows in the outbox may belong to. */
  readonly earlierViews: EarlierViews
  /** Told every fault once when it appears, for the log. */
  readonly onFault: (fault: TwinstoreError) => void
  /** The online store has lost rows of the shard that are archived: they are to be brought back. May be told twice. */
  readonly onTailLost: (shard: Shard) => void
}

export function createArchiver(parts: ArchiverParts): Archiver {
  return new OutboxArchiver(parts)
}

class OutboxArchiver implements Archiver {
  readonly #parts: ArchiverParts
  readonly #views: ViewLookup
  readonly #appends: ViewAppends
  readonly #drains: readonly ShardDrain[]
  readonly #rounds: ArchiveRounds
  readonly #claims: ShardClaims
  readonly #waiters = new ArchiveWaiters()
  readonly #lifts: PositionLifts
  readonly #faults: ArchiveFaults
  readonly #loop: PassLoop
  #unwatch = (): void => {}
  #pendingRows = 0
  #pendingBytes = 0
  #rowsSetAside = 0

  constructor(parts: ArchiverParts) {
    this.#parts = parts
    const { online, offline, definitions, clock, owner, limits } = parts
    this.#views = new ViewLookup(parts.definitions, parts.earlierViews)
    this.#appends = new ViewAppends({
      offline,
      views: this.#views,
      setAside: async (row: SetAsideRow) => {
        await parts.setAside(row)
        this.#rowsSetAside++
        parts.onFault(setAsideFault(row))
      },
    })
    const staysOnline = (storageId: string) => this.#views.staysOnline(storageId)
    this.#drains = Array.from(
      { length: online.shardCount },
      (_, shard) => new ShardDrain(shard as Shard, online, staysOnline),
    )
    const tellTailLost = (shard: Shard) => {
      parts.onFault(tailLostFault(shard))
      parts.onTailLost(shard)
    }
    this.#rounds = new ArchiveRounds({ ...parts, appends: this.#appends, waiters: this.#waiters, tellTailLost })
    this.#lifts = new PositionLifts({ online, offline, definitions, tellTailLost, ...limits })
    this.#faults = new ArchiveFaults({ ...parts, retry: limits.retry })
    this.#loop = new PassLoop({ clock, pass: () => this.#pass(), delayMs: () => this.#idleMs() })
    const onClaimed = (gained: readonly Shard[]) => this.#claimed(gained)
    this.#claims = new ShardClaims({ online, clock, owner, leaseMs: limits.leaseMs, onClaimed })
  }

  async start(): Promise<void> {
    this.#views.refresh()
    await this.#lifts.lift(this.#drains.map(({ shard }) => shard))
    await this.#claims.start()
    this.#unwatch = this.#parts.online.watch((changed) => {
      // Perhaps a shard has another primary, which may lack the end of the old one's writes.
      if (changed === 'all') for (const drain of this.#drains) drain.suspectTail()
    })
    this.#loop.start()
  }

  accepted(rows: number, bytes: number): void {
    this.#pendingRows += rows
    this.#pendingBytes += bytes
    const { batchRows, batchBytes } = this.#parts.limits
    if (this.#pendingRows >= batchRows || this.#pendingBytes >= batchBytes) this.#loop.wake()
  }

  archived(row: ArchivedRow, signal: AbortSignal | undefined, message: string): Promise<void> {
    const drain = this.#drains[row.shard]!
    if (drain.isArchived(row.storageId, row.position)) return Promise.resolve()
    const wait = this.#waiters.forRow(row)
    // What failed has its next chance at the retry; waking for it would only hammer a store that is down.
    const failed = this.#appends.blocked.has(row.storageId) || drain.fault !== undefined
    if (failed) this.#loop.arm()
    else this.#loop.wake()
    return waitFor(wait.done, signal, message).finally(wait.forget)
  }

  async flush(signal?: AbortSignal, storageIds?: readonly string[]): Promise<void> {
    // A store that does not answer as a whole may still have shards that do.
    const depth = await this.#parts.online.outboxDepth().catch(asTwinstoreError)
    if ('rows' in depth && depth.rows === 0) return
    await this.#flush('all', signal, storageIds)
  }

  status(): ArchiverStatus {
    const unreachable = this.#inScope('all').flatMap(({ shard, fault }) =>
      fault === undefined ? [] : [{ shard, error: fault.error }],
    )
    const [problem] = this.#problems()
    return {
      failures: Math.max(this.#faults.failures, ...this.#drains.map((drain) => drain.fault?.failures ?? 0)),
      ...(problem === undefined ? {} : { error: problem.message }),
      blocked: [...this.#appends.blocked.values()],
      unreachable,
      rowsSetAside: this.#rowsSetAside,
    }
  }

  holds(shard: Shard): boolean {
    return this.#loop.isRunning && this.#claims.held.has(shard)
  }

  async stop(deadlineMs: number): Promise<boolean> {
    if (!this.#loop.isRunning) return false
    const deadline = new AbortController()
    const timer = this.#parts.clock.after(deadlineMs, () => deadline.abort())
    this.#claims.stop()
    const drained = await this.#flush('claimed', deadline.signal).then(
      () => true,
      () => false,
    )
    this.#loop.stop()
    this.#unwatch()
    this.#waiters.flushes().fail(new TwinstoreError('UNAVAILABLE', 'the archiver has stopped'))
    // A claim that cannot be given up ends by itself.
    const released = this.#claims.release().catch(() => undefined)
    await waitFor(released, deadline.signal, 'the claims were not given up in time').catch(() => undefined)
    timer.cancel()
    return drained
  }

  #flush(scope: FlushScope, signal?: AbortSignal, storageIds?: readonly string[]): Promise<void> {
    if (!this.#loop.isRunning) throw new TwinstoreError('UNAVAILABLE', 'the archiver is not running')
    const wait = this.#waiters.forFlush(scope, storageIds)
    this.#loop.wake()
    const late = 'the rows accepted online were not all committed offline in time'
    return waitFor(wait.done, signal, late).finally(wait.forget)
  }

  /** How long the next pass may wait: the interval, or until something is to be tried again before it. */
  #idleMs(): number {
    const { clock, limits } = this.#parts
    const now = clock.monotonicMs()
    const retries = this.#wanted(undefined).flatMap(({ fault }) => (fault === undefined ? [] : [fault.retryAtMs]))
    if (this.#faults.retryAtMs !== undefined) retries.push(this.#faults.retryAtMs)
    return Math.min(limits.intervalMs, ...retries.map((atMs) => Math.max(0, atMs - now)))
  }

  /** Shards just claimed: what was known of them is old, and their rows have waited for somebody to take them. */
  #claimed(gained: readonly Shard[]): void {
    for (const shard of gained) {
      this.#drains[shard]!.reset()
      // Before the loop runs, all have just been lifted.
      if (this.#loop.isRunning) this.#lifts.add(shard)
    }
    if (gained.length > 0) this.#loop.wake()
  }

  async #pass(): Promise<void> {
    const flushes = this.#waiters.flushes()
    const now = this.#parts.clock.monotonicMs()
    const { retryAtMs } = this.#faults
    const due = retryAtMs === undefined || now >= retryAtMs || flushes.scope !== undefined
    const retrying = this.#views.refresh() || (due && retryAtMs !== undefined)
    this.#pendingRows = 0
    this.#pendingBytes = 0
    if (retrying) {
      this.#appends.retry()
      for (const drain of this.#drains) drain.retry()
    }
    try {
      if (due) await this.#lifts.liftDue(this.#claims.held)
      await this.#rounds.run(this.#wanted(flushes.scope, now), () => this.#loop.isRunning)
      flushes.settle(this.#appends.blocked.values(), (scope) => this.#inScope(scope))
      this.#note(retrying)
    } catch (error) {
      const fault = asTwinstoreError(error)
      flushes.fail(fault)
      this.#parts.onFault(fault)
    }
  }

  /** The claimed shards, or all. */
  #inScope(scope: FlushScope): readonly ShardDrain[] {
    return scope === 'all' ? this.#drains : this.#drains.filter(({ shard }) => this.#claims.held.has(shard))
  }

  /**
   * The shards to go over: claimed ones, those with rows that are waited for, and those of a flush. One that failed is
   * left out until its retry (at `nowMs`), unless a flush asks for it.
   */
  #wanted(flush: FlushScope | undefined, nowMs = Number.POSITIVE_INFINITY): readonly ShardDrain[] {
    const waited = new Set(this.#waiters.shards)
    const asked = new Set(flush === undefined ? [] : this.#inScope(flush))
    return this.#drains.filter((drain) => {
      if (asked.has(drain)) return true
      const own = this.#claims.held.has(drain.shard) || waited.has(drain.shard)
      return own && (drain.fault === undefined || nowMs >= drain.fault.retryAtMs)
    })
  }

  /** What keeps rows in the outbox and may pass. */
  #problems(): readonly TwinstoreError[] {
    const blocked = [...this.#appends.blocked.values()].filter((view) => view.retryHelps)
    const faults = this.#drains.flatMap(({ fault }) => (fault === undefined ? [] : [fault]))
    const own = [this.#lifts.error, this.#claims.error].filter((error) => error !== undefined)
    return [...blocked, ...faults].map(({ error }) => error).concat(own)
  }

  /** `tried`: whether the pass tried again what had failed before. */
  #note(tried: boolean): void {
    const views = [...this.#appends.blocked.values()]
    const failed = this.#lifts.error !== undefined || views.some((view) => view.retryHelps)
    this.#faults.note([...views.map(({ error }) => error), ...this.#problems()], failed, tried)
  }
}
