/** What a training set accepts as a spine, and what it says of one that does not fit. */
import { writeFile } from 'node:fs/promises'
import { tableFromArrays, tableToIPC } from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { OnDemandView } from '../../src/domain/registry.ts'
import type { TrainingSetJob } from '../../src/offline/dataset-jobs.ts'
import { literal } from '../../src/offline/duckdb/sql.ts'
import type { DataFile } from '../../src/offline/table-jobs.ts'
import { openWorkbench, testService, testView, type Workbench } from './training-set-fixture.ts'

const shops = testView('shops', { shop: 'string' }, [{ name: 'sales', type: { kind: 'double' } }])
const doubled: OnDemandView = {
  name: 'doubled',
  inputs: [{ view: 'shops', as: 'hidden', joinKeyMap: {} }],
  request: [{ name: 'factor', type: { kind: 'int64' } }],
  features: [{ name: 'value', type: { kind: 'double' } }],
}
const plain = testService({ kind: 'view', use: { view: 'shops', as: 'shops', joinKeyMap: {} } })

let bench: Workbench
let files: DataFile[]
beforeAll(async () => {
  bench = await openWorkbench()
  const moment = (day: number) => `TIMESTAMPTZ '2001-01-0${day} 00:00:00Z'`
  files = [
    await bench.tableFile(
      shops,
      'shops.parquet',
      [1, 2].map((day) => ["'0042'", `${day}.5`, moment(day), moment(day), String(day), "'sync'", '1', 'NULL']),
    ),
  ]
})
afterAll(() => bench.close())

async function parquetSpine(select: string): Promise<TrainingSetJob['input']['spine']> {
  const file = bench.path('spine.parquet')
  await bench.session.run(`COPY (${select}) TO ${literal(file)} (FORMAT parquet)`)
  return { file, format: 'parquet', timestampColumn: 'day' }
}

function input(spine: TrainingSetJob['input']['spine'], service = plain): TrainingSetJob['input'] {
  return {
    service,
    tables: { shops: { view: shops, files } },
    onDemandViews: { doubled },
    bundleFile: 'given by the test',
    spine,
    mode: 'EVENT_TIME',
    format: 'parquet',
    outputFile: bench.path('out.parquet'),
  }
}

async function values(spine: TrainingSetJob['input']['spine']): Promise<unknown[]> {
  const made = await bench.trainingSet(input(spine))
  const rows = await bench.session.rows(`FROM read_parquet(${literal(made.path)})`)
  return rows.map((row) => row['shops__sales'])
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof TwinstoreError)) throw new Error(`expected a TwinstoreError, got ${error}`)
  return `${error.code} ${error.message}`
}

test.each([
  ['TIMESTAMP', "TIMESTAMP '2001-01-01 12:00:00'"],
  ['TIMESTAMPTZ', "TIMESTAMPTZ '2001-01-02 01:00:00+02'"],
  ['TIMESTAMP_NS', "TIMESTAMP_NS '2001-01-01 12:00:00.123456789'"],
  ['DATE', "DATE '2001-01-01'"],
])('a timestamp column of type %s is a moment in UTC', async (_, sql) => {
  expect(await values(await parquetSpine(`SELECT '0042' AS shop, ${sql} AS day`))).toEqual([1.5])
})

test('CSV: a join key of digits stays text', async () => {
  const file = bench.path('spine.csv')
  await writeFile(file, 'shop,day\n0042,2001-01-01T12:00:00Z\n0042,2001-01-02T00:00:00Z\n42,2001-01-02T00:00:00Z\n')
  expect(await values({ file, format: 'csv', timestampColumn: 'day' })).toEqual([1.5, 2.5, null])
})

test.each(['stream', 'file'] as const)('an Arrow %s, dictionaries and nulls included', async (kind) => {
  const day = [Date.UTC(2001, 0, 1), Date.UTC(2001, 0, 2), Date.UTC(2001, 0, 2)].map((ms) => new Date(ms))
  const table = tableFromArrays({ shop: ['0042', '0042', null], day })
  const file = bench.path(`spine-${kind}.arrow`)
  await writeFile(file, tableToIPC(table, kind))
  expect(await values({ file, format: 'arrow', timestampColumn: 'day' })).toEqual([1.5, 2.5, null])
})

test('an empty spine is refused; where it may be empty it gives a data set with all columns and no rows', async () => {
  const spine = await parquetSpine("SELECT 'x' AS shop, DATE '2001-01-01' AS day WHERE false")
  expect(await refusal(bench.trainingSet(input(spine)))).toBe(
    'INVALID_ARGUMENT the spine has no rows, so there is nothing to join',
  )
  const made = await bench.trainingSet(input({ ...spine, mayBeEmpty: true }))
  expect(made).toMatchObject({ rows: 0, spine: { rows: 0 } })
  expect(made.columns.map((column) => column.name)).toEqual(['shop', 'day', 'shops__sales'])
})

