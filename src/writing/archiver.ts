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
import { backoffMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { waitFor } from './abort.ts'
import { ArchiveRounds, type RoundLimits } from './archive-rounds.ts'
import { type ArchivedRow, ArchiveWaiters, type FlushScope } from './archive-waiters.ts'
import { liftPositions } from './position-floors.ts'
import { ShardClaims } from './shard-claims.ts'
import { ShardDrain } from './shard-drain.ts'
import { type BlockedView, type SetAsideRow, ViewAppends } from './view-appends.ts'
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

export interface ArchiverStatus {
  /** Attempts that failed since one succeeded, of what has failed most often. */
  readonly failures: number
  /** Why the outbox cannot be emptied, if it cannot. */
  readonly error?: string
  /** Views whose rows stay in the outbox. */
  readonly blocked: readonly BlockedView[]
  /** Shards whose outbox does not answer. */
  readonly unreachable: readonly { readonly shard: Shard; readonly error: TwinstoreError }[]
  /** Rows that could not be read and were set aside since the start. */
  readonly rowsSetAside: number
}

export interface Archiver {
  /**
   * Lifts the online store's positions above those the offline store knows, claims shards and begins to work. Rejects
   * when either store cannot say how far it is, because a position given twice would make an append drop the row that
   * has it.
   */
  start(): Promise<void>
  /** Tells that rows were acknowledged, so that a full batch need not wait for the interval. */
  accepted(rows: number, bytes: number): void
  /**
   * Resolves when the row is committed offline, by whichever instance; waits through faults until the signal aborts
   * (`message` is the error's).
   */
  archived(row: ArchivedRow, signal: AbortSignal | undefined, message: string): Promise<void>
  /**
   * Everything acknowledged before the call, by whichever instance, is committed offline when it resolves. Rejects with
   * UNAVAILABLE as soon as an attempt has failed, and when the signal aborts. `storageIds` narrows what may make it fail
   * to these views, and to shards that do not answer.
   */
  flush(signal?: AbortSignal, storageIds?: readonly string[]): Promise<void>
  status(): ArchiverStatus
  /** Whether this instance has claimed the shard. Another one may have by now. */
  holds(shard: Shard): boolean
  /**
   * A last flush of the claimed shards, for at most so long, then no more passes and no more claims. False if rows may be
   * left in their outbox, for other instances or the next start.
   */
  stop(deadlineMs: number): Promise<boolean>
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
  /** Messages of faults that were told and are still there. */
  #told = new Set<string>()
  /** Claimed shards whose positions are still to be lifted. */
  readonly #unlifted = new Set<Shard>()
  #state: 'new' | 'running' | 'stopped' = 'new'
  #timer: { cancel(): void } | undefined
  #unwatch = (): void => {}
  #passing = false
  #passWanted = false
  #pendingRows = 0
  #pendingBytes = 0
  #rowsSetAside = 0
  /** Of blocked views and of positions that cannot be lifted: what the offline store is at fault for. */
  #failures = 0
  #retryAtMs = 0
  #liftError: TwinstoreError | undefined

  constructor(parts: ArchiverParts) {
    this.#parts = parts
    const { online, offline, clock, owner, limits } = parts
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
    const tellTailLost = (shard: Shard) => this.#tellTailLost(shard)
    this.#rounds = new ArchiveRounds({ ...parts, appends: this.#appends, waiters: this.#waiters, tellTailLost })
    const onClaimed = (gained: readonly Shard[]) => this.#claimed(gained)
    this.#claims = new ShardClaims({ online, clock, owner, leaseMs: limits.leaseMs, onClaimed })
  }

  async start(): Promise<void> {
    this.#views.refresh()
    await this.#lift(this.#drains.map(({ shard }) => shard))
    await this.#claims.start()
    this.#unlifted.clear()
    this.#unwatch = this.#parts.online.watch((changed) => {
      // Perhaps a shard has another primary, which may lack the end of the old one's writes.
      if (changed === 'all') for (const drain of this.#drains) drain.suspectTail()
    })
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
    // What failed has its next chance at the retry; waking for it would only hammer a store that is down.
    const failed = this.#appends.blocked.has(row.storageId) || drain.fault !== undefined
    if (failed) this.#arm()
    else this.#wake()
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
      failures: Math.max(this.#failures, ...this.#drains.map((drain) => drain.fault?.failures ?? 0)),
      ...(problem === undefined ? {} : { error: problem.message }),
      blocked: [...this.#appends.blocked.values()],
      unreachable,
      rowsSetAside: this.#rowsSetAside,
    }
  }

  holds(shard: Shard): boolean {
    return this.#state === 'running' && this.#claims.held.has(shard)
  }

  async stop(deadlineMs: number): Promise<boolean> {
    if (this.#state !== 'running') return false
    const deadline = new AbortController()
    const timer = this.#parts.clock.after(deadlineMs, () => deadline.abort())
    this.#claims.stop()
    const drained = await this.#flush('claimed', deadline.signal).then(
      () => true,
      () => false,
    )
    this.#state = 'stopped'
    this.#unwatch()
    this.#timer?.cancel()
    this.#waiters.flushes().fail(new TwinstoreError('UNAVAILABLE', 'the archiver has stopped'))
    // A claim that cannot be given up ends by itself.
    const released = this.#claims.release().catch(() => undefined)
    await waitFor(released, deadline.signal, 'the claims were not given up in time').catch(() => undefined)
    timer.cancel()
    return drained
  }

  #flush(scope: FlushScope, signal?: AbortSignal, storageIds?: readonly string[]): Promise<void> {
    if (this.#state !== 'running') throw new TwinstoreError('UNAVAILABLE', 'the archiver is not running')
    const wait = this.#waiters.forFlush(scope, storageIds)
    this.#wake()
    const late = 'the rows accepted online were not all committed offline in time'
    return waitFor(wait.done, signal, late).finally(wait.forget)
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
    this.#arm()
  }

  /** Sets the timer for what is due next: the interval, or something to be tried again before it. */
  #arm(): void {
    if (this.#passing || this.#state !== 'running') return
    const { clock, limits } = this.#parts
    const now = clock.monotonicMs()
    const retries = this.#wanted(undefined).flatMap(({ fault }) => (fault === undefined ? [] : [fault.retryAtMs]))
    if (this.#failures > 0) retries.push(this.#retryAtMs)
    const delayMs = Math.min(limits.intervalMs, ...retries.map((atMs) => Math.max(0, atMs - now)))
    this.#timer?.cancel()
    this.#timer = clock.after(delayMs, () => this.#wake())
  }

  /** Shards just claimed: what was known of them is old, and their rows have waited for somebody to take them. */
  #claimed(gained: readonly Shard[]): void {
    for (const shard of gained) {
      this.#drains[shard]!.reset()
      this.#unlifted.add(shard)
    }
    if (gained.length > 0) this.#wake()
  }

  async #pass(): Promise<void> {
    const flushes = this.#waiters.flushes()
    const now = this.#parts.clock.monotonicMs()
    const due = this.#failures === 0 || now >= this.#retryAtMs || flushes.scope !== undefined
    const retrying = this.#views.refresh() || (due && this.#failures > 0)
    this.#pendingRows = 0
    this.#pendingBytes = 0
    if (retrying) {
      this.#appends.retry()
      for (const drain of this.#drains) drain.retry()
    }
    try {
      if (due) await this.#liftClaimed()
      await this.#rounds.run(this.#wanted(flushes.scope, now), () => this.#state === 'running')
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

  async #liftClaimed(): Promise<void> {
    const shards = [...this.#unlifted].filter((shard) => this.#claims.held.has(shard))
    this.#unlifted.clear()
    this.#liftError = undefined
    if (shards.length === 0) return
    try {
      await this.#lift(shards)
    } catch (error) {
      // The rows of the shard can be archived all the same.
      for (const shard of shards) this.#unlifted.add(shard)
      this.#liftError = asTwinstoreError(error)
    }
  }

  async #lift(shards: readonly Shard[]): Promise<void> {
    const { online, offline, definitions, limits } = this.#parts
    const views = [...definitions.current.registry.views.values()]
    for (const shard of await liftPositions({ online, offline, ...limits }, views, shards)) this.#tellTailLost(shard)
  }

  #tellTailLost(shard: Shard): void {
    this.#parts.onFault(tailLostFault(shard))
    this.#parts.onTailLost(shard)
  }

  /** What keeps rows in the outbox and may pass. */
  #problems(): readonly TwinstoreError[] {
    const blocked = [...this.#appends.blocked.values()].filter((view) => view.retryHelps)
    const faults = this.#drains.flatMap(({ fault }) => (fault === undefined ? [] : [fault]))
    const own = [this.#liftError, this.#claims.error].filter((error) => error !== undefined)
    return [...blocked, ...faults].map(({ error }) => error).concat(own)
  }

  /** Records how a pass went; a pass that left alone what is blocked says nothing new of it. */
  #note(tried: boolean): void {
    const { clock, limits, random, onFault } = this.#parts
    const views = [...this.#appends.blocked.values()]
    const faults = new Map(
      [...views.map(({ error }) => error), ...this.#problems()].map((fault) => [fault.message, fault]),
    )
    for (const [message, fault] of faults) if (!this.#told.has(message)) onFault(fault)
    this.#told = new Set(faults.keys())
    if (this.#liftError === undefined && !views.some((view) => view.retryHelps)) this.#failures = 0
    else if (tried || this.#failures === 0) {
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

function tailLostFault(shard: Shard): TwinstoreError {
  return new TwinstoreError(
    'DATA_LOSS',
    `the online store lost the end of the writes of shard ${shard} (a failover to a replica that lagged, or a copy restored): ` +
      'rows that were archived are brought back from the offline store; acknowledged rows that were not archived yet are lost (see redis-wait-replicas)',
  )
}
