/** The offline store over real Delta tables and Parquet files: in a folder, and in S3 when `offline-store-s3.test.ts` loads this. */
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Shard } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { FeatureView, Registry } from '../../src/domain/registry.ts'
import { decodeValue } from '../../src/domain/value-codec.ts'
import type { Position } from '../../src/domain/version.ts'
import type { OfflineEngine } from '../../src/offline/engine.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import type {
  LatestOptions,
  OfflineStore,
  OutboxBatch,
  OutboxSource,
  TrainingSetRequest,
} from '../../src/offline/offline-store.ts'
import type { DeltaOfflineStoreOptions } from '../../src/offline/store/delta-offline-store.ts'
import type { OutboxEntry, RowWrite } from '../../src/online/online-store.ts'
import { openPlace, openTestStore, rowOf, sharedBench, viewOf } from './offline-store-fixtures.ts'

const bench = sharedBench()

const SOURCE = { storeId: 'store-1', shard: 0 as Shard }

function outbox(entries: readonly OutboxEntry[], source: OutboxSource = SOURCE): readonly OutboxBatch[] {
  return [{ source, entries }]
}
const view = viewOf({ n: 'int64' })
const sourced = { ...view, source: { sql: '', files: [] } }
const entry = (position: number, n = BigInt(position), key = 'a') =>
  rowOf(view, { key: [key], event: position, position, values: [n] })

interface Opened {
  readonly dir: string
  readonly objects: ObjectStore
  readonly store: OfflineStore
  /** What the view's source gives from now on. */
  source: string
  again(more?: Partial<DeltaOfflineStoreOptions>): OfflineStore
}

async function opened(): Promise<Opened> {
  const dir = bench.newDir()
  const objects = await openPlace(dir)
  const made = { dir, objects, source: '' }
  const again = (more: Partial<DeltaOfflineStoreOptions> = {}) =>
    openTestStore({
      objects,
      engine: bench.engine,
      resolveSource: async () => result.source,
      spoolDir: join(dir, 'spool'),
      verifiedFilesMax: 2,
      latestBatchRows: 3,
      ...more,
    })
  const result: Opened = { ...made, store: again(), again }
  return result
}

async function values(store: OfflineStore, of: FeatureView = view, key = 'a'): Promise<unknown[]> {
  const { rows } = await store.history(of, { entity: [key], limit: 100 })
  return rows.map((row) => decodeValue({ kind: 'int64' }, Buffer.from(row.values[0]!)))
}

async function latestRows(store: OfflineStore, of: FeatureView = view): Promise<RowWrite[]> {
  const { batches } = await store.latest(of)
  const rows: RowWrite[] = []
  for await (const batch of batches) rows.push(...batch)
  return rows
}

async function parquetFiles(objects: ObjectStore): Promise<string[]> {
  const paths: string[] = []
  for await (const { path } of objects.list('views/')) if (path.endsWith('.parquet')) paths.push(path)
  return paths
}

test('a view without a table has no rows, no history and position 0', async () => {
  const { store } = await opened()
  const none = { tableVersion: -1, rows: 0, files: 0, bytes: 0, syncPosition: 0 }
  expect(await store.status(view)).toEqual({ view: 'v', ...none, newestEventMicros: undefined })
  expect(await store.archivedPositions(view, [SOURCE])).toEqual([0])
  expect(await values(store)).toEqual([])
  expect(await latestRows(store)).toEqual([])
  await store.health()
})

