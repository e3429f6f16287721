/**
 * The fetch layer of the read path: keys from the online store, one read per key at a time, and all keys that requests
 * ask for within one turn of the event loop in as few batches as `batchKeysMax` allows, sent in parallel.
 *
 * A key's read is a flight. Requests join a flight while `row-cache.ts` allows; a FRESH request joins only one
 * that has not been sent, because a sent one may have read before a write that the request must see. A request that is
 * cancelled leaves its flights to the others. A batch the store does not answer within `timeoutMs` counts as failed, so
 * that a store which hangs cannot collect flights for ever.
 *
 * Bound: `pendingKeysMax` flights, then requests get RESOURCE_EXHAUSTED.
 */
import type { RowKey } from '../domain/entity-key.ts'
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import type { RowResult } from '../domain/outcome.ts'
import type { Clock } from '../lib/clock.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { type ReadOptions, type ReadRows, type RowSet, UNAVAILABLE_ROW } from './read-rows.ts'
import { type Fill, NO_ROW, type RowCache } from './row-cache.ts'
import type { OnFault } from './serving-fault.ts'

export interface FetchOptions {
  /** Keys of one `readMany` (option `fetch-batch-max`). */
  readonly batchKeysMax: number
  /** Keys being read or waiting to be (option `fetch-pending-max`). */
  readonly pendingKeysMax: number
  /** Milliseconds the store has to answer a batch (option `fetch-timeout`). */
  readonly timeoutMs: number
  /** Runs a function at the end of the event loop's turn; `setImmediate` unless a test orders events itself. */
  readonly defer?: (run: () => void) => void
}

export interface FetchCounts {
  batches: number
  fetchedKeys: number
  /** Keys that joined a flight instead of being read again. */
  joinedKeys: number
  unavailableKeys: number
}

interface Flight {
  readonly fill: Fill
  isSent: boolean
  isLanded: boolean
  readonly waiting: { readonly request: Waiting; readonly slot: number }[]
}

/** A request with keys in the air. */
interface Waiting {
  readonly rows: Buffer[]
  landing: number
  readonly done: () => void
}

export function fetchedRows(
  store: Pick<OnlineStore, 'readMany'>,
  cache: RowCache,
  clock: Pick<Clock, 'monotonicMs' | 'after'>,
  options: FetchOptions,
  counts: FetchCounts,
  onFault: OnFault,
): ReadRows {
  const flights = new Map<RowKey, Flight>()
  const defer = options.defer ?? ((run) => void setImmediate(run))
  let queue: Flight[] = []
  let pending = 0

  function flightOf(key: RowKey, isFresh: boolean, nowMs: number): Flight {
    const joinable = flights.get(key)
    if (joinable !== undefined && cache.isJoinable(joinable.fill, nowMs) && !(isFresh && joinable.isSent)) {
      counts.joinedKeys++
      return joinable
    }
    const flight: Flight = { fill: cache.beginFill(key, nowMs), isSent: false, isLanded: false, waiting: [] }
    flights.set(key, flight)
    pending++
    if (queue.push(flight) === 1) defer(sendQueue)
    return flight
  }

  function sendQueue(): void {
    const sending = queue
    queue = []
    for (let at = 0; at < sending.length; at += options.batchKeysMax) {
      void send(sending.slice(at, at + options.batchKeysMax))
    }
  }

  async function send(batch: readonly Flight[]): Promise<void> {
    const abort = new AbortController()
    const timer = clock.after(options.timeoutMs, () => {
      const error = new TwinstoreError('DEADLINE_EXCEEDED', `no answer within ${options.timeoutMs} ms (fetch-timeout)`)
      failBatch(batch, error)
      abort.abort(error)
    })
    counts.batches++
    counts.fetchedKeys += batch.length
    for (const flight of batch) flight.isSent = true
    try {
      const results = await store.readMany(
        batch.map((flight) => flight.fill.key),
        { signal: abort.signal },
      )
      for (const [index, flight] of batch.entries()) landResult(flight, results[index])
    } catch (error) {
      failBatch(batch, asTwinstoreError(error))
    } finally {
      timer.cancel()
    }
  }

  function failBatch(batch: readonly Flight[], error: TwinstoreError): void {
    const flying = batch.filter((flight) => !flight.isLanded)
    if (flying.length === 0) return
    onFault({ kind: 'fetch', keyCount: flying.length, error })
    for (const flight of flying) land(flight, undefined)
  }

  function landResult(flight: Flight, result: RowResult | undefined): void {
    if (flight.isLanded) return
    if (result instanceof TwinstoreError) onFault({ kind: 'row', key: flight.fill.key, error: result })
    land(flight, result === undefined || result instanceof TwinstoreError ? undefined : (result ?? NO_ROW))
  }

  function land(flight: Flight, row: Buffer | undefined): void {
    flight.isLanded = true
    pending--
    if (flights.get(flight.fill.key) === flight) flights.delete(flight.fill.key)
    cache.endFill(flight.fill, row)
    if (row === undefined) counts.unavailableKeys++
    for (const { request, slot } of flight.waiting) {
      request.rows[slot] = row ?? UNAVAILABLE_ROW
      if (--request.landing === 0) request.done()
    }
  }

  return (keys, { isFresh, signal }) => {
    if (signal?.aborted) throw abortError(signal)
    if (keys.length === 0) return { rows: [] }
    if (pending + keys.length > options.pendingKeysMax) {
      throw new TwinstoreError(
        'RESOURCE_EXHAUSTED',
        `${pending} keys are being read from the online store and ${keys.length} more would pass fetch-pending-max ` +
          `(${options.pendingKeysMax}); retry later`,
      )
    }
    const nowMs = clock.monotonicMs()
    return landed(keys, signal, (request) => {
      for (const [slot, key] of keys.entries()) flightOf(key, isFresh, nowMs).waiting.push({ request, slot })
    })
  }
}

/** Resolves once `board` has put the request on its flights and all have landed; rejects as soon as the signal aborts. */
function landed(
  keys: readonly RowKey[],
  signal: ReadOptions['signal'],
  board: (request: Waiting) => void,
): Promise<RowSet> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      signal?.removeEventListener('abort', onAbort)
      reject(abortError(signal!))
    }
    const rows = new Array<Buffer>(keys.length).fill(NO_ROW)
    const done = (): void => {
      signal?.removeEventListener('abort', onAbort)
      resolve({ rows })
    }
    signal?.addEventListener('abort', onAbort)
    board({ rows, landing: keys.length, done })
  })
}

/** The edge gives its own reason; a plain `AbortSignal.timeout` and `abort()` are understood too. */
function abortError(signal: AbortSignal): TwinstoreError {
  const reason: unknown = signal.reason
  if (reason instanceof TwinstoreError) return reason
  return reason instanceof DOMException && reason.name === 'TimeoutError'
    ? new TwinstoreError('DEADLINE_EXCEEDED', 'the deadline passed before the online store answered', { cause: reason })
    : new TwinstoreError('CANCELLED', 'the request was cancelled', { cause: reason })
}
