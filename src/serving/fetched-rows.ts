/**
 * The fetch layer of the read path: keys from the online store, one read per key at a time, and all keys that requests
 * ask for within one turn of the event loop in one batch per shard, sent in parallel (`send-flights.ts`).
 *
 * A key's read is a flight. Requests join a flight while `row-cache.ts` allows; a FRESH request joins only one
 * that has not been sent, because a sent one may have read before a write that the request must see. A request that is
 * cancelled leaves its flights to the others. A request waits for its own keys only: one whose shards all answer is not
 * held up by one that hangs, and one that needs the hanging shard has its other slots, and UNAVAILABLE in these, after
 * `timeoutMs`. When its own deadline is shorter it gets DEADLINE_EXCEEDED instead and nothing: `fetch-timeout` belongs below the
 * deadlines of clients.
 *
 * A key that the online store does not have may be looked up in the history (`look-ups.ts`) before its flight lands. The flight
 * waits for that and no other does.
 *
 * Bound: `pendingKeysMax` flights, then requests get RESOURCE_EXHAUSTED.
 */
import { abortError } from '../domain/aborted.ts'
import type { RowKey } from '../domain/entity-key.ts'
import { TwinstoreError } from '../domain/errors.ts'
import type { RowResult } from '../domain/outcome.ts'
import type { Clock } from '../lib/clock.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { type Flight, fillSlot, type Passenger, vacate } from './flight.ts'
import { type LookUps, RETRY_AFTER_MS } from './look-ups.ts'
import { type ReadRows, type RowSet, UNAVAILABLE_ROW } from './read-rows.ts'
import type { RecentChanges } from './recent-changes.ts'
import { NO_ROW, type RowCache } from './row-cache.ts'
import { flightSender, type SendCounts, type SendOptions } from './send-flights.ts'
import type { OnFault } from './serving-fault.ts'
import type { Caller } from './serving-service.ts'

export interface FetchOptions extends SendOptions {
  /** Keys being read or waiting to be (option `fetch-pending-max`). */
  readonly pendingKeysMax: number
  /** Runs a function at the end of the event loop's turn; `setImmediate` unless a test orders events itself. */
  readonly defer?: (run: () => void) => void
}

export interface FetchCounts extends SendCounts {
  /** Keys that joined a flight instead of being read again. */
  joinedKeys: number
  unavailableKeys: number
}

const ABORTED = {
  late: 'the deadline passed before the online store answered',
  cancelled: 'the request was cancelled',
}

/** Runs a function at the end of the event loop's turn. */
export function endOfTurn(run: () => void): void {
  setImmediate(run)
}

