/**
 * Sends queued flights: one batch per shard, all at once, with one deadline; and asks a replica too for those that the
 * primary leaves waiting (a hedge).
 *
 * A batch is answered by the primary, or by the timeout, or by the failure of both: a primary that fails at once, because it
 * has been given up, is followed by a hedge at once. What a replica answers goes to those
 * who wait and nowhere else: it may be older than an invalidation that has come and gone, so it never fills L1; the
 * primary's answer does, when it comes. Not hedged is
 * - a key a FRESH request waits for;
 * - a key that changed within `replicaLagMaxMs`, by a write of this instance or by what it heard: the replica may not have
 *   the change. A reader who comes after a change does not join an older flight (`row-cache.ts`), so the look at the
 *   time of the hedge is enough. With a replica that lags more than that, G3 is kept for FRESH reads only;
 * and a hedge's row is not used where L1 has a newer one, however expired.
 *
 * With `readFrom: 'replica'` the same rule decides which keys of CACHED requests go to a replica in the first place. Their
 * rows do fill L1, older by that lag than they are: tracking is on the replicas then, and the replica's own invalidation
 * comes after its row. They are not hedged.
 */
import { setMaxListeners } from 'node:events'
import type { RowKey, Shard } from '../domain/entity-key.ts'
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import type { RowResult } from '../domain/outcome.ts'
import type { Clock } from '../lib/clock.ts'
import type { OnlineStore } from '../online/online-store.ts'
import type { Flight } from './flight.ts'
import { createHedgeBudget } from './hedge-budget.ts'
import type { RecentChanges } from './recent-changes.ts'
import { shardBatches } from './shard-batches.ts'

export interface SendOptions {
  /** Keys of one `readMany` (option `fetch-batch-max`). */
  readonly batchKeysMax: number
  /** Milliseconds the store has to answer a batch (option `fetch-timeout`). */
  readonly timeoutMs: number
  /** Milliseconds after which a replica is asked too; 0: never (option `hedge-after`). */
  readonly hedgeAfterMs: number
  /** Hedges to a hundred batches (option `hedge-budget`). */
  readonly hedgeBudgetPercent: number
  /** Who answers CACHED requests (option `redis-read-from`). */
  readonly readFrom: 'primary' | 'replica'
  /** Milliseconds by which a replica may lag behind its primary (option `replica-lag-max`). */
  readonly replicaLagMaxMs: number
}

export interface SendCounts {
  batches: number
  fetchedKeys: number
  hedges: number
  /** Keys that a replica answered before the primary did. */
  hedgedKeys: number
}

/** What becomes of flights, told to those who keep them. */
export interface Landing {
  /** The store's answer, or the row's own fault, or undefined for a fault already reported. A flight lands once. */
  landed(flight: Flight, result: RowResult | undefined): void
  /** A replica's answer; whether it was of use. */
  hedged(flight: Flight, row: Buffer | null): boolean
  failed(keyCount: number, error: TwinstoreError): void
}

/** Turns of the event loop whose reads are under way at a time, and then some. */
const SPARE_CONTROLLERS_MAX = 16

interface Batch {
  readonly departure: Departure
  readonly shard: Shard
  readonly flights: readonly Flight[]
  readonly mayLag: boolean
  isDone: boolean
  isHedging: boolean
  hasFailed: boolean
}

/** All batches of one turn of the event loop: they left together, so they share what times them. */
interface Departure {
  readonly abort: AbortController
  readonly batches: Batch[]
  readonly timers: { cancel(): void }[]
  flying: number
}