test('a replayed append adds nothing twice, an overlapping one only what is new', async () => {
  const { store, again } = await opened()
  expect(await store.append(view, outbox([entry(1), entry(2)]))).toMatchObject({ rowsAdded: 2, tableVersion: 1 })
  expect(await store.append(view, outbox([entry(1), entry(2)]))).toMatchObject({ rowsAdded: 0, tableVersion: 1 })
  const reopened = again()
  expect(await reopened.append(view, outbox([entry(2), entry(3)]))).toMatchObject({ rowsAdded: 1, tableVersion: 2 })
  expect(await values(store)).toEqual([3n, 2n, 1n])
  expect(await store.archivedPositions(view, [SOURCE])).toEqual([3])
  const otherShard = { ...SOURCE, shard: 1 as Shard }
  expect(await store.archivedPositions(view, [otherShard])).toEqual([0])
  expect(await store.append(view, outbox([entry(1, 7n)], otherShard))).toMatchObject({ rowsAdded: 1 })
  expect(await store.status(view)).toMatchObject({ rows: 4, tableVersion: 3 })
})

test('archivers that append the same entries at the same time add each once and leave no files behind', async () => {
  const { objects, again } = await opened()
  const entries = Array.from({ length: 20 }, (_, index) => entry(index + 1))
  const stores = [again(), again(), again()]
  await stores[0]!.prepare(view)
  const results = await Promise.all(stores.map((store) => store.append(view, outbox(entries))))
  expect(results.reduce((sum, result) => sum + result.rowsAdded, 0)).toBe(20)
  expect(await values(stores[0]!)).toHaveLength(20)
  expect(await parquetFiles(objects)).toHaveLength((await stores[0]!.status(view)).files)
})

test('an append whose job fails while its rows are written commits nothing and leaves nothing behind', async () => {
  const { objects, store, again } = await opened()
  await store.prepare(view)
  const { tableVersion } = await store.status(view)
  // More than a piece of the file the rows go through.
  const entries = Array.from({ length: 15_000 }, (_, index) => entry(index + 1))
  const refusing: OfflineEngine = {
    ...bench.engine,
    run: async () => {
      throw new TwinstoreError('RESOURCE_EXHAUSTED', 'too many jobs')
    },
  }
  const refused = again({ engine: refusing }).append(view, outbox(entries))
  await expect(refused).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' })
  const { row, ...last } = entry(15_001)
  const damaged = Buffer.from(row)
  damaged[damaged.length - 1]! ^= 1
  const append = store.append(view, outbox([...entries, { ...last, row: damaged }]))
  await expect(append).rejects.toMatchObject({ code: 'DATA_LOSS', message: expect.stringContaining('15001') })
  expect(await readdir(objects.stagingDir)).toEqual([])
  expect(await parquetFiles(objects)).toEqual([])
  expect((await store.status(view)).tableVersion).toBe(tableVersion)
  expect((await store.append(view, outbox(entries))).rowsAdded).toBe(15_000)
})

test('rows of many shards are one commit, and each shard drops what the table has of it', async () => {
  const { store } = await opened()
  const of = (shard: number, ...positions: number[]) => ({
    source: { ...SOURCE, shard: shard as Shard },
    entries: positions.map((position) => entry(position)),
  })
  const shards = Array.from({ length: 16 }, (_, shard) => of(shard, shard * 10 + 1, shard * 10 + 2))
  expect(await store.append(view, shards)).toEqual({ rowsAdded: 32, tableVersion: 1 })
  const overlapping = [of(0, 1, 2), of(1, 12, 13), of(2, 21), of(16, 161)]
  expect(await store.append(view, overlapping)).toEqual({ rowsAdded: 2, tableVersion: 2 })
  const sources = [0, 1, 2, 16, 17].map((shard) => ({ ...SOURCE, shard: shard as Shard }))
  expect(await store.archivedPositions(view, sources)).toEqual([2, 13, 22, 161, 0])
  expect(await store.status(view)).toMatchObject({ rows: 34 })
})

test('archivers whose shards overlap only in part add each row once', async () => {
  const { objects, again } = await opened()
  const of = (shard: number, last: number) => ({
    source: { ...SOURCE, shard: shard as Shard },
    entries: Array.from({ length: last }, (_, index) => entry(shard * 1000 + index + 1)),
  })
  const plans = [
    [of(0, 5), of(1, 9), of(2, 3)],
    [of(1, 4), of(2, 8), of(3, 6)],
    [of(0, 7), of(3, 2), of(4, 1)],
  ]
  const stores = plans.map(() => again())
  await stores[0]!.prepare(view)
  const results = await Promise.all(plans.map((plan, index) => stores[index]!.append(view, plan)))
  expect(results.reduce((sum, result) => sum + result.rowsAdded, 0)).toBe(7 + 9 + 8 + 6 + 1)
  expect(new Set(await values(stores[0]!)).size).toBe(31)
  expect(await parquetFiles(objects)).toHaveLength((await stores[0]!.status(view)).files)
})

