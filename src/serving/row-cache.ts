/**
 * L1: the rows this process read lately, by row key, missing rows among them.
 *
 * Coherence (G3) rests on three rules.
 * - A fill is bracketed by `beginFill` and `endFill`. An invalidation or an own write of the key in between makes the fill
 *   outdated: its row goes to those who waited for it, but is not kept.
 * - An entry's age counts from the beginning of its fill, the last moment at which its row was certainly the newest. So
 *   even if every invalidation is lost, nothing older than the TTL is served.
 * - `applied` replaces an entry, it never adds one. An own write whose acknowledgement is overtaken by the invalidation of
 *   another instance's newer write would otherwise put the older row back after the invalidation has gone by.
 *
 * Expired entries stay until they are evicted: while the store does not answer they are the second best (`getStale`). That
 * is also why `invalidate('all')`, which comes when a connection to the store was lost, raises a generation number
 * instead of clearing.
 *
 * A row and the fill of its key have one place in one map, because every row that is missed goes through each of these steps:
 * looked for, begun, filled, and evicted at last. With `lru-cache` and a second map of fills these were nine look-ups of a key
 * and a sixth of the time of a miss; a place has its links in itself and takes six (docs/decisions/025).
 *
 * Bound: `bytesMax` and `entriesMax`, the least recently used entry leaving first.
 */
import type { RowKey } from '../domain/entity-key.ts'
import { compareRowVersions } from '../domain/row-codec.ts'
import { type Linked, Recency } from './recency.ts'
import { createRowSlabs, type RowHolder } from './row-slabs.ts'

/** A row that does not exist. Like every absence among rows it is an empty buffer, so that rows have one type. */
export const NO_ROW: Buffer = Buffer.alloc(0)

export interface RowCacheOptions {
  /** Bytes of all entries with their keys and bookkeeping (option `cache-bytes`). */
  readonly bytesMax: number
  /** Entries (option `cache-entries`). */
  readonly entriesMax: number
  /** Age in milliseconds up to which an entry answers (option `cache-ttl`). */
  readonly ttlMs: number
  /** Age in milliseconds up to which an entry answers, flagged, while the store does not (option `cache-stale-if-error`). */
  readonly staleIfErrorMs: number
}

/** A read of one key that is under way. It is its reader's object; the cache says whether it still counts. */
export interface Fill {
  readonly key: RowKey
  readonly beganAtMs: number
  /** The cache's own, set when the fill begins. */
  generation: number
}

export interface RowCache<F extends Fill = Fill> {
  /** Age in milliseconds up to which an entry answers. */
  readonly ttlMs: number
  /** The row, `NO_ROW` if it is known not to exist, undefined if that is not known. */
  get(key: RowKey, nowMs: number): Buffer | undefined
  /** The same from an expired entry too, as long as it is not older than `staleIfErrorMs`. */
  getStale(key: RowKey, nowMs: number): Buffer | undefined
  /** A key has one current fill; a new one outdates the one before. */
  beginFill(fill: F): void
  /** The fill that a reader may still wait for instead of beginning its own: the current one, if it is not older than the TTL. */
  joinable(key: RowKey, nowMs: number): F | undefined
  /**
   * `row` is what the store answered, or undefined if it did not; it may have been outdated for `lagMs` when it was read. It
   * replaces a live entry unless that one is newer.
   */
  endFill(fill: F, row: Buffer | undefined, lagMs: number): void
  /** Whether L1 has a newer row of the key, in an entry of whatever age. */
  isOutrun(key: RowKey, row: Buffer): boolean
  /** A write of this instance was accepted: a reader from now on gets this row or a newer one. */
  applied(key: RowKey, row: Buffer, nowMs: number): void
  /** Rows changed somewhere: a reader from now on gets what the store holds. */
  invalidate(changed: readonly RowKey[] | 'all'): void
  size(): { readonly entries: number; readonly bytes: number }
}

/** A key's entry, its current fill, or both. */
interface Place<F> extends RowHolder, Linked<Place<F>> {
  readonly key: RowKey
  /** `NOT_KEPT` where there is only a fill. */
  row: Buffer
  beganAtMs: number
  generation: number
  fill: F | undefined
}

const NOT_KEPT: Buffer = Buffer.alloc(0)

/**
 * What an entry costs beyond its row's and key's bytes: measured on Node 20 over 600,000 rows of 100 bytes as 300 bytes of
 * heap (buffer, entry, string header, map and list slots) and 300 of resident memory outside it, per buffer.
 */
