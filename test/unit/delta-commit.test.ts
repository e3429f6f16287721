/** Tables in a real folder: snapshots, races between writers, outcomes that are unknown at first, damaged logs. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import type { Action } from '../../src/offline/delta/actions.ts'
import { type CommitRequest, openDeltaTable } from '../../src/offline/delta/delta-table.ts'
import { ensureTable, tablePath } from '../../src/offline/delta/ensure-table.ts'
import { parseSchema } from '../../src/offline/delta/schema.ts'
import type { Snapshot } from '../../src/offline/delta/snapshot.ts'
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import { entryPath, fileAt, NOW_MS, OPTIONS, temporaryObjects, VIEW, viewOf } from './delta-view.ts'

const PATH = tablePath(VIEW)

async function newTable(objects?: ObjectStore) {
  const store = objects ?? (await temporaryObjects())
  const table = openDeltaTable(store, PATH, OPTIONS)
  const created = await ensureTable(table, VIEW, { nowMs: NOW_MS })
  return { store, table, created, other: openDeltaTable(store, PATH, OPTIONS) }
}

function append(read: Snapshot, name: string, extra: readonly Action[] = []): CommitRequest {
  return { read, actions: [{ add: fileAt(name) }, ...extra], operation: 'WRITE', onConflict: () => undefined }
}

const progress = (appId: string, version: number): Action => ({ txn: { appId, version } })
const names = (snapshot: Snapshot) => snapshot.files.map((file) => file.path)

describe('creating and evolving', () => {
  test('a table that is not there has no snapshot', async () => {
    const table = openDeltaTable(await temporaryObjects(), PATH, OPTIONS)
    expect(await table.snapshot()).toBeUndefined()
    await expect(table.snapshotAt(0)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('the first entry has protocol, schema, partitioning and settings', async () => {
    const { created, store } = await newTable()
    expect(created).toMatchObject({
      version: 0,
      protocol: { minReaderVersion: 1, minWriterVersion: 2 },
      metadata: {
        format: { provider: 'parquet', options: {} },
        partitionColumns: ['event_date'],
        configuration: { 'delta.appendOnly': 'true', 'delta.enableExpiredLogCleanup': 'false' },
        createdTime: NOW_MS,
      },
    })
    const types = parseSchema('t', created.metadata.schemaString).map(({ name, type }) => [name, type])
    expect(types).toEqual([
      ['airport', 'string'],
      ['carrier', 'long'],
      ['a_bool', 'boolean'],
      ['an_int32', 'integer'],
      ['an_int64', 'long'],
      ['a_float', 'float'],
      ['a_double', 'double'],
      ['a_string', 'string'],
      ['some_bytes', 'binary'],
      ['a_timestamp', 'timestamp'],
      ['a_list', { type: 'array', elementType: 'string', containsNull: true }],
      ['a_vector', { type: 'array', elementType: 'float', containsNull: true }],
      ['event_timestamp', 'timestamp'],
      ['created_timestamp', 'timestamp'],
      ['write_position', 'long'],
      ['write_origin', 'string'],
      ['schema_id', 'integer'],
      ['missing_features', { type: 'array', elementType: 'string', containsNull: true }],
      ['event_date', 'date'],
    ])
    const [info] = String(await store.read(entryPath(PATH, 0))).split('\n')
    expect(JSON.parse(info!)).toMatchObject({
      commitInfo: { timestamp: NOW_MS, operation: 'CREATE TABLE', engineInfo: 'Twinstore/0.0.0-test', actionCount: 2 },
    })
  })

  test('created from eight sides at once it is created once, and again changes nothing', async () => {
    const store = await temporaryObjects()
    const made = await Promise.all(
      Array.from({ length: 8 }, () => ensureTable(openDeltaTable(store, PATH, OPTIONS), VIEW, { nowMs: NOW_MS })),
    )
    expect(new Set(made.map((snapshot) => snapshot.metadata.id)).size).toBe(1)
    expect(made.map((snapshot) => snapshot.version)).toEqual(Array(8).fill(0))
  })

  test('new features become columns once, from many sides, and older definitions take nothing away', async () => {
    const store = await temporaryObjects()
    const open = () => openDeltaTable(store, PATH, OPTIONS)
    const small = viewOf({ first: 'double' })
    const large = viewOf({ first: 'double', second: 'string', third: 'vector<2>' })
    const { metadata } = await ensureTable(open(), small, { nowMs: 1 })
    const evolved = await Promise.all(
      Array.from({ length: 8 }, (_, index) => ensureTable(open(), index % 2 ? large : small, { nowMs: 2 })),
    )
    const last = (await open().snapshot())!
    expect(last.version).toBe(1)
    expect(evolved.every((snapshot, index) => index % 2 === 0 || snapshot.version === 1)).toBe(true)
    expect(last.metadata).toEqual({ ...metadata, schemaString: last.metadata.schemaString })
    const columns = parseSchema('t', last.metadata.schemaString).map(({ name }) => name)
    expect(columns.slice(0, 6)).toEqual(['airport', 'carrier', 'first', 'second', 'third', 'event_timestamp'])
    expect(columns.at(-1)).toBe('event_date')
    expect((await ensureTable(open(), small, { nowMs: 3 })).version).toBe(1)
  })

  test('another type is refused naming the column and what to do', async () => {
    const store = await temporaryObjects()
    await ensureTable(openDeltaTable(store, PATH, OPTIONS), viewOf({ first: 'list<int32>' }), { nowMs: 1 })
    await expect(
      ensureTable(openDeltaTable(store, PATH, OPTIONS), viewOf({ first: 'list<int64>' }), { nowMs: 1 }),
    ).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(/first is array<integer> and the view's is array<long>; raise the version/),
    })
  })

  test('names that differ in case only are refused', async () => {
    const table = openDeltaTable(await temporaryObjects(), PATH, OPTIONS)
    await expect(ensureTable(table, viewOf({ delay: 'double', Delay: 'double' }), { nowMs: 1 })).rejects.toMatchObject({
      message: expect.stringContaining('delay and Delay'),
    })
  })
})

describe('committing', () => {
  test('appends on the same snapshot all land', async () => {
    const { table, other, created } = await newTable()
    await table.commit(append(created, 'a', [progress('outbox/s/0', 1)]))
    const result = await other.commit(append(created, 'b', [progress('outbox/s/1', 1)]))
    expect(result).toMatchObject({ committed: true, snapshot: { version: 2 } })
    expect(names(result.snapshot)).toEqual(['a', 'b'])
    expect(await table.snapshot()).toEqual(result.snapshot)
  })

  test('the same application twice is a conflict; giving up leaves nothing behind', async () => {
    const { table, other, created } = await newTable()
    await table.commit(append(created, 'a', [progress('sync', 7)]))
    const reasons: string[] = []
    const result = await other.commit({
      ...append(created, 'b', [progress('sync', 7)]),
      onConflict(newest, reason) {
        reasons.push(`${newest.txns.get('sync')}: ${reason}`)
        return undefined
      },
    })
    expect(reasons).toEqual(['7: the progress of sync changed'])
    expect(result.committed).toBe(false)
    expect(result.snapshot).toMatchObject({ version: 1 })
    expect(names((await table.snapshot())!)).toEqual(['a'])
  })

  test('the caller can answer a conflict with other actions', async () => {
    const { table, other, created } = await newTable()
    await table.commit(append(created, 'a', [progress('sync', 7)]))
    const result = await other.commit({
      ...append(created, 'b', [progress('sync', 6)]),
      onConflict: async (newest) => [{ add: fileAt('c') }, progress('sync', newest.txns.get('sync')! + 1)],
    })
    expect(names(result.snapshot)).toEqual(['a', 'c'])
    expect(result.snapshot.txns.get('sync')).toBe(8)
  })

  test('a change of the schema is a conflict for an append, an append is none for a change of the schema', async () => {
    const { table, other, created } = await newTable()
    const change: Action = { metaData: { ...created.metadata, description: 'changed' } }
    await other.commit({ read: created, actions: [change], operation: 'x', onConflict: () => undefined })
    const lost = await table.commit(append(created, 'a'))
    expect(lost).toMatchObject({ committed: false, snapshot: { metadata: { description: 'changed' } } })
    await table.commit(append(lost.snapshot, 'a'))
    const late = { metaData: { ...created.metadata, description: 'again' } }
    const won = await other.commit({
      read: lost.snapshot,
      actions: [late],
      operation: 'x',
      onConflict: () => undefined,
    })
    expect(won).toMatchObject({ committed: true, snapshot: { version: 3 } })
  })

  test('two rewrites of the same file conflict; rows cannot be removed', async () => {
    const { table, other, created } = await newTable()
    const { snapshot: read } = await table.commit(append(created, 'a'))
    const rewrite = (to: string): CommitRequest => ({
      ...append(read, to),
      actions: [{ remove: { path: 'a', dataChange: false } }, { add: { ...fileAt(to), dataChange: false } }],
    })
    expect((await table.commit(rewrite('b'))).committed).toBe(true)
    expect((await other.commit(rewrite('c'))).committed).toBe(false)
    const deletion = { ...rewrite('d'), actions: [{ remove: { path: 'b', dataChange: true } }] }
    await expect(other.commit(deletion)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  })

  test('a writer that always loses gives up naming the limit', async () => {
    const { store, created } = await newTable()
    const winner = openDeltaTable(store, PATH, OPTIONS)
    let round = 0
    const outrun: ObjectStore = {
      ...delegating(store),
      async putIfAbsent(path, bytes) {
        await winner.commit(append((await winner.snapshot())!, `winner-${round++}`))
        return store.putIfAbsent(path, bytes)
      },
    }
    const loser = openDeltaTable(outrun, PATH, { ...OPTIONS, commitAttemptsMax: 3 })
    await expect(loser.commit(append(created, 'loser'))).rejects.toMatchObject({
      code: 'ABORTED',
      message: expect.stringContaining('commit-attempts-max'),
    })
    expect(names((await winner.snapshot())!)).toEqual(['winner-0', 'winner-1', 'winner-2'])
  })

  test('a put that failed after it landed, or was retried below, is one commit', async () => {
    for (const outcome of ['fails', 'says it was there']) {
      const { store, created } = await newTable()
      let puts = 0
      const unsure: ObjectStore = {
        ...delegating(store),
        async putIfAbsent(path, bytes) {
          const landed = await store.putIfAbsent(path, bytes)
          if (puts++ > 0) return landed
          if (outcome === 'fails') throw new Error('connection reset')
          return false
        },
      }
      const result = await openDeltaTable(unsure, PATH, OPTIONS).commit(append(created, 'a'))
      expect(result).toMatchObject({ committed: true, snapshot: { version: 1 } })
      expect(await openDeltaTable(store, PATH, OPTIONS).snapshot()).toEqual(result.snapshot)
    }
  })

  test('a put that failed before it landed is an error, or a race lost', async () => {
    const { store, created, other } = await newTable()
    let puts = 0
    const failing: ObjectStore = {
      ...delegating(store),
      async putIfAbsent(path, bytes) {
        if (puts++ > 0) return store.putIfAbsent(path, bytes)
        throw new Error('connection refused')
      },
    }
    await expect(openDeltaTable(failing, PATH, OPTIONS).commit(append(created, 'a'))).rejects.toThrow('refused')
    expect(await other.snapshot()).toMatchObject({ version: 0 })
    await other.commit(append(created, 'b'))
    puts = 0
    const result = await openDeltaTable(failing, PATH, OPTIONS).commit(append(created, 'a'))
    expect(result).toMatchObject({ committed: true, snapshot: { version: 2 } })
  })

  test('four processes commit 25 appends each: all land exactly once, in order, without a gap', async () => {
    const { store, table } = await newTable()
    const dir = store.location.slice('file:'.length)
    const script = join(store.stagingDir, 'committer.mjs')
    const entryPoint = new URL('./delta-committer.ts', import.meta.url).pathname
    await build({ entryPoints: [entryPoint], bundle: true, platform: 'node', format: 'esm', outfile: script })
    const writers = ['w0', 'w1', 'w2', 'w3']
    const run = promisify(execFile)
    await Promise.all(writers.map((name) => run(process.execPath, [script, dir, PATH, name, '25'])))
    const snapshot = (await table.snapshot())!
    expect(snapshot.version).toBe(100)
    const expected = writers.flatMap((name) =>
      Array.from({ length: 25 }, (_, index) => `event_date=2001-01-01/part-${name}-${index + 1}.parquet`),
    )
    expect(new Set(names(snapshot))).toEqual(new Set(expected))
    const seen: Record<string, number[]> = {}
    for (let version = 1; version <= 100; version++) {
      for (const line of String(await store.read(entryPath(PATH, version))).split('\n')) {
        const { txn } = line === '' ? {} : JSON.parse(line)
        if (txn) seen[txn.appId] = [...(seen[txn.appId] ?? []), txn.version]
      }
    }
    const inOrder = Array.from({ length: 25 }, (_, index) => index + 1)
    expect(seen).toEqual(Object.fromEntries(writers.map((name) => [`outbox/${name}/0`, inOrder])))
  })
})

describe('reading', () => {
  async function tableOf(versions: number) {
    const made = await newTable()
    let read = made.created
    for (let version = 1; version <= versions; version++) {
      read = (await made.table.commit(append(read, `file-${version}`, [progress('sync', version)]))).snapshot
    }
    return { ...made, fresh: openDeltaTable(made.store, PATH, OPTIONS) }
  }

  test('every version can be read again, by whoever', async () => {
    const { table, fresh } = await tableOf(10)
    for (const reader of [table, fresh]) {
      for (let version = 10; version >= 0; version--) {
        const snapshot = await reader.snapshotAt(version)
        expect(snapshot.version).toBe(version)
        expect(snapshot.files).toHaveLength(version)
        expect(snapshot.txns.get('sync')).toBe(version || undefined)
      }
    }
    for (const version of [11, -1, 1.5]) {
      await expect(table.snapshotAt(version)).rejects.toMatchObject({
        code: 'NOT_FOUND',
        message: expect.stringContaining('versions 0 to 10'),
      })
    }
  })

  test('a snapshot is extended by newer entries only', async () => {
    const { store, table, fresh } = await tableOf(9)
    const reads: string[] = []
    const counted = openDeltaTable(
      {
        ...delegating(store),
        read(path) {
          reads.push(path)
          return store.read(path)
        },
      },
      PATH,
      OPTIONS,
    )
    await counted.snapshot()
    expect(reads.splice(0)).toEqual([
      `${PATH}/_delta_log/_last_checkpoint`,
      ...Array.from({ length: 10 }, (_, version) => entryPath(PATH, version)),
    ])
    await counted.snapshot()
    expect(reads).toEqual([])
    const { snapshot } = await table.commit(append((await table.snapshot())!, 'next'))
    expect(await counted.snapshot()).toEqual(snapshot)
    expect(reads).toEqual([entryPath(PATH, 10)])
    expect(await fresh.snapshot()).toEqual(snapshot)
  })

  test.each([0, 3, 5])(
    'a missing entry %i is DATA_LOSS naming it, for a first reader and for one that goes on',
    async (lost) => {
      const { store, table, fresh, created } = await tableOf(2)
      const read = (await fresh.snapshot())!
      for (const name of ['a', 'b', 'c', 'd']) await table.commit(append(created, name))
      await store.delete(entryPath(PATH, lost))
      const failure = { code: 'DATA_LOSS', message: expect.stringContaining(entryPath(PATH, lost)) }
      await expect(openDeltaTable(store, PATH, OPTIONS).snapshot()).rejects.toMatchObject(failure)
      if (lost > read.version) await expect(fresh.snapshot()).rejects.toMatchObject(failure)
    },
  )

  test('a lost tail is noticed where a checksum or checkpoint vouches for it', async () => {
    const { store, fresh } = await tableOf(2)
    await store.put(`${PATH}/_delta_log/${'3'.padStart(20, '0')}.crc`, Buffer.from('{}'))
    await expect(fresh.snapshot()).rejects.toMatchObject({ code: 'DATA_LOSS' })
  })

  test.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length - 20)],
    ['empty', () => Buffer.alloc(0)],
    ['other bytes', () => Buffer.from([0xff, 0xfe, 0x00])],
  ])('an entry that is damaged (%s) is DATA_LOSS naming it', async (_, damage) => {
    const { store, fresh } = await tableOf(3)
    await store.put(entryPath(PATH, 2), damage((await store.read(entryPath(PATH, 2)))!))
    await expect(fresh.snapshot()).rejects.toMatchObject({
      code: 'DATA_LOSS',
      message: expect.stringContaining(entryPath(PATH, 2)),
    })
  })

  test.each([
    ['_last_checkpoint', 0],
    [`${'2'.padStart(20, '0')}.checkpoint.parquet`, 2],
  ])('with %s in the place of entries the error says so', async (name, deletedThrough) => {
    const { store, fresh } = await tableOf(3)
    await store.put(`${PATH}/_delta_log/${name}`, Buffer.from('{"version":2,"size":4}'))
    await fresh.snapshot()
    for (let version = 0; version <= deletedThrough; version++) await store.delete(entryPath(PATH, version))
    const failure = { code: 'FAILED_PRECONDITION', message: expect.stringContaining(name) }
    await expect(openDeltaTable(store, PATH, OPTIONS).snapshot()).rejects.toMatchObject(failure)
    for (let version = 0; version <= 3; version++) await store.delete(entryPath(PATH, version))
    await expect(openDeltaTable(store, PATH, OPTIONS).snapshot()).rejects.toMatchObject(failure)
  })

  test('a table that is gone is no empty table, and one that was made again is read anew', async () => {
    const { store, table } = await tableOf(5)
    for (let version = 0; version <= 5; version++) await store.delete(entryPath(PATH, version))
    await expect(table.snapshot()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(`${PATH} was at version 5 and its log is gone`),
    })
    const again = await ensureTable(openDeltaTable(store, PATH, OPTIONS), VIEW, { nowMs: NOW_MS })
    expect(await table.snapshot()).toEqual(again)
  })

  test('a table that another engine raised beyond us is refused when read', async () => {
    const { store, fresh } = await tableOf(1)
    const protocol = {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ['deletionVectors'],
      writerFeatures: [],
    }
    await store.put(entryPath(PATH, 2), Buffer.from(JSON.stringify({ protocol })))
    await expect(fresh.snapshot()).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('deletionVectors'),
    })
  })
})

/** The store itself, for changing single methods of it. */
function delegating(store: ObjectStore): ObjectStore {
  return {
    location: store.location,
    stagingDir: store.stagingDir,
    read: (path) => store.read(path),
    putIfAbsent: (path, bytes) => store.putIfAbsent(path, bytes),
    put: (path, bytes) => store.put(path, bytes),
    upload: (file, path) => store.upload(file, path),
    list: (prefix, startAfter) => store.list(prefix, startAfter),
    delete: (path) => store.delete(path),
    borrow: (path) => store.borrow(path),
  }
}

test('two stores over one folder are one table', async () => {
  const { store, created, table } = await newTable()
  const second = openDeltaTable(await openFolderObjects(store.location.slice('file:'.length)), PATH, OPTIONS)
  await second.commit(append(created, 'a'))
  expect(names((await table.snapshot())!)).toEqual(['a'])
})
