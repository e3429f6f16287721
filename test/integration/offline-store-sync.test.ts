/** The sync job: what it accepts from a source, what it refuses and in which words, and what it adds. */
import { expect, test } from 'vitest'
import type { FeatureView } from '../../src/domain/registry.ts'
import { decodeValue } from '../../src/domain/value-codec.ts'
import type { DataFile } from '../../src/offline/table-jobs.ts'
import { dataFiles, features, rowOf, runAppend, sharedBench, viewOf } from './offline-store-fixtures.ts'

const bench = sharedBench()

function sync(view: FeatureView, sql: string, existing: readonly DataFile[] = [], position = 1000) {
  return bench.engine.run('sync', { view, sql, existing, position, outputDir: bench.newDir() })
}

async function history(view: FeatureView, files: readonly DataFile[], entity = 'a') {
  const { rows } = await bench.engine.run('history', { table: { view, files }, entity: [entity], limit: 100 })
  return rows.map((row) => ({
    ...row,
    values: row.values.map((value, ordinal) => decodeValue(view.features[ordinal]!.type, Buffer.from(value))),
  }))
}

/** A source of one row of entity `a` with this feature expression. */
const source = (feature: string) => `SELECT 'a' AS k, DATE '2001-01-01' AS event_timestamp, ${feature} AS f`

async function refusal(type: string, feature: string): Promise<string> {
  const error = await sync(viewOf({ f: type }), source(feature)).then(
    () => undefined,
    (cause: unknown) => cause,
  )
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
  return (error as Error).message
}

async function synced(type: string, feature: string): Promise<unknown> {
  const view = viewOf({ f: type })
  const { files } = await sync(view, source(feature))
  return (await history(view, dataFiles(files)))[0]!.values[0]
}

test('casts that change nothing are made', async () => {
  expect(await synced('int64', 'sum(2)')).toBe(2n)
  expect(await synced('int64', '9223372036854775807::HUGEINT')).toBe(9223372036854775807n)
  expect(await synced('int32', '7::BIGINT')).toBe(7)
  expect(await synced('double', '1.25')).toBe(1.25)
  expect(await synced('double', '3')).toBe(3)
  expect(await synced('double', '1.5::FLOAT')).toBe(1.5)
  expect(await synced('float', '3::SMALLINT')).toBe(3)
  expect(await synced('string', "'x'::ENUM('x', 'y')")).toBe('x')
  expect(await synced('timestamp', "TIMESTAMP '2001-01-01 00:00:00.9'")).toBe(978307200)
  expect(await synced('timestamp', "TIMESTAMPTZ '1969-12-31 23:59:59.5Z'")).toBe(-1)
  expect(await synced('timestamp', "DATE '2001-01-01'")).toBe(978307200)
  expect(await synced('list<int64>', '[1, 2]')).toEqual([1n, 2n])
  expect(await synced('list<double>', '[1.5, 2.25]')).toEqual([1.5, 2.25])
  expect(await synced('list<timestamp>', "[TIMESTAMP '1970-01-01 00:00:01.5']")).toEqual([1])
  expect(await synced('vector<2>', '[1, 2]::FLOAT[2]')).toEqual([1, 2])
  expect(await synced('bytes', "'\\x00\\xff'::BLOB")).toEqual(Buffer.from([0, 255]))
  expect(await synced('double', 'NULL::DOUBLE')).toBe(null)
})

test('casts that could change a value are refused with the column, what is expected and what came', async () => {
  expect(await refusal('float', '0.1::DOUBLE')).toMatch(/f: expected float \(FLOAT\), got DOUBLE; cast it in the SQL/)
  expect(await refusal('int64', "'7'")).toMatch(/f: expected int64 \(BIGINT\), got VARCHAR/)
  expect(await refusal('int64', '1.5')).toMatch(/f: expected int64 \(BIGINT\), got DECIMAL\(2,1\)/)
  expect(await refusal('string', '7')).toMatch(/f: expected string \(VARCHAR\), got INTEGER/)
  expect(await refusal('vector<2>', '[0.5::DOUBLE, 1]')).toMatch(/f: expected vector<2> \(FLOAT\[\]\), got DOUBLE\[\]/)
  expect(await refusal('list<int64>', '1')).toMatch(/got INTEGER/)
})

test('values that do not fit are refused with a count and an example', async () => {
  const where = /in 1 row\(s\), for example k=a, event_timestamp=2001-01-01/
  expect(await refusal('int64', '9223372036854775808::HUGEINT')).toMatch(where)
  expect(await refusal('int32', '2147483648')).toMatch(where)
  expect(await refusal('double', '9007199254740993')).toMatch(/f: a value that its type cannot hold exactly/)
  expect(await refusal('double', "'NaN'::DOUBLE")).toMatch(/f: NaN or infinity .*allowNaN/)
  expect(await refusal('list<double>', "[1, 'inf'::DOUBLE]")).toMatch(/f: NaN or infinity/)
  expect(await refusal('list<int64>', '[1, NULL]')).toMatch(/f: a null item in a list/)
  expect(await refusal('vector<3>', '[1, 2]::FLOAT[]')).toMatch(/f: a vector without 3 numbers/)
  expect(await refusal('timestamp', "TIMESTAMP 'infinity'")).toMatch(/f: a time outside/)
})

test('NaN is taken where the feature allows it', async () => {
  const view = viewOf({ f: 'double' }, { features: features({ f: 'double' }, true) })
  const { files } = await sync(view, source("'NaN'::DOUBLE"))
  expect((await history(view, dataFiles(files)))[0]!.values).toEqual([Number.NaN])
})

