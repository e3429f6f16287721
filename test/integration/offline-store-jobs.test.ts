/** The jobs of one table, run on real Parquet files. */
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rowValues } from '../../src/domain/row-codec.ts'
import { decodeValue, type FeatureValue, type ScalarValue } from '../../src/domain/value-codec.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { openSession } from '../../src/offline/duckdb/session.ts'
import type { DataFile } from '../../src/offline/table-jobs.ts'
import {
  dataFiles,
  features,
  type RowSpec,
  rowOf,
  runAppend,
  sharedBench,
  spooledRows,
  type Values,
  viewOf,
} from './offline-store-fixtures.ts'

const DAY = 86_400_000_000

const bench = sharedBench()

const EVERY_TYPE = {
  a_bool: 'bool',
  a_int32: 'int32',
  a_int64: 'int64',
  a_float: 'float',
  a_double: 'double',
  a_string: 'string',
  a_bytes: 'bytes',
  a_time: 'timestamp',
  l_bool: 'list<bool>',
  l_int32: 'list<int32>',
  l_int64: 'list<int64>',
  l_float: 'list<float>',
  l_double: 'list<double>',
  l_string: 'list<string>',
  l_bytes: 'list<bytes>',
  l_time: 'list<timestamp>',
  vec: 'vector<3>',
}
const INT64_MAX = 9223372036854775807n
const ORDINARY: Values = [
  true,
  -7,
  12n,
  1.5,
  0.1,
  'plain',
  Buffer.from([1]),
  1_000_000_000,
  [true, false],
  [1, -1],
  [1n],
  [0.5],
  [0.1],
  ['a', ''],
  [Buffer.from([0]), Buffer.alloc(0)],
  [0, -1],
  [1, 2, 3],
]
const EXTREME: Values = [
  false,
  -2147483648,
  -INT64_MAX - 1n,
  -0,
  Number.MIN_VALUE,
  '😀 \0 "quoted\' ünï',
  Buffer.from([0, 255, 10]),
  -9_000_000_000,
  [],
  [2147483647],
  [INT64_MAX, -INT64_MAX - 1n],
  [-3.4028234663852886e38],
  [Number.MAX_VALUE, -0],
  ['😀', '\0'],
  [],
  [9_000_000_000],
  [0, -0, 1e-45],
]

async function appendRows(view: ReturnType<typeof viewOf>, rows: readonly RowSpec[]): Promise<DataFile[]> {
  const outbox = rows.map((row) => rowOf(view, row))
  return dataFiles(await runAppend(bench, view, outbox))
}

test('every type survives the table: ordinary, extreme, null and missing values come back as the same row bytes', async () => {
  const view = viewOf(EVERY_TYPE, {
    joinKeys: [
      { name: 'i', type: 'int64' },
      { name: 'k', type: 'string' },
    ],
  })
  const rows = [ORDINARY, EXTREME, ORDINARY.map(() => null), ORDINARY.map(() => undefined)].map((values, index) =>
    rowOf(view, {
      key: [-INT64_MAX - 1n, `k😀\0${index}`],
      event: 5 + index,
      position: 100 + index,
      created: 7,
      values,
    }),
  )
  const files = await runAppend(bench, view, rows)
  const outputFile = join(bench.newDir(), 'latest')
  await bench.engine.run('latest', { table: { view, files: dataFiles(files) }, outputFile })
  const found = (await spooledRows(outputFile)).sort((a, b) => (a.key < b.key ? -1 : 1))
  expect(found).toEqual(rows.map(({ key, row }) => ({ key, row })))
  const history = await bench.engine.run('history', {
    table: { view, files: dataFiles(files) },
    entity: [String(-INT64_MAX - 1n), 'k😀\x001'],
    limit: 10,
  })
  expect(history.rows.map((row) => row.values.map((value) => Buffer.from(value)))).toEqual([rowValues(rows[1]!.row)])
})

