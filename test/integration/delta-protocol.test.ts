/** The tables that Twinstore makes, held to the rules of the Delta protocol; and the rules, held to tables that break them. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Shard } from '../../src/domain/entity-key.ts'
import { brokenRules } from '../support/delta-rules.ts'
import { rowOf, sharedBench, viewOf } from './offline-store-fixtures.ts'
import { ALL, DAY_MICROS, DAY_MS, openUpkeep, type Upkeep, VACUUM } from './offline-upkeep-fixture.ts'

const bench = sharedBench()

const VIEW = viewOf(
  {
    a_bool: 'bool',
    an_int32: 'int32',
    an_int64: 'int64',
    a_float: 'float',
    a_double: 'double',
    a_string: 'string',
    some_bytes: 'bytes',
    a_timestamp: 'timestamp',
    a_list: 'list<string>',
    a_vector: 'vector<2>',
  },
  { source: { sql: '', files: [] } },
)
const WIDER = { ...viewOf({ added: 'double' }), schemaId: 2, schemaFeatureCounts: [10, 11] }
const EVOLVED = { ...VIEW, ...WIDER, features: [...VIEW.features, ...WIDER.features] }

function batch(number: number) {
  const entries = Array.from({ length: 5 }, (_, index) => {
    const n = number * 10 + index
    const values = [
      n % 2 === 0,
      n,
      BigInt(n) * 10n ** 15n,
      n / 3,
      index === 0 ? Number.NaN : -n / 7,
      index === 1 ? 'ž'.repeat(40) : `text ' ${n}`,
      Buffer.from([n, 0]),
      n * 86_400,
      index === 2 ? null : ['a', `${n}`],
      [n, 0.5],
    ]
    const key = [`k${index % 2}`]
    return rowOf(VIEW, {
      key,
      event: (index % 2) * DAY_MICROS + n * 1_001_001,
      position: n + 1,
      values: values as never,
    })
  })
  return { source: { storeId: 'store', shard: number as Shard }, entries }
}

/** A table with everything a table of Twinstore can have. */
async function table(): Promise<Upkeep> {
  const upkeep = await openUpkeep(bench, 3)
  const { store } = upkeep
  for (let number = 1; number <= 4; number++) await store.append(VIEW, [batch(number)])
  await store.compact(VIEW, ALL)
  const sql = `SELECT 'k7' AS k, TIMESTAMPTZ '1970-01-02 03:04:05.678901Z' AS event_timestamp, true AS a_bool, 1 AS an_int32,
    2::BIGINT AS an_int64, 1.5::FLOAT AS a_float, 2.5 AS a_double, 's' AS a_string, 'b'::BLOB AS some_bytes,
    TIMESTAMPTZ '2001-01-01 00:00:00Z' AS a_timestamp, ['x'] AS a_list, [1::FLOAT, 2::FLOAT] AS a_vector`
  await upkeep.another({ resolveSource: async () => sql }).sync(VIEW, 1_000_000 as never)
  await store.prepare(EVOLVED)
  await store.append(VIEW, [batch(5)])
  await store.compact(EVOLVED, ALL)
  await upkeep.later(2 * DAY_MS)
  await upkeep.store.vacuum(EVOLVED, VACUUM)
  expect(upkeep.faults).toEqual([])
  return upkeep
}

test('a table with appends, syncs, new columns, compactions, checkpoints and a vacuum keeps the rules', async () => {
  const upkeep = await table()
  expect(await brokenRules(await upkeep.folder())).toEqual([])
  const names = await readdir(join(await upkeep.folder(), '_delta_log'))
  expect(names.filter((name) => name.includes('checkpoint'))).toHaveLength(4)
  expect(await upkeep.store.status(EVOLVED)).toMatchObject({ rows: 26, files: 2 })
})

test('the rules are noticed when they are broken', async () => {
  const tableFolder = await (await table()).folder()
  const entry = (version: number) => join(tableFolder, '_delta_log', `${String(version).padStart(20, '0')}.json`)
  const newest = (await readdir(join(tableFolder, '_delta_log'))).filter((name) => name.endsWith('.json')).length - 1

  async function withEdit(file: string, edit: (text: string) => string): Promise<string> {
    const sound = await readFile(file)
    const edited = edit(sound.toString('utf8'))
    expect(edited).not.toBe(sound.toString('utf8'))
    await writeFile(file, edited)
    const broken = await brokenRules(tableFolder)
    await writeFile(file, sound)
    return broken.join('\n')
  }
  expect(await withEdit(entry(0), (text) => text.replace('"minReaderVersion":1', '"minReaderVersion":3'))).toContain(
    'version 0: not protocol 1, 2',
  )
  expect(await withEdit(entry(0), (text) => text.replace(/.*"metaData".*\n/, ''))).toContain('no metaData')
  expect(
    await withEdit(entry(4), (text) => text.replace(/outbox\/store\/4","version":\d+/, 'outbox/store/3","version":1')),
  ).toContain('version 4: outbox/store/3 goes back')
  expect(
    await withEdit(entry(2), (text) => `${text}${text.split('\n').find((line) => line.includes('"add"'))}\n`),
  ).toContain('two actions on one path')
  expect(await withEdit(entry(5), (text) => text.replace('"dataChange":false', '"dataChange":true'))).toContain(
    'version 5: removes rows of',
  )
  expect(await withEdit(entry(5), (text) => text.replace(/.*"add".*\n/, ''))).toMatch(/rows in the place of/)
  expect(await withEdit(entry(newest), (text) => text.replace(/"size":\d+/, '"size":1'))).toContain('bytes, not 1')
  expect(await withEdit(entry(newest), (text) => text.replace('\\"an_int32\\":1', '\\"an_int32\\":2'))).toContain(
    'statistics of an_int32 are wrong',
  )
  expect(await withEdit(entry(newest), (text) => text.replace(/(numRecords\\":)\d+/, '$199'))).toContain(
    'statistics of number of rows are wrong',
  )
  expect(
    await withEdit(join(tableFolder, '_delta_log/_last_checkpoint'), (text) => text.replace(/"size":\d+/, '"size":3')),
  ).toContain('_last_checkpoint says size 3')
})