test('columns with the names of ours are carried through', async () => {
  const select = `SELECT '0042' AS shop, DATE '2001-01-02' AS day, 7 AS rowid, 8 AS spine_row, 9 AS c0, 10 AS "a ""b"" c"`
  const made = await bench.trainingSet(input(await parquetSpine(select)))
  const [row] = await bench.session.rows(`FROM read_parquet(${literal(made.path)})`)
  expect(row).toMatchObject({ rowid: 7, spine_row: 8, c0: 9, 'a "b" c': 10, shops__sales: 2.5 })
})

test('everything that does not fit is named at once', async () => {
  const spine = await parquetSpine("SELECT 1 AS shop, 'soon' AS day, 2 AS SHOPS__sales, 1.5 AS factr")
  const service = testService(...plain.members, { kind: 'onDemand', view: 'doubled' })
  const computes = new Map([['doubled', () => ({ value: 1 })]])
  expect(await refusal(bench.trainingSet(input(spine, service), { computes }))).toBe(
    [
      'INVALID_ARGUMENT the spine does not fit the service:',
      '  day: expected TIMESTAMP, TIMESTAMPTZ or DATE, got VARCHAR',
      '  shop: expected a join key of type string (VARCHAR), got INTEGER',
      '  factor: missing, expected the request feature int64 (BIGINT); did you mean factr?; the spine has shop, day, SHOPS__sales, factr',
      '  SHOPS__sales: the training set adds a column of this name: rename it in the spine',
    ].join('\n'),
  )
})

test('rows without a timestamp are counted', async () => {
  const select = `SELECT 'x' AS shop, unnest([NULL, TIMESTAMP '2001-01-01', 'infinity'::TIMESTAMP]) AS day`
  expect(await refusal(bench.trainingSet(input(await parquetSpine(select))))).toBe(
    'INVALID_ARGUMENT the spine has rows that cannot be joined:\n  day: 2 of 3 rows have no timestamp, or an infinite one',
  )
})

test.each(['parquet', 'arrow', 'csv'] as const)('a file that is no %s is the sender’s fault', async (format) => {
  const file = bench.path('garbage')
  await writeFile(file, Buffer.from([0, 1, 2, 255, 254, 10, 34, 3]))
  expect(await refusal(bench.trainingSet(input({ file, format, timestampColumn: 'day' })))).toMatch(
    /^INVALID_ARGUMENT the spine/,
  )
})

test('nothing is computed from a stale row of a view that rejects stale rows', async () => {
  const service = testService({ kind: 'onDemand', view: 'doubled' })
  const spine = await parquetSpine(
    `SELECT '0042' AS shop, unnest(['2001-01-02', '2001-01-09'])::DATE AS day, 2 AS factor`,
  )
  const computes = new Map([['doubled', () => ({ value: 1 })]])
  const computed = async (onStale: 'reject' | 'null') => {
    const view = { ...shops, ttlMicros: 86_400_000_000, onStale }
    const given = { ...input(spine, service), tables: { shops: { view, files } } }
    const made = await bench.trainingSet(given, { computes })
    const rows = await bench.session.rows(`FROM read_parquet(${literal(made.path)})`)
    return rows.map((row) => row['doubled__value'])
  }
  expect(await computed('reject')).toEqual([1, null])
  expect(await computed('null')).toEqual([1, 1])
})

test('inputs of an on-demand view that are no members are joined and not output; its failure names the row', async () => {
  const service = testService({ kind: 'onDemand', view: 'doubled' })
  const spine = await parquetSpine(
    "SELECT '0042' AS shop, DATE '2001-01-02' AS day, unnest([3, 4, 9007199254740993]) AS factor",
  )
  const computes = new Map([
    [
      'doubled',
      (row: Readonly<Record<string, Readonly<Record<string, unknown>>>>) => ({
        value: Number(row['hidden']!['sales']) * Number(row['request']!['factor']),
      }),
    ],
  ])
  expect(await refusal(bench.trainingSet(input(spine, service), { computes }))).toMatch(
    /^FAILED_PRECONDITION spine row 3: int64 9007199254740992 is beyond 2\^53/,
  )
  const small = await parquetSpine("SELECT '0042' AS shop, DATE '2001-01-02' AS day, unnest([3, 4]) AS factor")
  const made = await bench.trainingSet(input(small, service), { computes })
  expect(made.columns.map((column) => column.name)).toEqual(['shop', 'day', 'factor', 'doubled__value'])
  const rows = await bench.session.rows(`FROM read_parquet(${literal(made.path)})`)
  expect(rows.map((row) => row['doubled__value'])).toEqual([7.5, 10])
})
