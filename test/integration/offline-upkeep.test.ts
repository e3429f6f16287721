/**
 * Compaction and vacuum over real tables: no row changes at any version, whatever else goes on. In a folder, and in S3 when
 * `offline-store-s3.test.ts` loads this.
 */
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import type { Action, AddFile } from '../../src/offline/delta/actions.ts'
import { openDeltaTable } from '../../src/offline/delta/delta-table.ts'
import type { Snapshot } from '../../src/offline/delta/snapshot.ts'
import { readDeltaTable } from '../support/delta-reader.ts'
import { sharedBench, viewOf } from './offline-store-fixtures.ts'
import {
  ALL,
  around,
  batchOf,
  DAY_MICROS,
  DAY_MS,
  expectVersions,
  openUpkeep,
  smallFiles,
  TABLE,
  trainingRequest,
  type Upkeep,
  VACUUM,
  VIEW,
} from './offline-upkeep-fixture.ts'

const bench = sharedBench()

/** The table by itself, for what other engines do to it. */
const tableOf = (upkeep: Upkeep) =>
  openDeltaTable(upkeep.objects, TABLE, {
    clock: systemClock,
    engineInfo: 'Other/1.0',
    commitAttemptsMax: 1,
    logReadsMax: 8,
  })

async function commit(upkeep: Upkeep, decide: (read: Snapshot) => readonly Action[]): Promise<void> {
  const table = tableOf(upkeep)
  const read = (await table.snapshot())!
  await table.commit({ read, actions: decide(read), operation: 'OTHER', onConflict: () => undefined })
}

async function copy(upkeep: Upkeep, from: string, to: string): Promise<void> {
  await upkeep.objects.put(`${TABLE}/${to}`, (await upkeep.objects.read(`${TABLE}/${from}`))!)
}