test('what was uploaded before a crash and not committed is seen by no reader and added by the replay', async () => {
  const { objects, store, again } = await opened()
  await store.append(view, outbox([entry(1)]))
  const crashing: ObjectStore = {
    location: objects.location,
    stagingDir: objects.stagingDir,
    read: (path) => objects.read(path),
    list: (prefix, startAfter) => objects.list(prefix, startAfter),
    upload: (file, path) => objects.upload(file, path),
    borrow: (path) => objects.borrow(path),
    delete: (path) => objects.delete(path),
    put: (path, bytes) => objects.put(path, bytes),
    putIfAbsent: () => Promise.reject(new Error('the process ends here')),
  }
  await expect(again({ objects: crashing }).append(view, outbox([entry(2)]))).rejects.toThrow('ends here')
  expect(await parquetFiles(objects)).toHaveLength(2)
  expect(await values(store)).toEqual([1n])
  expect(await store.status(view)).toMatchObject({ rows: 1, files: 1 })
  expect(await again().append(view, outbox([entry(2)]))).toMatchObject({ rowsAdded: 1 })
  expect(await values(store)).toEqual([2n, 1n])
})

test('sync adds what is new once; a write in between is kept', async () => {
  const made = await opened()
  const { store } = made
  made.source =
    "SELECT 'k' || range AS k, TIMESTAMP '2001-01-01' + INTERVAL 1 DAY * range AS event_timestamp, range AS n FROM range(7)"
  expect(await store.sync(sourced, 100 as Position)).toMatchObject({ rowsRead: 7, rowsAdded: 7, tableVersion: 1 })
  expect(await store.sync(sourced, 200 as Position)).toMatchObject({ rowsRead: 7, rowsAdded: 0, tableVersion: 1 })
  const event = Date.UTC(2001, 0, 1) * 1000
  await store.append(sourced, outbox([rowOf(sourced, { key: ['k0'], event, position: 250, values: [99n] })]))
  expect(await store.sync(sourced, 300 as Position)).toMatchObject({ rowsAdded: 0 })
  expect(await values(store, sourced, 'k0')).toEqual([99n, 0n])
  made.source = made.source.replace('range AS n', 'range + 1 AS n')
  expect(await store.sync(sourced, 400 as Position)).toMatchObject({ rowsAdded: 7, tableVersion: 3 })
  expect(await values(store, sourced, 'k0')).toEqual([1n, 99n, 0n])
  const latest = await latestRows(store, sourced)
  expect(latest).toHaveLength(7)
})

