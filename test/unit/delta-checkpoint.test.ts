/** Checkpoints: what is written is what is read, by us and by a reader of the protocol alone; and none of them is needed. */
import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Action, AddFile } from '../../src/offline/delta/actions.ts'
import { completeCheckpoints } from '../../src/offline/delta/checkpoint-files.ts'
import { type DeltaTable, openDeltaTable } from '../../src/offline/delta/delta-table.ts'
import { ensureTable, tablePath } from '../../src/offline/delta/ensure-table.ts'
import type { Snapshot } from '../../src/offline/delta/snapshot.ts'
import { createInlineEngine } from '../../src/offline/duckdb/job-runner.ts'
import type { OfflineEngine } from '../../src/offline/engine.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import { readDeltaTable } from '../support/delta-reader.ts'
import { entryPath, fileAt, NOW_MS, OPTIONS, temporaryObjects, VIEW, viewOf } from './delta-view.ts'

const PATH = tablePath(VIEW)
const DAY_MS = 86_400_000

let folder: string
let engine: OfflineEngine

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinstore-checkpoint-'))
  const limits = { memoryBytes: 200_000_000, threads: 1, spillDir: folder, spillBytesMax: 0, sliceValuesMax: 1 }
  engine = createInlineEngine(limits, systemClock)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Opened {
  readonly objects: ObjectStore
  /** What could not be written or read. */
  readonly faults: TwinstoreError[]
  table(everyVersions?: number, through?: ObjectStore): DeltaTable
}

async function openTables(): Promise<Opened> {
  const objects = await temporaryObjects()
  const faults: TwinstoreError[] = []
  const checkpoints = { engine, tombstoneAgeMs: 7 * DAY_MS, onFault: (fault: TwinstoreError) => faults.push(fault) }
  return {
    objects,
    faults,
    table: (everyVersions = 3, through = objects) =>
      openDeltaTable(through, PATH, { ...OPTIONS, checkpoints: { ...checkpoints, everyVersions } }),
  }
}

async function commit(table: DeltaTable, actions: readonly Action[]): Promise<Snapshot> {
  const { snapshot } = await table.commit({
    read: await table.snapshot(),
    actions,
    operation: 'WRITE',
    onConflict: () => undefined,
  })
  await table.settled()
  return snapshot
}

const rewrite = (removed: string, added: AddFile): Action[] => [
  { remove: { path: removed, dataChange: false, deletionTimestamp: NOW_MS + DAY_MS } },
  { add: { ...added, dataChange: false } },
]

/** A table with versions 0 to 7 and checkpoints of 3 and 6. */
async function tableWithCheckpoints() {
  const opened = await openTables()
  const table = opened.table()
  await ensureTable(table, VIEW, { nowMs: NOW_MS })
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    await commit(table, [{ add: fileAt(name, '{"numRecords":1}') }, { txn: { appId: 'sync', version: NOW_MS } }])
  }
  await commit(table, rewrite('a', { ...fileAt('ab'), tags: { 'twinstore.row-versions': '1-2' } }))
  const newest = await commit(table, [{ add: fileAt('é ? # %.parquet') }])
  expect(opened.faults).toEqual([])
  return { ...opened, newest }
}

/** Notes what is read. */
function watched(objects: ObjectStore, reads: string[]): ObjectStore {
  return new Proxy(objects, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        if (name === 'read' || name === 'borrow') reads.push((args[0] as string).slice(`${PATH}/_delta_log/`.length))
        return (value as (...all: unknown[]) => unknown).apply(target, args)
      }
    },
  })
}

const logFile = (version: number, ending = '.checkpoint.parquet') =>
  `${PATH}/_delta_log/${String(version).padStart(20, '0')}${ending}`
const inFolder = (objects: ObjectStore, path: string) => join(objects.location.slice('file:'.length), path)
const json = (version: number) => `${String(version).padStart(20, '0')}.json`

