/**
 * Several archivers add the same outbox rows to one table in S3 over lines that fail in every way, each trying until it is told that
 * its rows are there. Each row must be there once, and every version of the table whole.
 *
 * Repeat a run with TEST_SEED=<seed>; the order of events still varies.
 */
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Shard } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { decodeValue } from '../../src/domain/value-codec.ts'
import type { OfflineStore, OutboxBatch } from '../../src/offline/offline-store.ts'
import { openTestStore, rowOf, sharedBench, viewOf } from '../integration/offline-store-fixtures.ts'
import { seededRandom, testSeed } from '../support/random.ts'
import { openPatiently } from '../support/s3/open-objects.ts'
import { startFaultyS3 } from './faulty-s3.ts'

const ARCHIVERS = 3
const SHARDS = 3
const ROWS_PER_SHARD = 80
const FAULTY = 0.25
const view = viewOf({ n: 'int64' })

const bench = sharedBench()

async function openStore(endpoint: string, bucket: string): Promise<OfflineStore> {
  const dir = bench.newDir()
  const objects = await openPatiently({
    endpoint,
    bucket,
    cacheDir: join(dir, 'cache'),
    requests: { requestTimeoutMs: 300, attemptsMax: 4 },
  })
  onTestFinished(() => objects.close())
  return openTestStore({
    objects,
    engine: bench.engine,
    spoolDir: join(dir, 'spool'),
  })
}

/** The rows of a shard up to one; a shard's positions are its own, and its number is in the thousands of the value. */
function upTo(shard: number, last: number): OutboxBatch {
  const entries = Array.from({ length: last }, (_, index) => {
    const n = BigInt(shard * 1000 + index + 1)
    return rowOf(view, { key: ['a'], event: Number(n), position: index + 1, values: [n] })
  })
  return { source: { storeId: 's', shard: shard as Shard }, entries }
}

/** As the archiver does it: whatever went wrong, it comes back with the same rows. */
async function appendAll(store: OfflineStore, random: () => number): Promise<void> {
  const reached = Array.from({ length: SHARDS }, () => 0)
  while (reached.some((last) => last < ROWS_PER_SHARD)) {
    const lasts = reached.map((last) => Math.min(ROWS_PER_SHARD, last + Math.floor(random() * 10)))
    const batches = lasts.map((last, shard) => upTo(shard, last)).filter(({ entries }) => entries.length > 0)
    try {
      await store.append(view, batches)
      for (const [shard, last] of lasts.entries()) reached[shard] = last
    } catch (error) {
      expect(error).toBeInstanceOf(TwinstoreError)
      expect((error as TwinstoreError).code).toMatch(/UNAVAILABLE|ABORTED/)
    }
  }
}

test('rows that several archivers add over failing lines are there once, at every version', {
  timeout: 120_000,
}, async () => {
  const seed = testSeed()
  console.log(`seed ${seed}`)
  const random = seededRandom(seed)
  const s3 = await startFaultyS3()
  const { server, proxy, bucket } = s3
  const stores: OfflineStore[] = []
  for (let index = 0; index < ARCHIVERS; index++) stores.push(await openStore(proxy.endpoint, bucket))
  s3.inject(FAULTY, random)
  await Promise.all(stores.map((store) => appendAll(store, random)))
  await proxy.settled()

  const reader = await openStore(server.endpoint, bucket)
  const { tableVersion, rows } = await reader.status(view)
  expect(rows).toBe(SHARDS * ROWS_PER_SHARD)
  const { rows: history } = await reader.history(view, { entity: ['a'], limit: 10_000 })
  const values = history.map((row) => Number(decodeValue({ kind: 'int64' }, Buffer.from(row.values[0]!))))
  const wanted = Array.from({ length: SHARDS }, (_, shard) =>
    Array.from({ length: ROWS_PER_SHARD }, (_, index) => shard * 1000 + index + 1),
  ).flat()
  expect(values.sort((a, b) => a - b)).toEqual(wanted)
  let before = 0
  for (let version = 0; version <= tableVersion; version++) {
    const { rows: found, dispose } = await reader.export(view, { format: 'csv', tableVersion: version })
    expect(found).toBeGreaterThanOrEqual(before)
    before = found
    await dispose()
  }
  console.log(`${tableVersion} versions`)
  s3.expectFaults(10)
})