test('a sync is refused while one runs, without a source, and with a position that went back', async () => {
  const made = await opened()
  made.source = "SELECT 'a' AS k, DATE '2001-01-01' AS event_timestamp, 1 AS n"
  await expect(made.store.sync(view, 1 as Position)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  const first = made.store.sync(sourced, 100 as Position)
  await expect(made.store.sync(sourced, 101 as Position)).rejects.toMatchObject({ code: 'ABORTED' })
  await first
  await expect(made.store.sync(sourced, 100 as Position)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
})

test('of two syncs in different processes one adds its rows and the other is ABORTED, leaving no files', async () => {
  const made = await opened()
  made.source = "SELECT 'a' AS k, DATE '2001-01-01' AS event_timestamp, 1 AS n"
  await made.store.prepare(sourced)
  const other = made.again()
  let otherSynced = false
  const slow: OfflineEngine = {
    async run(kind, input, options) {
      const output = await bench.engine.run(kind, input, options)
      if (!otherSynced) await other.sync(sourced, 200 as Position)
      otherSynced = true
      return output
    },
    close: async () => {},
  }
  await expect(made.again({ engine: slow }).sync(sourced, 100 as Position)).rejects.toMatchObject({ code: 'ABORTED' })
  expect(await values(made.store, sourced)).toEqual([1n])
  expect(await parquetFiles(made.objects)).toHaveLength(1)
})

test('status tells the last sync that added rows, and the newest event', async () => {
  const made = await opened()
  made.source = "SELECT 'a' AS k, TIMESTAMPTZ '2001-01-01 00:00:00.0015Z' AS event_timestamp, 1 AS n"
  expect(await made.store.sync(sourced, 100 as Position)).toMatchObject({ rowsAdded: 1, syncPosition: 100 })
  expect(await made.store.sync(sourced, 200 as Position)).toMatchObject({ rowsAdded: 0, syncPosition: 100 })
  await made.store.append(sourced, outbox([entry(300)]))
  const newest = Date.UTC(2001, 0, 1, 0, 0, 0, 2) * 1000
  expect(await made.again().status(sourced)).toMatchObject({ rows: 2, syncPosition: 100, newestEventMicros: newest })
})

test('the latest rows since a version are those of what the table got after it', async () => {
  const { store } = await opened()
  const keyed = (position: number, ...keys: string[]) => keys.map((key) => entry(position, BigInt(position), key))
  await store.append(view, outbox(keyed(1, 'a', 'b', 'c')))
  const { tableVersion } = await store.append(view, outbox(keyed(2, 'b')))
  await store.append(view, outbox([...keyed(3, 'c', 'd'), ...keyed(4, 'd')]))
  const rowsOf = async (options: LatestOptions) => {
    const { batches, rows, entities } = await store.latest(view, options)
    const found: RowWrite[] = []
    for await (const batch of batches) found.push(...batch)
    expect(found).toHaveLength(rows)
    return { entities, rows: found.map(({ key, row }) => ({ key, row })) }
  }
  const expected = [...keyed(3, 'c'), ...keyed(4, 'd')].map(({ key, row }) => ({ key, row }))
  expect(await rowsOf({ sinceVersion: tableVersion, limit: 10 })).toEqual({ entities: 2, rows: expected })
  expect(await rowsOf({ sinceVersion: tableVersion, limit: 1 })).toEqual({ entities: 2, rows: expected.slice(0, 1) })
  expect(await rowsOf({ sinceVersion: tableVersion, limit: 1, after: ['c'] })).toEqual({
    entities: 1,
    rows: expected.slice(1),
  })
  expect(await rowsOf({ sinceVersion: tableVersion + 1, limit: 10 })).toEqual({ entities: 0, rows: [] })
  expect((await rowsOf({ limit: 10 })).entities).toBe(4)
})

test('an added feature evolves the table; older rows lack it and other versions of the view have their own table', async () => {
  const { store } = await opened()
  await store.append(view, outbox([entry(1)]))
  const newer = viewOf({ n: 'int64', added: 'string' }, { schemaId: 2, schemaFeatureCounts: [1, 2] })
  await store.append(newer, outbox([rowOf(newer, { key: ['a'], event: 2, position: 2, values: [2n, 'x'] })]))
  const { rows } = await store.history(newer, { entity: ['a'], limit: 10 })
  expect(rows.map((row) => row.values.map((value) => value.length > 0))).toEqual([
    [true, true],
    [true, false],
  ])
  const raised = { ...view, version: 2 }
  expect(await values(store, raised)).toEqual([])
  await expect(store.append(viewOf({ n: 'string' }), outbox([]))).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
})

test('latest gives every entity in batches and leaves no spool file, also when the reader gives up', async () => {
  const { dir, store } = await opened()
  const entries = Array.from({ length: 10 }, (_, index) => entry(index + 1, 1n, `k${index}`))
  await store.append(view, outbox(entries))
  const { rows, tableVersion, batches } = await store.latest(view)
  expect([rows, tableVersion]).toEqual([10, 1])
  const sizes: number[] = []
  const found: RowWrite[] = []
  for await (const batch of batches) {
    sizes.push(batch.length)
    found.push(...batch)
  }
  expect(sizes).toEqual([3, 3, 3, 1])
  const byKey = (a: RowWrite, b: RowWrite) => (a.key < b.key ? -1 : 1)
  expect(found.sort(byKey)).toEqual(entries.map(({ key, row }) => ({ key, row })).sort(byKey))
  for await (const _ of (await store.latest(view)).batches) break
  const [own] = await readdir(join(dir, 'spool'))
  expect(await readdir(join(dir, 'spool', own!))).toEqual([])
  await store.close()
  expect(await readdir(join(dir, 'spool'))).toEqual([])
})

test('a result beyond the spool limit is refused by its name and removed', async () => {
  const { dir, store, again } = await opened()
  await store.append(view, outbox([entry(1)]))
  const small = again({ spoolDir: join(dir, 'small'), spoolBytesMax: 10 })
  await expect(small.latest(view)).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringContaining('spool-bytes-max'),
  })
  const [own] = await readdir(join(dir, 'small'))
  expect(await readdir(join(dir, 'small', own!))).toEqual([])
})