export function fetchedRows(
  store: Pick<OnlineStore, 'readMany' | 'shardCount'>,
  cache: RowCache<Flight>,
  recent: RecentChanges,
  clock: Pick<Clock, 'monotonicMs' | 'after'>,
  lookUps: LookUps,
  options: FetchOptions,
  counts: FetchCounts,
  onFault: OnFault,
): ReadRows {
  const defer = options.defer ?? endOfTurn
  let queue: Flight[] = []
  let pending = 0

  const send = flightSender(store, clock, recent, options, counts, {
    landed: landResult,
    hedged: landHedge,
    failed: (keyCount, error) => onFault({ kind: 'fetch', keyCount, error }),
  })

  function flightOf(key: RowKey, isFresh: boolean, nowMs: number): Flight {
    const joinable = cache.joinable(key, nowMs)
    if (joinable !== undefined && !(isFresh && joinable.isSent)) {
      counts.joinedKeys++
      if (isFresh) joinable.isFresh = true
      return joinable
    }
    const flight: Flight = {
      key,
      beganAtMs: nowMs,
      generation: 0,
      isFresh,
      isSent: false,
      lagMs: 0,
      isAnswered: false,
      hedgeRow: undefined,
      seats: undefined,
    }
    cache.beginFill(flight)
    pending++
    if (queue.push(flight) === 1) defer(sendQueue)
    return flight
  }

  function sendQueue(): void {
    const sending = queue
    queue = []
    send(sending)
  }

  function landResult(flight: Flight, result: RowResult | undefined): void {
    if (flight.isAnswered) return
    flight.isAnswered = true
    if (result instanceof TwinstoreError) onFault({ kind: 'row', key: flight.key, error: result })
    if (result === null && lookUps.concerns(flight.key)) lookUp(flight)
    else land(flight, result === undefined || result instanceof TwinstoreError ? undefined : (result ?? NO_ROW))
  }

  function lookUp(flight: Flight): void {
    // What nobody could look up counts as older than it is, so that L1 keeps it for a moment only.
    const missed = (): void => land(flight, NO_ROW, Math.max(flight.lagMs, cache.ttlMs - RETRY_AFTER_MS))
    const isTaken = lookUps.take(flight, (row) => {
      if (row === undefined) missed()
      else land(flight, row ?? NO_ROW)
    })
    if (!isTaken) missed()
  }

  function land(flight: Flight, row: Buffer | undefined, lagMs = flight.lagMs): void {
    pending--
    cache.endFill(flight, row, lagMs)
    if (row === undefined && flight.hedgeRow === undefined) counts.unavailableKeys++
    vacate(flight, row ?? UNAVAILABLE_ROW)
  }

  /** The row is kept for those who join the flight later: they may, because the key has not changed since. */
  function landHedge(flight: Flight, row: Buffer | null): boolean {
    if (flight.isAnswered || cache.isOutrun(flight.key, row ?? NO_ROW)) return false
    if (row === null && lookUps.concerns(flight.key)) return false
    flight.hedgeRow = row ?? NO_ROW
    vacate(flight, flight.hedgeRow)
    return true
  }

  function board(request: Passenger, keys: readonly RowKey[], isFresh: boolean): void {
    // Whole, and so a little older than it is: what has a fraction is an object of its own in each flight and entry.
    const nowMs = Math.floor(clock.monotonicMs())
    for (let slot = 0; slot < keys.length; slot++) {
      const flight = flightOf(keys[slot]!, isFresh, nowMs)
      if (flight.hedgeRow === undefined) flight.seats = { request, slot, next: flight.seats }
      else fillSlot(request, slot, flight.hedgeRow)
    }
  }

  return (keys, { isFresh, caller }) => {
    if (keys.length === 0) return { rows: [] }
    if (pending + keys.length > options.pendingKeysMax) {
      const problem = `${pending} keys are being read from the online store and ${keys.length} more would pass fetch-pending-max`
      return Promise.reject(
        new TwinstoreError('RESOURCE_EXHAUSTED', `${problem} (${options.pendingKeysMax}); retry later`),
      )
    }
    return landed(keys.length, caller, (request) => board(request, keys, isFresh))
  }
}

/** Resolves once `board` has put the request on its flights and all have landed; rejects as soon as its caller is gone. */
function landed(keyCount: number, caller: Caller | undefined, board: (request: Passenger) => void): Promise<RowSet> {
  return new Promise((resolve, reject) => {
    refuseAborted(caller)
    let isGone = false
    const stopListening = whenAborted(caller, (reason) => {
      isGone = true
      reject(abortError({ reason }, ABORTED))
    })
    if (isGone) return
    const rows = new Array<Buffer>(keyCount).fill(NO_ROW)
    const done = (): void => {
      stopListening?.()
      resolve({ rows })
    }
    board({ rows, landing: keyCount, done })
  })
}

/** A caller that tells by itself begins nothing that is not wanted any more. */
function refuseAborted(caller: Caller | undefined): void {
  if (caller === undefined || caller.whenAborted !== undefined) return
  const { signal } = caller
  if (signal.aborted) throw abortError(signal, ABORTED)
}

/** What it returns ends the listening, where it has to be ended: a signal may be that of many requests. */
function whenAborted(caller: Caller | undefined, listener: (reason: unknown) => void): (() => void) | undefined {
  if (caller === undefined) return undefined
  if (caller.whenAborted !== undefined) {
    caller.whenAborted(listener)
    return undefined
  }
  const { signal } = caller
  const onAbort = (): void => {
    stop()
    listener(signal.reason)
  }
  const stop = (): void => signal.removeEventListener('abort', onAbort)
  signal.addEventListener('abort', onAbort)
  return stop
}