const ENTRY_OVERHEAD_BYTES = 600

export function createRowCache<F extends Fill = Fill>(options: RowCacheOptions): RowCache<F> {
  const slabs = createRowSlabs()
  const places = new Map<RowKey, Place<F>>()
  /** Those with an entry. */
  const used = new Recency<Place<F>>()
  let entries = 0
  let bytes = 0
  let generation = 0

  function entryOf(key: RowKey): Place<F> | undefined {
    const place = places.get(key)
    return place === undefined || place.row === NOT_KEPT ? undefined : place
  }

  function put(place: Place<F>, row: Buffer, beganAtMs: number): void {
    empty(place)
    const cost = entryBytes(place.key, row)
    if (cost > options.bytesMax) {
      remove(place)
      return
    }
    place.row = row
    place.beganAtMs = beganAtMs
    place.generation = generation
    slabs.adopt(place)
    used.add(place)
    entries++
    bytes += cost
    while (entries > options.entriesMax || bytes > options.bytesMax) remove(used.oldest!)
  }

  /** Takes the row out of the place. */
  function empty(place: Place<F>): void {
    if (place.row === NOT_KEPT) return
    entries--
    bytes -= entryBytes(place.key, place.row)
    used.remove(place)
    slabs.drop(place)
    place.row = NOT_KEPT
  }

  /** Removes the entry; a fill under way goes on. */
  function remove(place: Place<F>): void {
    empty(place)
    if (place.fill === undefined) places.delete(place.key)
  }

  function isLive(entry: Place<F>, nowMs: number): boolean {
    return entry.generation === generation && nowMs - entry.beganAtMs <= options.ttlMs
  }

  return {
    ttlMs: options.ttlMs,

    get(key, nowMs) {
      const entry = entryOf(key)
      if (entry === undefined) return undefined
      used.renew(entry)
      return isLive(entry, nowMs) ? entry.row : undefined
    },

    getStale(key, nowMs) {
      const entry = entryOf(key)
      return entry !== undefined && nowMs - entry.beganAtMs <= options.staleIfErrorMs ? entry.row : undefined
    },

    beginFill(fill) {
      fill.generation = generation
      const place = places.get(fill.key)
      if (place === undefined) places.set(fill.key, emptyPlace(fill))
      else place.fill = fill
    },

    joinable(key, nowMs) {
      const fill = places.get(key)?.fill
      return fill !== undefined && fill.generation === generation && nowMs - fill.beganAtMs <= options.ttlMs
        ? fill
        : undefined
    },

    endFill(fill, row, lagMs) {
      const place = places.get(fill.key)
      if (place?.fill !== fill) return
      place.fill = undefined
      const isCurrent = row !== undefined && fill.generation === generation
      const isOutrun = place.row !== NOT_KEPT && isLive(place, fill.beganAtMs) && isNewer(place.row, row ?? NO_ROW)
      if (isCurrent && !isOutrun) put(place, row, fill.beganAtMs - lagMs)
      else if (place.row === NOT_KEPT) remove(place)
    },

    isOutrun(key, row) {
      const entry = entryOf(key)
      return entry !== undefined && isNewer(entry.row, row)
    },

    applied(key, row, nowMs) {
      const place = places.get(key)
      if (place === undefined) return
      place.fill = undefined
      if (place.row === NOT_KEPT || !isLive(place, nowMs)) remove(place)
      else if (isNewer(row, place.row)) put(place, row, place.beganAtMs)
    },

    invalidate(changed) {
      if (changed === 'all') {
        generation++
        return
      }
      for (const key of changed) {
        const place = places.get(key)
        if (place === undefined) continue
        place.fill = undefined
        remove(place)
      }
    },

    size: () => ({ entries, bytes }),
  }
}

function emptyPlace<F extends Fill>(fill: F): Place<F> {
  return {
    key: fill.key,
    row: NOT_KEPT,
    slab: undefined,
    beganAtMs: 0,
    generation: 0,
    fill,
    older: undefined,
    newer: undefined,
  }
}

function entryBytes(key: RowKey, row: Buffer): number {
  return row.length + key.length + ENTRY_OVERHEAD_BYTES
}

/** A row that does not exist is older than any: the online store removes only what the history has (`keepOnline`). */
function isNewer(row: Buffer, than: Buffer): boolean {
  return row.length > 0 && (than.length === 0 || compareRowVersions(row, than) > 0)
}