test('history opens only the files that can hold the entity', async () => {
  const { store, again } = await opened()
  await store.append(view, outbox([entry(1, 1n, 'a')]))
  await store.append(view, outbox([entry(2, 2n, 'z')]))
  const scanned: number[] = []
  const counting: OfflineEngine = {
    run(kind, input, options) {
      if ('table' in input) scanned.push(input.table.files.length)
      return bench.engine.run(kind, input, options)
    },
    close: async () => {},
  }
  expect(await values(again({ engine: counting }))).toEqual([1n])
  expect(scanned).toEqual([1])
})

test('files are on loan while a job reads them and given back after it, also when it or a file fails', async () => {
  const { objects, store, again } = await opened()
  await store.append(view, outbox([entry(1)]))
  await store.append(view, outbox([entry(2)]))
  let onLoan = 0
  let failing = ''
  const lending: ObjectStore = Object.assign(Object.create(objects) as ObjectStore, {
    async borrow(path: string) {
      if (path.endsWith(failing)) throw new Error('not to be had')
      const { file } = await objects.borrow(path)
      onLoan++
      return { file, release: async () => void onLoan--, discard: async () => false }
    },
  })
  const during: number[] = []
  const looking: OfflineEngine = {
    run(kind, input, options) {
      during.push(onLoan)
      return bench.engine.run(kind, input, options)
    },
    close: async () => {},
  }
  const lent = again({ objects: lending, engine: looking })
  failing = 'no file'
  expect(await values(lent)).toEqual([2n, 1n])
  expect(await latestRows(lent)).toHaveLength(1)
  await expect(lent.export(view, { format: 'csv', columns: ['none'] })).rejects.toThrow()
  expect(during).toEqual([2, 2, 2])
  failing = '.parquet'
  await expect(values(lent)).rejects.toThrow('not to be had')
  await expect(lent.latest(view, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(onLoan).toBe(0)
})

test('the log has one line per file with partition value and exact statistics', async () => {
  const { objects, store } = await opened()
  await store.append(view, outbox([entry(5, 50n), entry(6, 60n)]))
  const log = String(await objects.read('views/v/v1/_delta_log/00000000000000000001.json'))
  const actions = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>)
  const added = actions.flatMap((action) => (action['add'] ? [action['add']] : []))
  expect(added).toHaveLength(1)
  expect(added[0]).toMatchObject({ partitionValues: { event_date: '1970-01-01' }, dataChange: true })
  expect(JSON.parse(added[0]!['stats'] as string)).toMatchObject({
    numRecords: 2,
    minValues: { k: 'a', n: 50, write_position: 5 },
    maxValues: { k: 'a', n: 60, write_position: 6 },
    nullCount: { n: 0 },
  })
  expect(actions).toContainEqual({ txn: expect.objectContaining({ appId: 'outbox/store-1/0', version: 6 }) })
})

test('a data file that is cut short, changed in any byte, overwritten or gone is DATA_LOSS with its name, and other views go on', async () => {
  const { objects, store } = await opened()
  const other = { ...view, name: 'other' }
  await store.append(other, outbox([entry(1)]))
  await store.append(view, outbox([entry(1)]))
  const path = (await parquetFiles(objects)).find((file) => file.startsWith('views/v/'))!
  const whole = (await objects.read(path))!
  const refused = async (message: string) =>
    expect(store.history(view, { entity: ['a'], limit: 1 })).rejects.toMatchObject({
      code: 'DATA_LOSS',
      message: expect.stringContaining(message),
    })
  expect(await values(store)).toEqual([1n])
  await objects.put(path, whole.subarray(0, whole.length - 1))
  await refused(path)
  for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 10)) {
    const flipped = Buffer.from(whole)
    flipped[at] = flipped[at]! ^ 4
    await objects.put(path, flipped)
    await refused(path)
  }
  await objects.put(path, Buffer.alloc(whole.length))
  await refused(path)
  await objects.delete(path)
  await refused(path)
  expect(await values(store, other)).toEqual([1n])
})