describe('a table with checkpoints', () => {
  test('is read from the newest one and the entries after it, and is the same table', async () => {
    const { objects, table, newest, faults } = await tableWithCheckpoints()
    const reads: string[] = []
    expect(await table(3, watched(objects, reads)).snapshot()).toEqual(newest)
    expect(reads).toEqual(['_last_checkpoint', '00000000000000000006.checkpoint.parquet', json(7)])
    expect(await openDeltaTable(objects, PATH, OPTIONS).snapshot()).toEqual(newest)
    expect(faults).toEqual([])
  })

  test('gives every version, each from the newest checkpoint that is not newer', async () => {
    const { objects, table } = await tableWithCheckpoints()
    const plain = openDeltaTable(objects, PATH, OPTIONS)
    const reads: string[] = []
    const read = table(3, watched(objects, reads))
    await read.snapshot()
    for (let version = 0; version < 7; version++) {
      reads.length = 0
      expect(await read.snapshotAt(version)).toEqual(await plain.snapshotAt(version))
      expect(reads.filter((name) => name.endsWith('.json'))).toHaveLength(version < 3 ? version + 1 : version % 3)
    }
  })

  test('is one to a reader of the protocol alone, and says so in _last_checkpoint', async () => {
    const { objects, newest } = await tableWithCheckpoints()
    const read = await readDeltaTable(inFolder(objects, PATH))
    expect(read.checkpoints).toEqual([3, 6])
    expect(read.files.map((file) => file.path).sort()).toEqual(newest.files.map((file) => file.path).sort())
    const last = JSON.parse((await objects.read(`${PATH}/_delta_log/_last_checkpoint`))!.toString('utf8'))
    // Protocol, metadata, one application, one tombstone, five files.
    expect(last).toMatchObject({ version: 6, size: 9, numOfAddFiles: 5, sizeInBytes: expect.any(Number) })
  })

  test('needs no entry that a checkpoint stands for', async () => {
    const { objects, table, newest } = await tableWithCheckpoints()
    for (let version = 0; version <= 6; version++) await objects.delete(entryPath(PATH, version))
    expect(await table().snapshot()).toEqual(newest)
    expect((await table().snapshotAt(6)).version).toBe(6)
    expect((await table().snapshotAt(3)).version).toBe(3)
    await expect(table().snapshotAt(5)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining(`${entryPath(PATH, 4)} is missing`),
    })
  })

  test('has a hole if an entry after the checkpoint is missing: an error with its name', async () => {
    const { objects, table } = await tableWithCheckpoints()
    const reader = table()
    await commit(reader, [{ add: fileAt('f') }])
    await objects.delete(entryPath(PATH, 7))
    await expect(table().snapshot()).rejects.toMatchObject({ message: expect.stringContaining(entryPath(PATH, 7)) })
  })

  test.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)],
    ['empty', () => Buffer.alloc(0)],
    ['other bytes', () => Buffer.from('PAR1 and nothing else PAR1')],
  ])('whose newest checkpoint is damaged (%s) is read from an older one', async (_, damage) => {
    const { objects, table, newest, faults } = await tableWithCheckpoints()
    await objects.put(logFile(6), damage(await readFile(inFolder(objects, logFile(6)))))
    const reads: string[] = []
    expect(await table(3, watched(objects, reads)).snapshot()).toEqual(newest)
    expect(reads).toContain('00000000000000000003.checkpoint.parquet')
    expect(reads.filter((name) => name.endsWith('.json'))).toEqual([4, 5, 6, 7].map(json))
    expect(faults).toHaveLength(1)
  })

  test('is not fooled by a checkpoint that is sound Parquet with other actions', async () => {
    const { objects, table, newest, faults } = await tableWithCheckpoints()
    await objects.put(logFile(6), await readFile(inFolder(objects, logFile(3))))
    expect(await table().snapshot()).toEqual(newest)
    // Sound as it is, it stands for version 3: only its name lies, which the version inside tells.
    expect(faults.map((fault) => fault.code)).toEqual(['DATA_LOSS'])
  })

  test('is read whole if all checkpoints are gone, whatever _last_checkpoint says', async () => {
    for (const pointer of ['{"version":6,"size":8}', '{"version":600,"size":8}', 'nonsense', '{}']) {
      const { objects, table, newest } = await tableWithCheckpoints()
      await objects.delete(logFile(3))
      await objects.delete(logFile(6))
      await objects.put(`${PATH}/_delta_log/_last_checkpoint`, Buffer.from(pointer))
      expect(await table().snapshot()).toEqual(newest)
    }
  })
})

