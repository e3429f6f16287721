/** L1 against a model that keeps the whole history of events and answers each question by reading it from the end. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RowKey } from '../../src/domain/entity-key.ts'
import { rowPosition } from '../../src/domain/row-codec.ts'
import { createRowCache, type Fill, NO_ROW, type RowCache } from '../../src/serving/row-cache.ts'
import { feature, rowOf, view } from './serving-fixture.ts'

const KEYS = ['v/a', 'v/b'] as unknown as readonly RowKey[]

const TTL_MS = 100
const STALE_MS = 250
const one = view('v', [feature('n', 'int32')])
function begun(cache: RowCache, key: RowKey, beganAtMs: number): Fill {
  const fill = { key, beganAtMs, generation: 0 }
  cache.beginFill(fill)
  return fill
}

const rowAt = (position: number): Buffer => (position === 0 ? NO_ROW : rowOf(one, [position], { position }))
const positionOf = (row: Buffer | undefined): number | undefined =>
  row === undefined || row.length === 0 ? row?.length : rowPosition(row)

type Event =
  | { readonly kind: 'begin'; readonly key: RowKey; readonly atMs: number }
  /** `position` 0: no row; undefined: the store did not answer. `begin` is the index of the fill's beginning. */
  | { readonly kind: 'end'; readonly key: RowKey; readonly begin: number; readonly position: number | undefined }
  | { readonly kind: 'applied'; readonly key: RowKey; readonly position: number; readonly atMs: number }
  | { readonly kind: 'invalidate'; readonly key: RowKey | 'all' }

/** What the last kept fill of the key left, or undefined; a live entry that is newer stays. */
function modelEntry(
  history: readonly Event[],
  key: RowKey,
): { position: number; beganAtMs: number; live: boolean } | undefined {
  const end = history.findLastIndex(
    (event, index) => event.kind === 'end' && event.key === key && isKept(history, event, index),
  )
  if (end < 0) return undefined
  const fill = history[end] as Event & { kind: 'end' }
  const { atMs: beganAtMs } = history[fill.begin] as Event & { kind: 'begin' }
  const before = modelEntry(history.slice(0, end), key)
  if (before?.live && beganAtMs - before.beganAtMs <= TTL_MS && before.position > fill.position!) {
    return modelEntry(history.with(end, { ...fill, position: undefined }), key)
  }
  let position = fill.position!
  let live = true
  for (const event of history.slice(end + 1)) {
    if (event.kind === 'invalidate' && event.key === key) return undefined
    if (event.kind === 'invalidate' && event.key === 'all') live = false
    if (event.kind === 'applied' && event.key === key) {
      if (!live || event.atMs - beganAtMs > TTL_MS) return undefined
      position = Math.max(position, event.position)
    }
  }
  return { position, beganAtMs, live }
}

function isKept(history: readonly Event[], fill: Event & { kind: 'end' }, index: number): boolean {
  if (fill.position === undefined) return false
  return !history
    .slice(fill.begin + 1, index)
    .some((event) => event.kind !== 'end' && (event.key === fill.key || event.key === 'all'))
}

const key = fc.constantFrom(...KEYS)
const command = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('begin' as const), key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      pick: fc.nat(9),
      position: fc.option(fc.nat(5), { nil: undefined, freq: 8 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('applied' as const), key, position: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('invalidate' as const),
      key: fc.constantFrom<RowKey | 'all'>(...KEYS, 'all'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 40, 100, 101, 250) }) },
)