describe('compaction', () => {
  test('leaves one file per partition, every row, and every version as it was', async () => {
    const upkeep = await smallFiles(bench)
    const result = await upkeep.store.compact(VIEW, ALL)
    expect(result).toMatchObject({ filesRemoved: 15, filesAdded: 3, tableVersion: 6, groupsLeft: 0, groupsLost: 0 })
    expect(await upkeep.store.status(VIEW)).toMatchObject({ files: 3, rows: 30, tableVersion: 6 })
    await expectVersions(upkeep, [...upkeep.digests, upkeep.digests[5]!])
    const { files, version } = await readDeltaTable(await upkeep.folder())
    expect(version).toBe(6)
    expect(files.map(({ stats }) => stats.numRecords)).toEqual([10, 10, 10])
    expect(files.map(({ stats }) => [stats.minValues['k'], stats.maxValues['k']])).toEqual(
      Array.from({ length: 3 }, () => ['entity-a', 'entity-c']),
    )
    expect(await upkeep.store.compact(VIEW, ALL)).toMatchObject({ filesRemoved: 0, tableVersion: 6 })
  })

  test('of compacted files and new ones keeps to the same', async () => {
    const upkeep = await smallFiles(bench, 3)
    const { digests } = upkeep
    for (let number = 4; number <= 8; number++) {
      digests.push(digests.at(-1)!)
      await upkeep.store.compact(VIEW, ALL)
      digests.push(await upkeep.digest(await upkeep.append(number)))
    }
    await upkeep.store.compact(VIEW, ALL)
    expect(await upkeep.store.status(VIEW)).toMatchObject({ files: 3, rows: 48 })
    await expectVersions(upkeep, digests)
    await readDeltaTable(await upkeep.folder())
    expect(upkeep.faults).toEqual([])
  })

  test('carries over features that the definitions do not have any more, and ones of other engines', async () => {
    const upkeep = await smallFiles(bench, 3)
    await commit(upkeep, ({ metadata }) => {
      const schema = JSON.parse(metadata.schemaString) as { fields: unknown[] }
      const added = { name: 'theirs', type: 'decimal(10,2)', nullable: true, metadata: {} }
      return [
        { metaData: { ...metadata, schemaString: JSON.stringify({ ...schema, fields: [...schema.fields, added] }) } },
      ]
    })
    const narrow = viewOf({ n: 'int64' })
    expect(await upkeep.store.compact(narrow, ALL)).toMatchObject({ filesAdded: 3 })
    await expectVersions(upkeep, upkeep.digests)
  })

  test('of a month partitioned by days keeps every row in its own partition', async () => {
    const upkeep = await smallFiles(bench, 2)
    const byMonth = { ...VIEW, partitionBy: 'month' as const }
    await upkeep.store.append(byMonth, [batchOf(3)])
    const digest = await upkeep.digest(3)
    await upkeep.store.compact(byMonth, ALL)
    const { files } = await readDeltaTable(await upkeep.folder())
    expect(files.map((file) => file.partitionValues['event_date']).sort()).toEqual([
      '1970-01-01',
      '1970-01-02',
      '1970-01-03',
    ])
    expect(await upkeep.digest(3)).toBe(digest)
  })

  test('only says what it would do if asked to, and keeps to the bounds of a run', async () => {
    const upkeep = await smallFiles(bench)
    const before = await upkeep.files()
    expect(await upkeep.store.compact(VIEW, { ...ALL, dryRun: true })).toMatchObject({
      filesRemoved: 15,
      filesAdded: 3,
    })
    expect(await upkeep.files()).toEqual(before)
    const bounded = { ...ALL, runBytesMax: 1, batchFilesMax: 1 }
    expect(await upkeep.store.compact(VIEW, bounded)).toMatchObject({ filesRemoved: 5, filesAdded: 1, groupsLeft: 2 })
    expect(await upkeep.store.compact(VIEW, bounded)).toMatchObject({ filesRemoved: 5, groupsLeft: 1 })
  })

  test('is not disturbed by appends, a schema that evolves, or a checkpoint', async () => {
    const upkeep = await smallFiles(bench, 3)
    const wider = viewOf({ n: 'int64', text: 'string', list: 'list<double>', v: 'vector<2>', later: 'int64' })
    const before = async () => {
      await upkeep.append(4)
      await upkeep.store.prepare(wider)
      await upkeep.append(5, upkeep.store, wider)
    }
    const compactor = upkeep.another({ engine: around(bench.engine, 'compact', { before }) })
    expect(await compactor.compact(VIEW, ALL)).toMatchObject({ filesRemoved: 9, filesAdded: 3, groupsLost: 0 })
    expect(await upkeep.store.status(VIEW)).toMatchObject({ rows: 30, files: 9, tableVersion: 7 })
    await expectVersions(upkeep, upkeep.digests)
    expect(await upkeep.digest(6)).toBe(await upkeep.digest(7))
    expect((await upkeep.store.history(wider, { entity: ['entity-a'], limit: 100 })).rows).toHaveLength(10)
    await readDeltaTable(await upkeep.folder())
  })

  test('by two at the same time is done by one, and the other leaves nothing behind', async () => {
    const upkeep = await smallFiles(bench)
    const first = () => upkeep.store.compact(VIEW, ALL)
    const second = upkeep.another({ engine: around(bench.engine, 'compact', { after: first }) })
    expect(await second.compact(VIEW, ALL)).toMatchObject({ filesRemoved: 0, filesAdded: 0, groupsLost: 3 })
    expect(await upkeep.store.status(VIEW)).toMatchObject({ rows: 30, files: 3 })
    const { files, parquetFiles } = await readDeltaTable(await upkeep.folder())
    expect(parquetFiles).toHaveLength(files.length + 15)
    await expectVersions(upkeep, upkeep.digests)
  })

  test('of one view runs once in a process', async () => {
    const upkeep = await smallFiles(bench, 2)
    const both = await Promise.allSettled([upkeep.store.compact(VIEW, ALL), upkeep.store.compact(VIEW, ALL)])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'ABORTED' } })
  })

  test('of a damaged file changes nothing and names it', async () => {
    const upkeep = await smallFiles(bench, 2)
    const [damaged] = await upkeep.files()
    await upkeep.objects.put(`${TABLE}/${damaged}`, Buffer.from('not Parquet'))
    await expect(upkeep.store.compact(VIEW, ALL)).rejects.toMatchObject({
      code: 'DATA_LOSS',
      message: expect.stringContaining(damaged!),
    })
    expect(await upkeep.store.status(VIEW)).toMatchObject({ files: 6, tableVersion: 2 })
    expect(await upkeep.files()).toHaveLength(6)
  })

  test('that is cancelled stops, with what it had committed', async () => {
    const upkeep = await smallFiles(bench)
    const controller = new AbortController()
    const cancelling = upkeep.another({
      engine: around(bench.engine, 'compact', { after: async () => controller.abort() }),
    })
    await expect(
      cancelling.compact(VIEW, { ...ALL, batchFilesMax: 1 }, { signal: controller.signal }),
    ).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(await upkeep.store.status(VIEW)).toMatchObject({ files: 11, rows: 30 })
    await expectVersions(upkeep, upkeep.digests)
  })

  test('of a view without a table does nothing', async () => {
    const { store } = await openUpkeep(bench)
    expect(await store.compact(VIEW, ALL)).toMatchObject({ tableVersion: -1, filesRemoved: 0 })
    expect(await store.vacuum(VIEW, VACUUM)).toMatchObject({ deleted: 0 })
  })
})