export function flightSender(
  store: Pick<OnlineStore, 'readMany' | 'shardCount'>,
  clock: Pick<Clock, 'monotonicMs' | 'after'>,
  recent: RecentChanges,
  options: SendOptions,
  counts: SendCounts,
  landing: Landing,
): (flights: readonly Flight[]) => void {
  const budget = createHedgeBudget(options.hedgeBudgetPercent)
  const canHedge = options.hedgeAfterMs > 0 && options.hedgeBudgetPercent > 0
  /** Of departures that ended without aborting anything: making one is a tenth of what the miss of a single row costs. */
  const spare: AbortController[] = []

  function send(flights: readonly Flight[]): void {
    const departure: Departure = { abort: spare.pop() ?? newController(), batches: [], timers: [], flying: 0 }
    if (options.readFrom === 'primary') board(departure, flights, false)
    else {
      const nowMs = clock.monotonicMs()
      const mayLag = (flight: Flight): boolean => !flight.isFresh && !recent.isRecent(flight.key, nowMs)
      board(departure, flights.filter(mayLag), true)
      board(
        departure,
        flights.filter((flight) => !mayLag(flight)),
        false,
      )
    }
    departure.timers.push(clock.after(options.timeoutMs, () => timeOut(departure)))
    if (canHedge) departure.timers.push(clock.after(options.hedgeAfterMs, () => hedgeLate(departure)))
    for (const batch of departure.batches) ask(batch)
  }

  function board(departure: Departure, flights: readonly Flight[], mayLag: boolean): void {
    if (flights.length === 0) return
    for (const flight of flights) {
      flight.isSent = true
      flight.lagMs = mayLag ? options.replicaLagMaxMs : 0
    }
    for (const part of shardBatches(flights, store.shardCount, options.batchKeysMax)) {
      departure.batches.push({ departure, ...part, mayLag, isDone: false, isHedging: false, hasFailed: false })
      departure.flying++
      counts.batches++
      budget.earn()
    }
    counts.fetchedKeys += flights.length
  }

  function ask(batch: Batch): void {
    const { flights, shard, mayLag, departure } = batch
    const failed = (error: unknown): void => {
      if (!batch.isDone) fail(batch, flights.length, asTwinstoreError(error))
    }
    store.readMany(keysOf(flights), { signal: departure.abort.signal, mayLag, shard }).then((results) => {
      try {
        if (!batch.isDone) land(batch, results)
      } catch (error) {
        failed(error)
      }
    }, failed)
  }

  function land(batch: Batch, results: readonly RowResult[]): void {
    let failedKeys = 0
    let failure: TwinstoreError | undefined
    for (let index = 0; index < batch.flights.length; index++) {
      const result = results[index]
      if (result instanceof TwinstoreError && result.code !== 'DATA_LOSS') {
        failedKeys++
        failure = result
      } else landing.landed(batch.flights[index]!, result)
    }
    if (failure === undefined) end(batch)
    else fail(batch, failedKeys, failure)
  }

  /** The primary will not answer what has not landed. */
  function fail(batch: Batch, keyCount: number, error: TwinstoreError): void {
    landing.failed(keyCount, error)
    batch.hasFailed = true
    if (canHedge && !batch.isHedging) hedge(batch)
    if (!batch.isHedging) giveUp(batch)
  }

  function hedgeLate({ batches }: Departure): void {
    for (const batch of batches) if (!batch.isDone && !batch.isHedging) hedge(batch)
  }

  /** Asks a replica for the keys of the batch that it may answer, if there are any and the budget allows. */
  function hedge(batch: Batch): void {
    if (batch.mayLag) return
    const nowMs = clock.monotonicMs()
    const mayHedge = (flight: Flight): boolean => !flight.isFresh && !flight.isAnswered && flight.hedgeRow === undefined
    const flights = batch.flights.filter((flight) => mayHedge(flight) && !recent.isRecent(flight.key, nowMs))
    if (flights.length === 0 || !budget.spend()) return
    counts.hedges++
    batch.isHedging = true
    void askReplica(batch, flights)
  }

  async function askReplica(batch: Batch, flights: readonly Flight[]): Promise<void> {
    try {
      const { signal } = batch.departure.abort
      const results = await store.readMany(keysOf(flights), { signal, mayLag: true, shard: batch.shard })
      if (batch.isDone) return
      for (let index = 0; index < flights.length; index++) {
        const row = results[index]
        if (row === undefined || row instanceof TwinstoreError) continue
        if (landing.hedged(flights[index]!, row)) counts.hedgedKeys++
      }
    } catch {
      // The primary decides, and its failure is reported.
    }
    batch.isHedging = false
    if (batch.hasFailed && !batch.isDone) giveUp(batch)
  }

  function timeOut({ batches, abort }: Departure): void {
    const error = new TwinstoreError('DEADLINE_EXCEEDED', `no answer within ${options.timeoutMs} ms (fetch-timeout)`)
    const late = batches.filter((batch) => !batch.isDone)
    const keyCount = late.reduce((sum, batch) => sum + (batch.hasFailed ? 0 : batch.flights.length), 0)
    if (keyCount > 0) landing.failed(keyCount, error)
    // Before they end, which is when the controller would be kept for others.
    abort.abort(error)
    for (const batch of late) giveUp(batch)
  }

  function giveUp(batch: Batch): void {
    for (const flight of batch.flights) landing.landed(flight, undefined)
    end(batch)
  }

  function end(batch: Batch): void {
    const { departure } = batch
    batch.isDone = true
    if (--departure.flying > 0) return
    for (const timer of departure.timers) timer.cancel()
    if (departure.batches.some((each) => each.isHedging)) {
      departure.abort.abort(new TwinstoreError('CANCELLED', 'the primary answered first'))
    } else if (!departure.abort.signal.aborted && spare.length < SPARE_CONTROLLERS_MAX) spare.push(departure.abort)
  }

  return send
}

function newController(): AbortController {
  const controller = new AbortController()
  // One listener for each batch of the turn and more in the store is no leak, which is what Node would warn of.
  setMaxListeners(0, controller.signal)
  return controller
}

function keysOf(flights: readonly Flight[]): RowKey[] {
  const keys = new Array<RowKey>(flights.length)
  for (let index = 0; index < flights.length; index++) keys[index] = flights[index]!.key
  return keys
}
