/** Which files vacuum deletes, by their age. In a folder, where a test can make a file old. */
import { randomUUID } from 'node:crypto'
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { readDeltaTable } from '../support/delta-reader.ts'
import { sharedBench } from './offline-store-fixtures.ts'
import {
  ALL,
  DAY_MS,
  expectVersions,
  openUpkeep,
  smallFiles,
  TABLE,
  type Upkeep,
  VACUUM,
  VIEW,
} from './offline-upkeep-fixture.ts'

const bench = sharedBench()

const folderOf = (upkeep: Upkeep) => join(upkeep.objects.location.slice('file:'.length), TABLE)

/** A file in the table's folder that no log names, as old as asked for. */
async function orphan(upkeep: Upkeep, name: string, ageMs: number): Promise<string> {
  const path = join(folderOf(upkeep), name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, 'x')
  const time = (Date.now() - ageMs) / 1000
  await utimes(path, time, time)
  return name
}

test('deletes what is old and in no version, and nothing else', async () => {
  const upkeep = await smallFiles(bench, 2)
  await upkeep.store.compact(VIEW, ALL)
  const old = `event_date=1970-01-01/part-${randomUUID()}.parquet`
  await orphan(upkeep, old, 2 * DAY_MS)
  const young = await orphan(upkeep, `event_date=1970-01-01/part-${randomUUID()}.parquet`, DAY_MS / 2)
  const others = ['notes.txt', '_theirs/x.parquet', '.hidden/x.parquet', 'event_date=1970-01-01/_x.parquet']
  for (const name of others) await orphan(upkeep, name, 9 * DAY_MS)

  const wouldDo = await upkeep.store.vacuum(VIEW, { ...VACUUM, dryRun: true })
  expect(wouldDo).toMatchObject({ deleted: 1, bytes: 1 })
  expect(await upkeep.files()).toContain(old)
  expect(await upkeep.store.vacuum(VIEW, VACUUM)).toEqual(wouldDo)
  expect(await upkeep.files()).toContain(young)
  expect(await upkeep.files()).toHaveLength(3 + 6 + 1 + 2)

  await upkeep.later(DAY_MS * 1.1)
  expect(await upkeep.store.vacuum(VIEW, { ...VACUUM, filesMax: 4 })).toMatchObject({ filesLeft: 3 })
  expect(await upkeep.store.vacuum(VIEW, VACUUM)).toMatchObject({ filesLeft: 0 })
  expect(await upkeep.store.vacuum(VIEW, VACUUM)).toMatchObject({ deleted: 0, bytes: 0 })
  expect((await upkeep.files()).filter((name) => name.includes('part-'))).toHaveLength(3)
  const below = await readDeltaTable(folderOf(upkeep))
  expect(below.parquetFiles).toEqual(expect.arrayContaining(others.slice(1)))
  await expectVersions(upkeep, upkeep.digests)
})

test('goes by when a file was replaced, not by when it was written', async () => {
  const upkeep = await openUpkeep(bench)
  await upkeep.later(-9 * DAY_MS)
  for (const number of [1, 2]) await upkeep.append(number)
  await upkeep.later(0)
  for (const name of await upkeep.files()) {
    const time = (Date.now() - 9 * DAY_MS) / 1000
    await utimes(join(folderOf(upkeep), name), time, time)
  }
  await upkeep.store.compact(VIEW, ALL)
  expect(await upkeep.store.vacuum(VIEW, VACUUM)).toMatchObject({ deleted: 0 })
  await upkeep.later(DAY_MS * 1.1)
  expect(await upkeep.store.vacuum(VIEW, VACUUM)).toMatchObject({ deleted: 6 })
})

test('deletes nothing of a table whose log has lost its end', async () => {
  const upkeep = await smallFiles(bench, 2)
  await upkeep.store.compact(VIEW, ALL)
  await upkeep.later(DAY_MS * 1.1)
  expect(await upkeep.store.vacuum(VIEW, VACUUM)).toMatchObject({ deleted: 6 })
  const left = await upkeep.files()
  await upkeep.objects.delete(`${TABLE}/_delta_log/${'3'.padStart(20, '0')}.json`)
  await expect(upkeep.another().vacuum(VIEW, VACUUM)).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringMatching(/part-.* is gone, which the table's log names; nothing was deleted/),
  })
  expect(await upkeep.files()).toEqual(left)
})

test('sweeps what crashed writers left half written', async () => {
  const upkeep = await smallFiles(bench, 1)
  const left = join(upkeep.objects.stagingDir, randomUUID())
  await mkdir(left)
  await upkeep.later(DAY_MS * 2)
  await upkeep.store.vacuum(VIEW, { ...VACUUM, dryRun: true })
  await utimes(left, 1, 1)
  await upkeep.store.vacuum(VIEW, VACUUM)
  await expect(utimes(left, 1, 1)).rejects.toMatchObject({ code: 'ENOENT' })
})
