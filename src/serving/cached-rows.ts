/**
 * The cache layer of the read path: rows from L1 where it has them, the rest from the layer below, in one call.
 *
 * A FRESH read passes by. It is not answered from an expired entry either when the store is down: who asks for FRESH
 * asked not to be given yesterday's row.
 */
import type { RowKey } from '../domain/entity-key.ts'
import type { Clock } from '../lib/clock.ts'
import { type ReadRows, type RowSet, UNAVAILABLE_ROW } from './read-rows.ts'
import { NO_ROW, type RowCache } from './row-cache.ts'

export interface CacheCounts {
  hits: number
  misses: number
  /** Slots answered from an expired entry because the store did not answer. */
  staleServed: number
}

export function cachedRows(
  cache: RowCache,
  clock: Pick<Clock, 'monotonicMs'>,
  counts: CacheCounts,
  next: ReadRows,
): ReadRows {
  return (keys, options) => {
    if (options.isFresh) return next(keys, options)
    const nowMs = clock.monotonicMs()
    const rows = new Array<Buffer>(keys.length)
    let missing: number[] | undefined
    for (let slot = 0; slot < keys.length; slot++) {
      const row = cache.get(keys[slot]!, nowMs)
      if (row === undefined) {
        rows[slot] = NO_ROW
        missing ??= []
        missing.push(slot)
      } else rows[slot] = row
    }
    counts.hits += keys.length - (missing?.length ?? 0)
    if (missing === undefined) return { rows }
    counts.misses += missing.length
    const fetched = next(keysAt(keys, missing), options)
    const fill = (found: RowSet): RowSet => fillMissing(keys, rows, missing, found)
    return fetched instanceof Promise ? fetched.then(fill) : fill(fetched)
  }

  /** Puts the rows that were `found` where they are missing, and what is second best where the store did not answer. */
  function fillMissing(keys: readonly RowKey[], rows: Buffer[], missing: readonly number[], found: RowSet): RowSet {
    let expired: Uint8Array | undefined
    for (let index = 0; index < missing.length; index++) {
      const slot = missing[index]!
      const row = found.rows[index]!
      const stale = row === UNAVAILABLE_ROW ? cache.getStale(keys[slot]!, clock.monotonicMs()) : undefined
      rows[slot] = stale ?? row
      if (stale === undefined) continue
      expired ??= new Uint8Array(keys.length)
      expired[slot] = 1
      counts.staleServed++
    }
    return expired === undefined ? { rows } : { rows, expired }
  }
}

function keysAt(keys: readonly RowKey[], slots: readonly number[]): RowKey[] {
  const some = new Array<RowKey>(slots.length)
  for (let index = 0; index < slots.length; index++) some[index] = keys[slots[index]!]!
  return some
}