test('property: any row comes back from the table byte by byte', async () => {
  const scalar = {
    bool: fc.boolean(),
    int32: fc.integer(),
    int64: fc.bigInt({ min: -INT64_MAX - 1n, max: INT64_MAX }),
    float: fc.float(),
    double: fc.double(),
    string: fc.string({ unit: 'grapheme' }),
    bytes: fc.uint8Array({ maxLength: 20 }),
    timestamp: fc.integer({ min: -9_000_000_000, max: 9_000_000_000 }),
  }
  const gap = <T>(value: fc.Arbitrary<T>) => fc.option(fc.option(value, { nil: undefined }), { nil: null, freq: 9 })
  const valuesOf: fc.Arbitrary<Values> = fc.tuple(
    ...Object.values(EVERY_TYPE).map((type) => {
      if (type === 'vector<3>') return gap(fc.array(scalar.float, { minLength: 3, maxLength: 3 }))
      const item = /^list<(.*)>$/.exec(type)?.[1]
      const of: fc.Arbitrary<FeatureValue> = scalar[(item ?? type) as keyof typeof scalar]
      return gap(item === undefined ? of : fc.array(of as fc.Arbitrary<ScalarValue>, { maxLength: 5 }))
    }),
  )
  const view = viewOf(EVERY_TYPE, { features: features(EVERY_TYPE, true) })
  const rowsOf = fc.uniqueArray(fc.tuple(fc.string({ unit: 'binary' }), valuesOf), {
    selector: ([key]) => key,
    minLength: 1,
    maxLength: 40,
  })
  await fc.assert(
    fc.asyncProperty(rowsOf, async (specs) => {
      const rows = specs.map(([key, values], index) =>
        rowOf(view, { key: [key], event: index, position: index + 1, values }),
      )
      const files = await runAppend(bench, view, rows)
      const outputFile = join(bench.newDir(), 'latest')
      await bench.engine.run('latest', { table: { view, files: dataFiles(files) }, outputFile })
      const found = new Map((await spooledRows(outputFile)).map(({ key, row }) => [key, row.toString('hex')]))
      expect(found).toEqual(new Map(rows.map(({ key, row }) => [key as string, row.toString('hex')])))
    }),
    { numRuns: 15 },
  )
})

test('NaN and infinities are kept where a view allows them', async () => {
  const types = { f: 'float', d: 'double', l: 'list<double>' }
  const view = viewOf(types, { features: features(types, true) })
  const row = rowOf(view, {
    key: ['x'],
    event: 1,
    position: 1,
    values: [Number.NaN, -Infinity, [Number.NaN, Infinity]],
  })
  const files = await runAppend(bench, view, [row])
  expect(files[0]!.stats.minValues).not.toHaveProperty('f')
  expect(files[0]!.stats.minValues).not.toHaveProperty('d')
  const outputFile = join(bench.newDir(), 'latest')
  await bench.engine.run('latest', { table: { view, files: dataFiles(files) }, outputFile })
  expect((await spooledRows(outputFile))[0]!.row).toEqual(row.row)
})

test('files are one per partition, sorted, and their statistics are exact', async () => {
  const view = viewOf({ n: 'int64', t: 'timestamp', f: 'float', s: 'string' })
  const specs = Array.from({ length: 5000 }, (_, index) => ({
    key: [`k${(index * 7919) % 100}`],
    event: (index % 3) * DAY + index,
    position: 10_000 + index,
    values: [index === 0 ? null : BigInt(index), 5, 0.1, 'x'.repeat(index % 400)] as Values,
  }))
  const outbox = specs.map((spec) => rowOf(view, spec))
  const files = await runAppend(bench, view, outbox)
  expect(files.map((file) => file.eventDate).sort()).toEqual(['1970-01-01', '1970-01-02', '1970-01-03'])
  const first = files.find((file) => file.eventDate === '1970-01-01')!
  expect(first.path).toMatch(/event_date=1970-01-01\/part-[0-9a-f-]{36}\.parquet$/)
  expect(first.stats).toMatchObject({
    numRecords: 1667,
    minValues: {
      k: 'k0',
      n: 3,
      t: '1970-01-01T00:00:05Z',
      f: Math.fround(0.1),
      event_timestamp: '1970-01-01T00:00:00Z',
    },
    maxValues: { k: 'k99', n: 4998, event_timestamp: '1970-01-01T00:00:00.004998Z', write_position: 14998 },
    nullCount: { n: 1, s: 0, event_timestamp: 0 },
  })
  expect(first.stats.maxValues).not.toHaveProperty('s')
  const session = await openSession(bench.limits, systemClock)
  const unordered = await session.rows(
    `SELECT count(*) AS bad FROM (SELECT (k, event_timestamp) AS place, lag((k, event_timestamp)) OVER (ORDER BY file_row_number) AS previous
     FROM read_parquet('${first.path}', file_row_number = true)) WHERE place < previous`,
  )
  await session.close()
  expect(unordered[0]!['bad']).toBe(0n)
})