describe('pins', () => {
  test('give the same bytes after new rows, compaction, vacuum, and the clean-up of the log', async () => {
    const upkeep = await smallFiles(bench, 4)
    const [service, request] = await trainingRequest(upkeep.dir)
    const first = await upkeep.store.trainingSet(service, request)
    expect(first.pin.tables).toEqual({ v: 4 })
    const pinned = { ...request, tableVersions: first.pin.tables }
    const again = async (store = upkeep.store) => (await store.trainingSet(service, pinned)).pin

    await upkeep.append(5)
    await upkeep.store.compact(VIEW, ALL)
    expect(await again()).toEqual(first.pin)
    await upkeep.append(6)
    await upkeep.store.compact(VIEW, ALL)
    await upkeep.later(2 * DAY_MS)
    expect(await upkeep.store.vacuum(VIEW, VACUUM)).toMatchObject({ deleted: 21, kept: 0 })
    expect(await upkeep.files()).toHaveLength(3)
    expect(await again()).toEqual(first.pin)
    await expectVersions(upkeep, upkeep.digests)

    // A checkpoint of version 8 stands in for all entries; other engines may then clean them up.
    await upkeep.later(2 * DAY_MS)
    expect(upkeep.faults).toEqual([])
    for (let version = 0; version <= 8; version++) {
      await upkeep.objects.delete(`${TABLE}/_delta_log/${String(version).padStart(20, '0')}.json`)
    }
    const cleaned = upkeep.another()
    expect(await again(cleaned)).toEqual(first.pin)
    const newest = await cleaned.trainingSet(service, request)
    expect(newest.pin.tables).toEqual({ v: 8 })
    expect(newest.sha256).not.toBe(first.sha256)
  })

  test('hold for what is asked of single entities and times, too', async () => {
    const upkeep = await smallFiles(bench, 6)
    const asked = async () => {
      const found: string[] = []
      for (let tableVersion = 0; tableVersion <= 6; tableVersion++) {
        for (const filter of [{ entities: [['entity-b']] }, { latestOnly: true }, { fromMicros: DAY_MICROS }]) {
          const dataset = await upkeep.store.export(VIEW, { format: 'csv', tableVersion, ...filter })
          found.push(`${dataset.rows} rows ${dataset.sha256}`)
        }
      }
      return found
    }
    const before = await asked()
    await upkeep.store.compact(VIEW, ALL)
    expect(await upkeep.store.status(VIEW)).toMatchObject({ files: 3 })
    expect(await asked()).toEqual(before)
  })

  test('of versions before Twinstore wrote them down are known from the log', async () => {
    const upkeep = await smallFiles(bench, 2)
    // Another engine's file: the tag with its version is missing.
    await commit(upkeep, (read) => {
      const add = read.files[0]! as AddFile
      const { 'twinstore.version': _, ...tags } = add.tags!
      const path = add.path.replace('part-', 'theirs-')
      return [{ add: { ...add, path, tags, dataChange: true } }]
    })
    const [original] = (await tableOf(upkeep).snapshot())!.files
    await copy(upkeep, original!.path, original!.path.replace('part-', 'theirs-'))
    const entry = `${TABLE}/_delta_log/${'3'.padStart(20, '0')}.json`
    const stripped = (await upkeep.objects.read(entry))!
      .toString('utf8')
      .replaceAll('"twinstore.version":"3"', '"x":"y"')
    expect(stripped).not.toContain('twinstore.version')
    await upkeep.objects.put(entry, Buffer.from(stripped))
    upkeep.digests.push(await upkeep.digest(3))
    expect(new Set(upkeep.digests).size).toBe(4)
    await upkeep.store.compact(VIEW, ALL)
    await upkeep.later(2 * DAY_MS)
    await upkeep.store.vacuum(VIEW, VACUUM)
    await expectVersions(upkeep, upkeep.digests)
  })

  test('of a table that another engine rearranged are read from the files of their time, which vacuum keeps', async () => {
    const upkeep = await smallFiles(bench, 3)
    // As delta-rs does it: the same rows in another file, and nothing about when they came.
    const [one] = (await tableOf(upkeep).snapshot())!.files
    const path = one!.path.replace('part-', 'theirs-')
    await copy(upkeep, one!.path, path)
    await commit(upkeep, () => {
      const { tags: _, ...theirs } = one!
      const remove = { path: one!.path, dataChange: false, deletionTimestamp: systemClock.nowMicros() / 1000 }
      return [{ remove }, { add: { ...theirs, path, dataChange: false } }]
    })
    await expectVersions(upkeep, [...upkeep.digests, upkeep.digests[3]!])
    expect(await upkeep.store.compact(VIEW, ALL)).toMatchObject({ filesRemoved: 8, filesAdded: 3 })
    await upkeep.later(2 * DAY_MS)
    expect(await upkeep.store.vacuum(VIEW, VACUUM)).toMatchObject({ deleted: 0, kept: 9 })
    await expectVersions(upkeep, [...upkeep.digests, upkeep.digests[3]!])
  })

  test('beyond the newest version are NOT_FOUND', async () => {
    const upkeep = await smallFiles(bench, 1)
    for (const version of [2, -2, 0.5]) {
      await expect(upkeep.digest(version)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    }
  })
})

test('reads that began before a compaction end as they would have', async () => {
  const upkeep = await smallFiles(bench)
  const meanwhile = async () => {
    await upkeep.store.compact(VIEW, ALL)
    await upkeep.store.vacuum(VIEW, VACUUM)
    await upkeep.append(6)
  }
  const reader = upkeep.another({
    engine: around(around(bench.engine, 'export', { before: meanwhile }), 'latest', { before: meanwhile }),
  })
  const { sha256, rows, tableVersion } = await reader.export(VIEW, { format: 'parquet' })
  expect({ rows, tableVersion }).toEqual({ rows: 30, tableVersion: 5 })
  expect((await upkeep.store.export(VIEW, { format: 'parquet', tableVersion: 5 })).sha256).toBe(sha256)
  expect((await reader.latest(VIEW)).rows).toBe(3)
})
