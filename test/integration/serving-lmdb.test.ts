/** The read path over the real LMDB store: what its writes, its watch and L1 make together. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts'
import type { OnlineStore } from '../../src/online/online-store.ts'
import { createServing, type Serving } from '../../src/serving/serving.ts'
import { LMDB_LIMITS } from '../support/lmdb-limits.mjs'
import { decodeResponse, definitions, encodeRequest, feature, keyOf, rowOf, view } from '../unit/serving-fixture.ts'

const FRESH = 2
const counter = view('counter', [feature('n', 'int32'), feature('label', 'string')])

let dir: string
let store: OnlineStore
let serving: Serving

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'twinstore-serving-'))
  store = await openLmdbStore({ ...LMDB_LIMITS, dir, shardCount: 4, clock: systemClock, durability: 'process' })
  serving = createServing({
    definitions: { current: definitions({ views: [counter] }) },
    store,
    clock: systemClock,
    cache: { bytesMax: 1 << 24, entriesMax: 10_000, ttlMs: 60_000, staleIfErrorMs: 60_000 },
    fetch: {
      batchKeysMax: 64,
      pendingKeysMax: 10_000,
      timeoutMs: 10_000,
      hedgeAfterMs: 0,
      hedgeBudgetPercent: 0,
      readFrom: 'primary',
      replicaLagMaxMs: 10_000,
    },
    limits: {
      entitiesMax: 2000,
      featuresMax: 10,
      entityKeyBytesMax: 512,
      requestBytesMax: 1 << 20,
      responseBytesMax: 1 << 24,
    },
    planCacheBytes: 1 << 20,
    onFault: (fault) => {
      throw fault.error
    },
  })
  store.watch((changed) => serving.invalidate(changed))
})

afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true })
})

async function read(ids: readonly string[], consistency = 0): Promise<unknown[]> {
  const request = encodeRequest({
    features: { references: ['counter:*'] },
    columns: [{ name: 'airport', strings: { val: ids } }],
    consistency,
  })
  return decodeResponse(await serving.getFeatures(request)).vectors.map((vector) => vector.values[0]!['int32_val'])
}

const write = async (ids: readonly string[], n: number): Promise<unknown> =>
  await store.write(ids.map((id) => ({ key: keyOf(counter, id), row: rowOf(counter, [n, id]) })))

test('rows, their absence and every later write are seen, from the cache and fresh', async () => {
  const ids = Array.from({ length: 1000 }, (_, index) => `id-${index}`)
  expect(await read(ids)).toEqual(ids.map(() => undefined))
  await write(ids, 1)
  expect(await read(ids)).toEqual(ids.map(() => 1))
  await write(ids.slice(0, 10), 2)
  expect(await read(ids.slice(8, 12))).toEqual([2, 2, 1, 1])
  expect(await read(ids.slice(8, 12), FRESH)).toEqual([2, 2, 1, 1])
  // The invalidations of eight rewritten rows took them out, and nobody asked again.
  expect(serving.stats()).toMatchObject({ cacheEntries: 992, unavailableKeys: 0 })
})

test('readers that run against writers never go back in time', async () => {
  const ids = ['a', 'b', 'c']
  let done = false
  const writer = (async () => {
    for (let n = 1; n <= 100; n++) await write(ids, n)
    done = true
  })()
  let last = [0, 0, 0]
  while (!done) {
    const now = (await read(ids)).map((value) => Number(value ?? 0))
    for (const [index, value] of now.entries()) expect(value).toBeGreaterThanOrEqual(last[index]!)
    last = now
    // Answers from L1 come without a wait, so nothing else would run.
    await turn()
  }
  await writer
  expect(await read(ids)).toEqual([100, 100, 100])
})
