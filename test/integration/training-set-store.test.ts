/** Training sets over real tables: what is opened for a spine, what its manifest says, and what a fault leaves behind: nothing. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Shard } from '../../src/domain/entity-key.ts'
import type { FeatureView, Registry } from '../../src/domain/registry.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import type { OfflineStore, TrainingSet, TrainingSetRequest } from '../../src/offline/offline-store.ts'
import { openPlace, openTestStore, rowOf, sharedBench, viewOf } from './offline-store-fixtures.ts'

const DAY = 86_400_000_000
const SERVICE = { name: 's', members: [{ kind: 'view', use: { view: 'v', as: 'v', joinKeyMap: {} } }] } as const

const bench = sharedBench()

interface Opened {
  readonly dir: string
  readonly objects: ObjectStore
  readonly store: OfflineStore
  /** The partitions of the data files that were borrowed since this was asked last. */
  borrowedDays(): string[]
  train(spine: string, more?: Partial<TrainingSetRequest>): Promise<TrainingSet>
}

/** A table with a row of entity `a` on each of these days of 1970, a file each. */
async function opened(view: FeatureView, days: readonly number[]): Promise<Opened> {
  const dir = bench.newDir()
  const objects = await openPlace(dir)
  const borrowed = new Set<string>()
  const watched: ObjectStore = Object.assign(Object.create(objects) as ObjectStore, {
    borrow(path: string) {
      borrowed.add(/event_date=([\d-]+)/.exec(path)?.[1] ?? path)
      return objects.borrow(path)
    },
  })
  const store = openTestStore({
    objects: watched,
    engine: bench.engine,
    spoolDir: join(dir, 'spool'),
    latestBatchRows: 3,
  })
  for (const day of days) {
    const row = rowOf(view, { key: ['a'], event: (day - 1) * DAY, position: day, values: [BigInt(day)] })
    await store.append(view, [{ source: { storeId: 'store-1', shard: 0 as Shard }, entries: [row] }])
  }
  const registry: Registry = {
    project: 'p',
    fingerprint: 'f'.repeat(32),
    entities: new Map(),
    views: new Map([['v', view]]),
    onDemandViews: new Map(),
    services: new Map([['s', SERVICE]]),
  }
  return {
    dir,
    objects,
    store,
    borrowedDays() {
      const seen = [...borrowed].sort()
      borrowed.clear()
      return seen
    },
    async train(spine, more = {}) {
      const spineFile = join(dir, 'spine.csv')
      await writeFile(spineFile, spine)
      const asked = { spineFile, spineFormat: 'csv', timestampColumn: 'at', mode: 'EVENT_TIME', format: 'csv' } as const
      return store.trainingSet(SERVICE, { ...asked, registry, ...more })
    },
  }
}

const endless = viewOf({ n: 'int64' })
const threeDays = viewOf({ n: 'int64' }, { ttlMicros: 3 * DAY })
const SPINE = 'k,at\na,1970-01-20T12:00:00Z\na,1970-01-21T12:00:00Z\n'

async function leftIn(folder: string): Promise<string[]> {
  return readdir(folder, { recursive: true }).catch(() => [])
}

test('only files that can matter for the spine are opened', async () => {
  const table = await opened(endless, [1, 10, 21, 22, 30])
  table.borrowedDays()
  await (await table.train(SPINE)).dispose()
  expect(table.borrowedDays()).toEqual(['1970-01-01', '1970-01-10', '1970-01-21'])
  // With a TTL of three days a row of the 10th is stale for all of the spine, and older than what counts as stale.
  const pruned = await opened(threeDays, [1, 10, 15, 18, 21, 22, 30])
  pruned.borrowedDays()
  const made = await pruned.train(SPINE)
  expect(pruned.borrowedDays()).toEqual(['1970-01-15', '1970-01-18', '1970-01-21'])
  expect(await readFile(made.path, 'utf8')).toMatch(/^k,at,v__n\na,.*,18\na,.*,21\n$/)
})

test('a damaged file outside the range does no harm; one inside it is named, and nothing is left behind', async () => {
  const { dir, objects, store, train } = await opened(threeDays, [1, 20])
  const cut = async (day: string) => {
    for await (const { path } of objects.list('views/')) {
      if (path.includes(`=${day}/`)) await objects.put(path, (await objects.read(path))!.subarray(0, -8))
    }
  }
  await cut('1970-01-01')
  await (await train(SPINE)).dispose()
  await cut('1970-01-20')
  // Verified files are remembered by their modification time, so that the change is seen.
  await expect(train(SPINE)).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringMatching(/event_date=1970-01-20\/.*\.parquet has \d+ bytes, its table's log says \d+/),
  })
  // A folder of the store's own is all there is until it is closed.
  expect((await leftIn(join(dir, 'spool'))).filter((name) => name.includes('/'))).toEqual([])
  await store.close()
  expect(await leftIn(join(dir, 'spool'))).toEqual([])
})