test('every missing column and null key is reported at once', async () => {
  const view = viewOf({ f: 'int64', g: 'int64' })
  await expect(sync(view, 'SELECT 1 AS other')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(
      /source of view v.*\n.*k: missing.*other\n.*f: missing.*\n.*g: missing.*\n.*event_timestamp: missing/,
    ),
  })
  const nulls = `SELECT NULL::VARCHAR AS k, NULL::TIMESTAMP AS event_timestamp, 1 AS f, 2 AS g FROM range(3)`
  await expect(sync(view, nulls)).rejects.toMatchObject({
    message: expect.stringMatching(/k: null in 3 row\(s\), for example k=null.*\n.*event_timestamp: null in 3 row/),
  })
})

test("a fault of the SQL is the author's, in DuckDB's words", async () => {
  await expect(sync(viewOf({ f: 'int64' }), 'SELECT nocol FROM (SELECT 1 AS b)')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(/the source of view v: Binder Error: .*nocol/s),
  })
})

test('equal rows of one version count once, rows that differ are refused', async () => {
  const view = viewOf({ f: 'int64' })
  const twice = await sync(view, `${source('1')} FROM range(5)`)
  expect([twice.rowsRead, twice.rowsAdded]).toEqual([5, 1])
  await expect(sync(view, `${source('range')} FROM range(2)`)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(/1 \(entity, event_timestamp\) pairs.*k=a, event_timestamp=2001-01-01 00:00:00\+00/),
  })
})

test('a trailing semicolon or comment in the SQL does no harm', async () => {
  expect((await sync(viewOf({ f: 'int64' }), `${source('1')} -- the end`)).rowsAdded).toBe(1)
  expect((await sync(viewOf({ f: 'int64' }), `${source('1')};\n`)).rowsAdded).toBe(1)
})

test('a second sync adds nothing; a corrected row is added and wins; an unchanged row does not revert a write', async () => {
  const view = viewOf({ f: 'int64' })
  const rows = (changed: number) =>
    `SELECT 'a' AS k, DATE '2001-01-01' + range::INTEGER AS event_timestamp, if(range = 3, ${changed}, range) AS f FROM range(5)`
  const first = await sync(view, rows(3))
  expect([first.rowsRead, first.rowsAdded, first.files.length]).toEqual([5, 5, 5])
  const files = [...dataFiles(first.files)]
  expect(await sync(view, rows(3), files, 2000)).toMatchObject({ rowsRead: 5, rowsAdded: 0, files: [] })

  const event = Date.UTC(2001, 0, 4) * 1000
  const written = rowOf(view, { key: ['a'], event, position: 2500, values: [99n] })
  files.push(...dataFiles(await runAppend(bench, view, [written])))
  expect((await sync(view, rows(3), files, 3000)).rowsAdded).toBe(0)

  const corrected = await sync(view, rows(42), files, 4000)
  expect(corrected.rowsAdded).toBe(1)
  files.push(...dataFiles(corrected.files))
  const versions = (await history(view, files)).filter((row) => row.eventMicros === event)
  expect(versions.map(({ values, origin, position }) => [values[0], origin, position])).toEqual([
    [42n, 'sync', 4000],
    [99n, 'write', 2500],
    [3n, 'sync', 1000],
  ])
  expect((await sync(view, rows(42), files, 5000)).rowsAdded).toBe(0)
  expect((await sync(view, rows(3), files, 6000)).rowsAdded).toBe(1)
})

test("created_timestamp is the source's, or the sync's position where it gives none", async () => {
  const view = viewOf({ f: 'int64' })
  const own = await sync(view, `${source('1')}, TIMESTAMP '2001-01-02' AS created_timestamp`)
  expect((await history(view, dataFiles(own.files)))[0]!.createdMicros).toBe(Date.UTC(2001, 0, 2) * 1000)
  const none = await sync(view, `${source('1')}, NULL::TIMESTAMP AS created_timestamp`, [], 777)
  expect((await history(view, dataFiles(none.files)))[0]).toMatchObject({ createdMicros: 777, position: 777 })
})

test('after a feature is added, rows synced before it are brought again with it, null included, once', async () => {
  const older = viewOf({ f: 'int64' })
  const newer = viewOf({ f: 'int64', added: 'double' }, { schemaId: 2, schemaFeatureCounts: [1, 2] })
  const files = dataFiles((await sync(older, source('1'))).files)
  const second = await sync(newer, `${source('1')}, NULL::DOUBLE AS added`, files, 2000)
  expect(second.rowsAdded).toBe(1)
  files.push(...dataFiles(second.files))
  expect((await history(newer, files)).map((row) => row.values)).toEqual([
    [1n, null],
    [1n, undefined],
  ])
  expect((await sync(newer, `${source('1')}, NULL::DOUBLE AS added`, files, 3000)).rowsAdded).toBe(0)
})

test('a view whose partitioning was changed still knows the rows of before', async () => {
  const byDay = viewOf({ f: 'int64' })
  const byMonth = viewOf({ f: 'int64' }, { partitionBy: 'month' })
  const sql = `SELECT 'a' AS k, DATE '2001-01-05' + (range * 20)::INTEGER AS event_timestamp, range AS f FROM range(4)`
  const days = dataFiles((await sync(byDay, sql)).files)
  const months = dataFiles((await sync(byMonth, sql)).files)
  expect([days.length, months.length]).toEqual([4, 3])
  expect((await sync(byMonth, sql, days, 2000)).rowsAdded).toBe(0)
  expect((await sync(byDay, sql, months, 2000)).rowsAdded).toBe(0)
})