describe('writing', () => {
  test('a checkpoint that cannot be written is no failure of its commit, and the next one is due as ever', async () => {
    const { objects, faults } = await openTables()
    let broken = true
    const failing: Pick<OfflineEngine, 'run'> = {
      run: (kind, input) =>
        broken ? Promise.reject(new TwinstoreError('UNAVAILABLE', 'no engine')) : engine.run(kind, input),
    }
    const table = openDeltaTable(objects, PATH, {
      ...OPTIONS,
      checkpoints: {
        engine: failing,
        everyVersions: 1,
        tombstoneAgeMs: DAY_MS,
        onFault: (fault) => faults.push(fault),
      },
    })
    await ensureTable(table, VIEW, { nowMs: NOW_MS })
    expect((await commit(table, [{ add: fileAt('a') }])).version).toBe(1)
    expect(faults).toMatchObject([{ code: 'UNAVAILABLE' }])
    broken = false
    await commit(table, [{ add: fileAt('b') }])
    expect((await readDeltaTable(inFolder(objects, PATH))).checkpoints).toEqual([2])
  })

  test('0 writes none', async () => {
    const { objects, table } = await openTables()
    const off = table(0)
    await ensureTable(off, VIEW, { nowMs: NOW_MS })
    for (const name of ['a', 'b', 'c']) await commit(off, [{ add: fileAt(name) }])
    expect((await readDeltaTable(inFolder(objects, PATH))).checkpoints).toEqual([])
  })

  test('leaves out tombstones that are older than files are kept', async () => {
    const { objects, table } = await openTables()
    const every = table(1)
    await ensureTable(every, VIEW, { nowMs: NOW_MS })
    const written = (path: string): Action => ({ add: { ...fileAt(path), modificationTime: NOW_MS - 9 * DAY_MS } })
    await commit(every, [written('old'), written('young')])
    const removed = (path: string, deletionTimestamp: number): Action => ({
      remove: { path, dataChange: false, deletionTimestamp },
    })
    await commit(every, [removed('old', NOW_MS - 8 * DAY_MS), removed('young', NOW_MS - 6 * DAY_MS)])
    expect((await table().snapshot())!.tombstones.map((file) => file.path)).toEqual(['young'])
    expect((await openDeltaTable(objects, PATH, OPTIONS).snapshot())!.tombstones).toHaveLength(2)
  })

  test('any snapshot comes back as it was', async () => {
    const { objects, table } = await openTables()
    await ensureTable(table(), VIEW, { nowMs: NOW_MS })
    const every = table(1)
    const text = fc.string({ unit: 'grapheme', maxLength: 6 }).filter((value) => value.isWellFormed())
    const noNul = text.filter((value) => !value.includes('\0'))
    const file = fc.record({
      size: fc.maxSafeInteger().map(Math.abs),
      partitionValues: fc.dictionary(noNul, fc.option(noNul), { maxKeys: 2 }),
      stats: fc.option(
        fc.dictionary(text, text).map((value) => JSON.stringify(value)),
        { nil: undefined },
      ),
      tags: fc.option(fc.dictionary(noNul, noNul, { minKeys: 1, maxKeys: 2 }), { nil: undefined }),
      rearranged: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(file, { maxLength: 4 }), noNul, fc.maxSafeInteger(), async (files, appId, version) => {
        const adds = files.map(({ size, partitionValues, stats, tags, rearranged }): Action => {
          const known = { ...(stats === undefined ? {} : { stats }), ...(tags === undefined ? {} : { tags }) }
          const add = { ...fileAt(`f/${randomUUID()}`), size, partitionValues, dataChange: !rearranged, ...known }
          return { add }
        })
        const snapshot = await commit(every, [...adds, { txn: { appId, version } }])
        const reads: string[] = []
        expect(await table(1, watched(objects, reads)).snapshot()).toEqual(snapshot)
        expect(reads.filter((name) => name.endsWith('.json'))).toEqual([])
      }),
      { numRuns: 12 },
    )
  })
})

