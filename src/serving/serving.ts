/**
 * The read path, `GetFeaturesRequest` bytes to `GetFeaturesResponse` bytes: head, plan, columns, keys, rows, assembly.
 *
 * A request whose rows are all in L1 runs through without a promise, an object per value or a decoded value, except for the inputs
 * of on-demand views. Its cost is that of looking keys up and copying bytes. Everything else about a request waits in
 * one place, the fetch of the missing rows.
 */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import type { RowKey } from '../domain/entity-key.ts'
import { TwinstoreError } from '../domain/errors.ts'
import type { Clock } from '../lib/clock.ts'
import { WireError } from '../lib/wire.ts'
import type { OnlineStore } from '../online/online-store.ts'
import type { Answer } from './answer.ts'
import { assembleTensor } from './assemble-tensor.ts'
import { assembleValues } from './assemble-values.ts'
import { type CacheCounts, cachedRows } from './cached-rows.ts'
import { type EntityColumns, readEntityColumns } from './entity-columns.ts'
import { endOfTurn, type FetchCounts, type FetchOptions, fetchedRows } from './fetched-rows.ts'
import type { Flight } from './flight.ts'
import { KnownKeys } from './known-keys.ts'
import type { ServingLimits } from './limits.ts'
import { type LookUpCounts, type LookUpOptions, NO_LOOK_UPS, offlineLookUps } from './look-ups.ts'
import { onDemandResult } from './on-demand-results.ts'
import type { Plan } from './plan.ts'
import { createPlanCache } from './plan-cache.ts'
import type { RowSet } from './read-rows.ts'
import { createRecentChanges, NO_RECENT_CHANGES } from './recent-changes.ts'
import { type RequestHead, readRequestHead } from './request-head.ts'
import { createRowCache, type RowCacheOptions } from './row-cache.ts'
import { rowKeys } from './row-keys.ts'
import { rowStates } from './row-state.ts'
import type { OnFault } from './serving-fault.ts'
import type { Caller, ServingService } from './serving-service.ts'

export interface ServingOptions {
  readonly definitions: DefinitionsSource
  readonly store: Pick<OnlineStore, 'readMany' | 'shardCount'>
  /** How rows are looked for that the online store does not have; undefined: not at all. */
  readonly lookUps?: LookUpOptions
  readonly clock: Clock
  readonly cache: RowCacheOptions
  readonly fetch: FetchOptions
  readonly limits: ServingLimits
  /** Estimated bytes of plans kept (option `plan-cache-bytes`). */
  readonly planCacheBytes: number
  readonly onFault: OnFault
}

export interface ServingStats extends Readonly<CacheCounts>, Readonly<FetchCounts>, Readonly<LookUpCounts> {
  /** Rows that L1 was told of as changed. */
  readonly invalidations: number
  readonly cacheEntries: number
  readonly cacheBytes: number
}

export interface Serving extends ServingService {
  /** A write through this instance was accepted and `row` is the online value, with its position in it. */
  applied(key: RowKey, row: Buffer): void
  /** The listener for `OnlineStore.watch`. */
  invalidate(changed: readonly RowKey[] | 'all'): void
  stats(): ServingStats
}

export function createServing(options: ServingOptions): Serving {
  const { clock, limits, onFault } = options
  const cache = createRowCache<Flight>(options.cache)
  const cacheCounts: CacheCounts = { hits: 0, misses: 0, staleServed: 0 }
  const fetchCounts: FetchCounts = {
    batches: 0,
    fetchedKeys: 0,
    joinedKeys: 0,
    unavailableKeys: 0,
    hedges: 0,
    hedgedKeys: 0,
  }
  const asksReplicas = options.fetch.hedgeAfterMs > 0 || options.fetch.readFrom === 'replica'
  const recent = asksReplicas ? createRecentChanges(options.fetch.replicaLagMaxMs) : NO_RECENT_CHANGES
  const lookUpCounts: LookUpCounts = { lookUps: 0, lookedUpKeys: 0, foundKeys: 0, refusedKeys: 0, failedKeys: 0 }
  const { defer = endOfTurn } = options.fetch
  const lookUps =
    options.lookUps === undefined
      ? NO_LOOK_UPS
      : offlineLookUps(options.definitions, clock, options.lookUps, lookUpCounts, onFault, defer)
  const fetched = fetchedRows(options.store, cache, recent, clock, lookUps, options.fetch, fetchCounts, onFault)
  const readRows = cachedRows(cache, clock, cacheCounts, fetched)
  let invalidations = 0
  const planOf = createPlanCache(options.definitions, {
    bytesMax: options.planCacheBytes,
    featuresMax: limits.featuresMax,
  })

  const knownKeys = new KnownKeys()

  function serve(request: Buffer, caller: Caller | undefined): Buffer | Promise<Buffer> {
    const nowMicros = clock.nowMicros()
    const head = readRequestHead(request)
    const plan = planOf(head.selection)
    if (head.isTensor && 'problem' in plan.tensor) throw new TwinstoreError('INVALID_ARGUMENT', plan.tensor.problem)
    const columns = readEntityColumns(head, plan, limits.entitiesMax)
    const keys = rowKeys(plan, columns, limits.entityKeyBytesMax, knownKeys)
    const rows = readRows(keys, { isFresh: head.isFresh, caller })
    const finish = (rowSet: RowSet): Buffer => assemble(head, plan, columns, rowSet, nowMicros, caller)
    return rows instanceof Promise ? rows.then(finish) : finish(rows)
  }

  function assemble(
    head: RequestHead,
    plan: Plan,
    columns: EntityColumns,
    rowSet: RowSet,
    nowMicros: number,
    caller: Caller | undefined,
  ): Buffer {
    const states = rowStates(plan, rowSet, nowMicros)
    const onDemand = plan.onDemand.map((view) => onDemandResult(plan, view, columns, rowSet, states, onFault))
    const { responseBytesMax } = limits
    const answer: Answer = { plan, columns, rowSet, states, onDemand, responseBytesMax, caller }
    const { layout } = plan
    const isKnown = head.knownLow === layout.idLow && head.knownHigh === layout.idHigh
    const begin = isKnown ? layout.knownHead : layout.fullHead
    return head.isTensor && !('problem' in plan.tensor)
      ? assembleTensor(answer, plan.tensor, begin)
      : assembleValues(answer, begin)
  }

  return {
    getFeatures(request, caller) {
      if (request.length > limits.requestBytesMax) {
        const problem = `the request has ${request.length} bytes, at most ${limits.requestBytesMax} (request-bytes-max)`
        throw new TwinstoreError('INVALID_ARGUMENT', problem)
      }
      try {
        return serve(request, caller)
      } catch (error) {
        if (!(error instanceof WireError)) throw error
        throw new TwinstoreError('INVALID_ARGUMENT', `not a GetFeaturesRequest: ${error.message}`, { cause: error })
      }
    },
    applied(key, row) {
      const nowMs = clock.monotonicMs()
      recent.note(key, nowMs)
      cache.applied(key, row, nowMs)
    },
    invalidate(changed) {
      // `all` says that changes may have been missed, not that there were any: it ends L1's entries, not the reading from replicas.
      if (changed !== 'all') {
        invalidations += changed.length
        const nowMs = clock.monotonicMs()
        for (const key of changed) recent.note(key, nowMs)
      }
      cache.invalidate(changed)
    },
    stats() {
      const size = cache.size()
      return {
        ...cacheCounts,
        ...fetchCounts,
        ...lookUpCounts,
        invalidations,
        cacheEntries: size.entries,
        cacheBytes: size.bytes,
      }
    },
  }
}