test('an export is a file of the pinned version; disposing of it removes it', async () => {
  const { store } = await opened()
  await store.append(view, outbox([entry(1)]))
  await store.append(view, outbox([entry(2)]))
  const columns = ['k', 'n']
  const newest = await store.export(view, { format: 'csv', columns })
  expect([newest.rows, newest.tableVersion, (await readFile(newest.path, 'utf8')).replaceAll('\r', '')]).toEqual([
    2,
    2,
    'k,n\na,1\na,2\n',
  ])
  const pinned = await store.export(view, { format: 'csv', columns, tableVersion: 1 })
  expect([pinned.rows, pinned.tableVersion]).toEqual([1, 1])
  await newest.dispose()
  expect(existsSync(newest.path)).toBe(false)
  await expect(store.export(view, { format: 'csv', tableVersion: 3 })).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('a training set names in its pin all that made it, and the pinned versions give the same bytes later', async () => {
  const { dir, store } = await opened()
  const service = { name: 's', members: [{ kind: 'view', use: { view: 'v', as: 'v', joinKeyMap: {} } }] } as const
  const registry: Registry = {
    project: 'p',
    fingerprint: 'f'.repeat(32),
    entities: new Map(),
    views: new Map([['v', view]]),
    onDemandViews: new Map(),
    services: new Map([['s', service]]),
  }
  const spineFile = join(dir, 'spine.csv')
  await writeFile(spineFile, 'k,at\na,1970-01-01T00:00:01Z\nb,1970-01-01T00:00:01Z\n')
  const request: TrainingSetRequest = {
    spineFile,
    spineFormat: 'csv',
    timestampColumn: 'at',
    mode: 'EVENT_TIME',
    format: 'parquet',
    registry,
  }
  const before = await store.trainingSet(service, request)
  expect(before.pin).toMatchObject({ tables: { v: -1 }, service: 's', engine: 'test', spine: { rows: 2 } })
  await store.append(view, outbox([entry(1)]))
  const first = await store.trainingSet(service, request)
  expect(first.pin).toMatchObject({ tables: { v: 1 }, output: { rows: 2, sha256: first.sha256 } })
  expect(first.sha256).not.toBe(before.sha256)
  await store.append(view, outbox([entry(2)]))
  const again = await store.trainingSet(service, { ...request, tableVersions: first.pin.tables })
  expect(again.pin).toEqual(first.pin)
  const beforeAgain = await store.trainingSet(service, { ...request, tableVersions: before.pin.tables })
  expect(beforeAgain.pin).toEqual(before.pin)
  await expect(store.trainingSet(service, { ...request, tableVersions: {} })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('view v'),
  })
})