test('rows of several row groups of the decoded file, with gaps and lists in some, are all there', async () => {
  const view = viewOf({ n: 'int64', text: 'string', tags: 'list<string>', flags: 'list<bool>' })
  const count = 150_000
  const rows = Array.from({ length: count }, (_, index) =>
    rowOf(view, {
      key: [`k${index % 1000}`],
      event: index,
      position: index + 1,
      values: [
        index % 7 === 0 ? null : BigInt(index),
        index < 130_000 ? 'x'.repeat(index % 50) : undefined,
        index % 3 === 0 ? null : Array.from({ length: index % 3 }, (_, item) => `t${item}`),
        index < 140_000 ? [] : [true, index % 2 === 0],
      ],
    }),
  )
  const files = await runAppend(bench, view, rows)
  const session = await openSession(bench.limits, systemClock)
  const [found] = await session.rows(
    `SELECT count(*) AS rows, sum(n)::BIGINT AS n, count(n) AS n_count, sum(length(text))::BIGINT AS text_length, count(text) AS texts,
       count(missing_features) AS missing, sum(len(tags))::BIGINT AS tags, count(tags) AS tag_lists, sum(len(flags))::BIGINT AS flags,
       sum(list_count(list_filter(flags, flag -> flag)))::BIGINT AS true_flags
     FROM read_parquet('${files[0]!.path}')`,
  )
  await session.close()
  const indices = Array.from({ length: count }, (_, index) => index)
  const sum = (of: (index: number) => number) => BigInt(indices.reduce((total, index) => total + of(index), 0))
  expect(files).toHaveLength(1)
  expect(found).toEqual({
    rows: BigInt(count),
    n: sum((index) => (index % 7 === 0 ? 0 : index)),
    n_count: sum((index) => (index % 7 === 0 ? 0 : 1)),
    text_length: sum((index) => (index < 130_000 ? index % 50 : 0)),
    texts: 130_000n,
    missing: 20_000n,
    tags: sum((index) => index % 3),
    tag_lists: sum((index) => (index % 3 === 0 ? 0 : 1)),
    flags: 20_000n,
    true_flags: 15_000n,
  })
})

test('a row with more or fewer values than its schema has, or with a key that is not one, is refused by its position', async () => {
  const view = viewOf({ n: 'int64' })
  const sound = rowOf(view, { key: ['a'], event: 1, position: 77, values: [1n] })
  const wide = rowOf(viewOf({ n: 'int64', m: 'int64' }), { key: ['a'], event: 1, position: 78, values: [1n, 2n] })
  const run = (key: string, row: Buffer) => runAppend(bench, view, [{ key, row }])
  await expect(run(wide.key, wide.row)).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: 'view v, outbox row at position 78: corrupt row: 2 values where its schema has 1',
  })
  for (const key of ['v/S\x01', 'v/S\x01ab', 'v/I1234567', 'v/S\x02\xc3\x28', 'v/']) {
    await expect(run(key, sound.row), key).rejects.toMatchObject({
      code: 'DATA_LOSS',
      message: expect.stringContaining('position 77: corrupt row'),
    })
  }
})

test('a view partitioned by month has its files under the first of the month, before 1970 too', async () => {
  const view = viewOf({ n: 'int64' }, { partitionBy: 'month' })
  const events = [-1, 0, 30 * DAY, 31 * DAY]
  const rows = events.map((event, index) => ({ key: ['a'], event, position: index + 1, values: [1n] as Values }))
  const files = await appendRows(view, rows)
  expect(files.map((file) => file.eventDate).sort()).toEqual(['1969-12-01', '1970-01-01', '1970-02-01'])
})

test('history answers as of event time and as of recording time, newest first, and says when it was cut', async () => {
  const view = viewOf({ n: 'int64' })
  const specs = [
    { key: ['a'], event: 10, position: 100, values: [1n] },
    { key: ['a'], event: 20, position: 200, values: [2n] },
    { key: ['a'], event: 10, position: 300, values: [3n] },
    { key: ['b'], event: 50, position: 400, values: [4n] },
  ]
  const table = { view, files: await appendRows(view, specs) }
  const ask = async (more: object) => {
    const { rows, truncated } = await bench.engine.run('history', { table, entity: ['a'], limit: 10, ...more })
    return { values: rows.map((row) => decodeValue({ kind: 'int64' }, Buffer.from(row.values[0]!))), truncated }
  }
  expect(await ask({})).toEqual({ values: [2n, 3n, 1n], truncated: false })
  expect(await ask({ eventMicrosMax: 19 })).toEqual({ values: [3n, 1n], truncated: false })
  expect(await ask({ recordedMicrosMax: 200 })).toEqual({ values: [2n, 1n], truncated: false })
  expect(await ask({ eventMicrosMax: 10, recordedMicrosMax: 299 })).toEqual({ values: [1n], truncated: false })
  expect(await ask({ limit: 2 })).toEqual({ values: [2n, 3n], truncated: true })
  expect(await ask({ entity: ['nobody'] })).toEqual({ values: [], truncated: false })
})