test('a spine that does not fit is refused before any file of a table is fetched', async () => {
  const table = await opened(endless, [1])
  table.borrowedDays()
  for (const [spine, message] of [
    ['k,when\na,1970-01-20\n', /at: missing/],
    ['k,at\na,soon\n', /at: expected TIMESTAMP, TIMESTAMPTZ or DATE, got VARCHAR/],
    ['k,at\n', /the spine has no rows/],
  ] as const) {
    await expect(table.train(spine)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
  }
  expect(table.borrowedDays()).toEqual([])
})

test('CSV: a join key that looks like a number for many rows is text all the same', async () => {
  const { train } = await opened(endless, [1])
  const rows = Array.from({ length: 50_000 }, (_, index) => `${index},1970-01-20`)
  const made = await train(`k,at\n${rows.join('\n')}\na,1970-01-20\n`)
  expect((await readFile(made.path, 'utf8')).trimEnd().split('\n').at(-1)).toBe('a,1970-01-20,1')
})

test('the manifest has all of the pin and what there is to log; equal pins give equal ones but for the time', async () => {
  const { train, store } = await opened(threeDays, [1, 10, 15, 18])
  const spine =
    'k,at,label\na,1970-01-15T12:00:00.000001Z,1\na,1970-01-20T23:00:00Z,2\na,1970-01-21T12:00:00Z,3\nb,1970-01-19T00:00:00Z,4\n'
  const made = await train(spine, { format: 'parquet' })
  const { createdAt, ...manifest } = made.manifest
  expect(createdAt).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  const { spine: pinnedSpine, output, ...pin } = made.pin
  expect(manifest).toEqual({
    ...pin,
    manifestFormat: 1,
    spine: {
      ...pinnedSpine,
      fromTimestamp: '1970-01-15T12:00:00.000001Z',
      untilTimestamp: '1970-01-21T12:00:00.000000Z',
    },
    output: {
      ...output,
      bytes: made.bytes,
      columns: [
        { name: 'k', type: 'VARCHAR' },
        { name: 'at', type: expect.stringContaining('TIMESTAMP') },
        { name: 'label', type: 'BIGINT' },
        { name: 'v__n', type: 'BIGINT' },
      ],
    },
    historyFrom: { v: '1970-01-09T12:00:00.000001Z' },
    features: [
      {
        column: 'v__n',
        view: 'v',
        feature: 'n',
        // The third row's value is older than three days; entity b has none.
        nullRate: 0.5,
        history: {
          missingRate: 0.25,
          staleRate: 0.25,
          defaultRate: 0,
          ageSeconds: { min: 43_200.000001, mean: expect.closeTo((0.5 + 2 + 23 / 24 + 3.5) * 28_800, 3), max: 302_400 },
        },
      },
    ],
  })
  const row = rowOf(threeDays, { key: ['a'], event: 19 * DAY, position: 99, values: [5n] })
  await store.append(threeDays, [{ source: { storeId: 'store-1', shard: 0 as Shard }, entries: [row] }])
  const again = await train(spine, { format: 'parquet', tableVersions: made.pin.tables })
  expect({ ...again.manifest, createdAt }).toEqual(made.manifest)
})

test('after new rows and a compaction that joins them with the old ones, a pin gives the same bytes and the same manifest', async () => {
  const monthly = { ...threeDays, partitionBy: 'month' } as const
  const { train, store } = await opened(monthly, [1, 15, 18, 20])
  const made = await train(SPINE, { format: 'parquet' })
  const late = rowOf(monthly, { key: ['a'], event: 19.5 * DAY, position: 99, values: [5n] })
  await store.append(monthly, [{ source: { storeId: 'store-1', shard: 0 as Shard }, entries: [late] }])
  const compacted = await store.compact(monthly, {
    targetBytes: 1 << 20,
    filesMin: 2,
    runBytesMax: 1 << 30,
    batchFilesMax: 10,
  })
  expect(compacted).toMatchObject({ filesRemoved: 5, filesAdded: 1 })
  await store.vacuum(monthly, { ageMs: 0, filesMax: 100 })
  const again = await train(SPINE, { format: 'parquet', tableVersions: made.pin.tables })
  expect({ ...again.manifest, createdAt: '' }).toEqual({ ...made.manifest, createdAt: '' })
  const newest = await train(SPINE, { format: 'parquet' })
  expect(newest.sha256).not.toBe(made.sha256)
})