describe('checkpoints of other engines', () => {
  /** Writes a checkpoint of version 1 with what the protocol's own example columns hold, in `parts` files. */
  async function foreign(objects: ObjectStore, parts: number, extra = ''): Promise<void> {
    const dir = join(folder, randomUUID())
    await mkdir(dir)
    const entries = await Promise.all(
      [0, 1].map(async (version) => (await objects.read(entryPath(PATH, version)))!.toString('utf8')),
    )
    await writeFile(join(dir, 'actions.json'), entries.join(''))
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    await connection.run(`CREATE TABLE actions AS SELECT protocol, metaData, add, row_number() OVER () AS n ${extra}
      FROM read_json('${join(dir, 'actions.json')}', format = 'newline_delimited', map_inference_threshold = 0)
      WHERE commitInfo IS NULL`)
    for (let part = 1; part <= parts; part++) {
      const name = parts === 1 ? '' : `.${String(part).padStart(10, '0')}.${String(parts).padStart(10, '0')}`
      const target = join(dir, `part-${part}.parquet`)
      await connection.run(`COPY (SELECT * EXCLUDE n FROM actions WHERE n % ${parts} = ${part - 1}) TO '${target}'`)
      await objects.upload(target, logFile(1, `.checkpoint${name}.parquet`))
    }
    connection.closeSync()
  }

  async function tableOfTwo() {
    const opened = await openTables()
    await ensureTable(opened.table(0), VIEW, { nowMs: NOW_MS })
    await commit(opened.table(0), [{ add: { ...fileAt('a', '{"numRecords":1}'), tags: { x: 'y' } } }])
    return opened
  }

  test.each([1, 2])('in %i parts is read', async (parts) => {
    const { objects, table, faults } = await tableOfTwo()
    const before = await table().snapshot()
    await foreign(objects, parts)
    await objects.delete(entryPath(PATH, 0))
    await objects.delete(entryPath(PATH, 1))
    expect(await table().snapshot()).toEqual(before)
    expect(faults).toEqual([])
  })

  test('with a part missing is no checkpoint', async () => {
    const { objects, table, faults } = await tableOfTwo()
    await foreign(objects, 2)
    await objects.delete(logFile(1, '.checkpoint.0000000001.0000000002.parquet'))
    expect((await table().snapshot())!.version).toBe(1)
    expect(faults).toEqual([])
  })

  test('of the second specification is refused by name, and the log is read', async () => {
    const { objects, table, faults } = await tableOfTwo()
    await foreign(objects, 1, ', {version: 1} AS checkpointMetadata')
    expect((await table().snapshot())!.version).toBe(1)
    expect(faults).toMatchObject([{ code: 'FAILED_PRECONDITION', message: expect.stringContaining('v2Checkpoint') }])
  })

  test('are told from other files by their names', () => {
    const digits = (version: number) => String(version).padStart(20, '0')
    const parts = (version: number, of: number) =>
      Array.from({ length: of }, (_, index) =>
        [
          digits(version),
          'checkpoint',
          String(index + 1).padStart(10, '0'),
          String(of).padStart(10, '0'),
          'parquet',
        ].join('.'),
      )
    const names = [
      `${digits(4)}.checkpoint.parquet`,
      ...parts(4, 2),
      ...parts(7, 3),
      ...parts(9, 2).slice(1),
      `${digits(11)}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet`,
      `${digits(12)}.json`,
      `${digits(13)}.crc`,
    ]
    expect(completeCheckpoints(names)).toEqual([
      { version: 7, names: parts(7, 3) },
      { version: 4, names: [`${digits(4)}.checkpoint.parquet`] },
    ])
  })
})

test('files that a column was added for later keep their checkpointed schema', async () => {
  const { table } = await openTables()
  const wide = viewOf({ ...Object.fromEntries(VIEW.features.map(({ name }) => [name, 'int64'])) })
  await ensureTable(table(1), viewOf({ a: 'int64' }), { nowMs: NOW_MS })
  const evolved = await ensureTable(table(1), wide, { nowMs: NOW_MS })
  const opened = table(1)
  await commit(opened, [{ add: fileAt('x') }])
  expect((await table().snapshot())!.metadata).toEqual(evolved.metadata)
})