test('latest equals a naive scan over random histories with ties', async () => {
  const view = viewOf({ n: 'int64' })
  const random = (index: number, bound: number) => Number((BigInt(index) * 2654435761n) % 4294967296n) % bound
  const specs = Array.from({ length: 3000 }, (_, index) => ({
    key: [`k${random(index + 1, 97)}`],
    event: random(index * 3 + 1, 40) * DAY,
    position: ((index * 1009) % 3001) + 1,
    values: [BigInt(index)] as Values,
  }))
  const newest = new Map<string, (typeof specs)[number]>()
  for (const spec of specs) {
    const held = newest.get(spec.key[0]!)
    if (!held || spec.event > held.event || (spec.event === held.event && spec.position > held.position))
      newest.set(spec.key[0]!, spec)
  }
  const outputFile = join(bench.newDir(), 'latest')
  const output = await bench.engine.run('latest', { table: { view, files: await appendRows(view, specs) }, outputFile })
  const found = new Map((await spooledRows(outputFile)).map(({ key, row }) => [key, row]))
  const expected = new Map(
    [...newest.values()].map((spec) => rowOf(view, spec)).map(({ key, row }) => [key as string, row]),
  )
  expect(found).toEqual(expected)
  expect(output.rows).toBe(expected.size)
})

test('rows of an older schema lack the later feature, and keep their bytes', async () => {
  const older = viewOf({ n: 'int64' })
  const newer = viewOf({ n: 'int64', added: 'double' }, { schemaId: 2, schemaFeatureCounts: [1, 2] })
  const old = { key: ['a'], event: 1, position: 1, values: [1n] }
  const files = [
    ...(await appendRows(older, [old])),
    ...(await appendRows(newer, [{ key: ['b'], event: 1, position: 2, values: [2n, null] }])),
    ...(await appendRows(newer, [{ key: ['c'], event: 1, position: 3, values: [undefined, undefined] }])),
  ]
  const ask = async (entity: string) =>
    (
      await bench.engine.run('history', { table: { view: newer, files }, entity: [entity], limit: 1 })
    ).rows[0]!.values.map((value) => Buffer.from(value).toString('hex'))
  expect(await ask('a')).toEqual(['2001', ''])
  expect(await ask('b')).toEqual(['2002', '980100'])
  expect(await ask('c')).toEqual(['', ''])
  const outputFile = join(bench.newDir(), 'latest')
  await bench.engine.run('latest', { table: { view: newer, files }, outputFile })
  expect((await spooledRows(outputFile)).map(({ row }) => row)).toContainEqual(rowOf(older, old).row)
})

test('rows of several schemas, with and without missing values, keep what is theirs in one append', async () => {
  const older = viewOf({ n: 'int64' })
  const newer = viewOf({ n: 'int64', added: 'double' }, { schemaId: 2, schemaFeatureCounts: [1, 2] })
  const rows = [
    rowOf(older, { key: ['a'], event: 1, position: 1, values: [1n] }),
    rowOf(newer, { key: ['b'], event: 1, position: 2, values: [undefined, 0.5] }),
    rowOf(older, { key: ['c'], event: 1, position: 3, values: [null] }),
    rowOf(newer, { key: ['d'], event: 1, position: 4, values: [4n, null] }),
  ]
  for (const order of [rows, rows.toReversed(), rows.slice(1)]) {
    const files = dataFiles(await runAppend(bench, newer, order))
    const outputFile = join(bench.newDir(), 'latest')
    await bench.engine.run('latest', { table: { view: newer, files }, outputFile })
    const found = (await spooledRows(outputFile)).map(({ row }) => row.toString('hex')).sort()
    expect(found).toEqual(order.map(({ row }) => row.toString('hex')).sort())
  }
})

test('a corrupt outbox row is refused by its position, a row of unknown schema with what to do', async () => {
  const view = viewOf({ n: 'int64' })
  const sound = rowOf(view, { key: ['a'], event: 1, position: 77, values: [1n] })
  const corrupt = Buffer.from(sound.row)
  corrupt[corrupt.length - 1]! ^= 1
  const run = (row: Buffer) => runAppend(bench, view, [{ key: sound.key, row }])
  await expect(run(corrupt)).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringContaining('position 77'),
  })
  const newer = rowOf({ ...view, schemaId: 2 }, { key: ['a'], event: 1, position: 78, values: [1n] })
  await expect(run(newer.row)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
})