test('every interleaving of fills, own writes, invalidations and time gives what the history says', () => {
  let served = 0
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      const cache = createRowCache({ bytesMax: 1 << 20, entriesMax: 100, ttlMs: TTL_MS, staleIfErrorMs: STALE_MS })
      const history: Event[] = []
      const open: { readonly fill: Fill; readonly begin: number }[] = []
      let nowMs = 0
      for (const each of commands) {
        if (each.do === 'wait') nowMs += each.ms
        else if (each.do === 'begin') {
          open.push({ fill: begun(cache, each.key, nowMs), begin: history.length })
          history.push({ kind: 'begin', key: each.key, atMs: nowMs })
        } else if (each.do === 'applied') {
          cache.applied(each.key, rowAt(each.position), nowMs)
          history.push({ kind: 'applied', key: each.key, position: each.position, atMs: nowMs })
        } else if (each.do === 'invalidate') {
          cache.invalidate(each.key === 'all' ? 'all' : [each.key])
          history.push({ kind: 'invalidate', key: each.key })
        } else if (open.length > 0) {
          const [{ fill, begin }] = open.splice(each.pick % open.length, 1) as [(typeof open)[0]]
          cache.endFill(fill, each.position === undefined ? undefined : rowAt(each.position), 0)
          history.push({ kind: 'end', key: fill.key, begin, position: each.position })
        }
        for (const asked of KEYS) {
          const entry = modelEntry(history, asked)
          const age = entry === undefined ? 0 : nowMs - entry.beganAtMs
          const live = entry?.live && age <= TTL_MS ? entry.position : undefined
          if (live !== undefined) served++
          expect(positionOf(cache.get(asked, nowMs))).toBe(live)
          expect(positionOf(cache.getStale(asked, nowMs))).toBe(age <= STALE_MS ? entry?.position : undefined)
        }
      }
    }),
    { numRuns: 500 },
  )
  expect(served).toBeGreaterThan(0)
})

test('entries leave by bytes and by count, the least recently used first', () => {
  const cache = createRowCache({ bytesMax: 5000, entriesMax: 3, ttlMs: TTL_MS, staleIfErrorMs: STALE_MS })
  const fill = (name: string, bytes: number): void =>
    cache.endFill(begun(cache, name as RowKey, 0), Buffer.alloc(bytes), 0)
  for (const name of ['a', 'b', 'c']) fill(name, 40)
  cache.get('a' as RowKey, 0)
  fill('d', 40)
  expect(['a', 'b', 'c', 'd'].map((name) => cache.get(name as RowKey, 0) !== undefined)).toEqual([
    true,
    false,
    true,
    true,
  ])
  fill('e', 3500)
  expect(cache.size().entries).toBeLessThanOrEqual(2)
  expect(cache.size().bytes).toBeLessThanOrEqual(5000)
  fill('f', 6000)
  expect(cache.get('f' as RowKey, 0)).toBeUndefined()
})

test('an entry evicted while its key is read again does not take the read with it', () => {
  const cache = createRowCache({ bytesMax: 1 << 20, entriesMax: 1, ttlMs: TTL_MS, staleIfErrorMs: STALE_MS })
  const [a, b] = KEYS as readonly [RowKey, RowKey]
  cache.endFill(begun(cache, a, 0), rowAt(1), 0)
  const again = begun(cache, a, 1)
  cache.endFill(begun(cache, b, 1), rowAt(2), 0)
  expect([cache.get(a, 1), cache.joinable(a, 1)]).toEqual([undefined, again])
  cache.endFill(again, rowAt(3), 0)
  expect([positionOf(cache.get(a, 1)), cache.get(b, 1), cache.size().entries]).toEqual([3, undefined, 1])
})

test('a row cut out of a larger buffer does not keep that buffer', () => {
  const cache = createRowCache({ bytesMax: 1 << 20, entriesMax: 10, ttlMs: TTL_MS, staleIfErrorMs: STALE_MS })
  const read = Buffer.alloc(100_000, 7)
  cache.endFill(begun(cache, KEYS[0]!, 0), read.subarray(10, 20), 0)
  const kept = cache.get(KEYS[0]!, 0)!
  expect(kept).toEqual(Buffer.alloc(10, 7))
  expect(kept.buffer).not.toBe(read.buffer)
})
