/** A training set's file in every format: read back, equal; and its bytes, which must follow from the input alone (G5). */
import { readFile } from 'node:fs/promises'
import { tableFromIPC } from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { evaluate } from '../../src/domain/on-demand.ts'
import type { Compute, OnDemandView } from '../../src/domain/registry.ts'
import { decodeValue } from '../../src/domain/value-codec.ts'
import type { ValueType } from '../../src/domain/value-type.ts'
import { WireReader } from '../../src/lib/wire.ts'
import type { DatasetFormat, TrainingSetJob } from '../../src/offline/dataset-jobs.ts'
import { identifier, literal } from '../../src/offline/duckdb/sql.ts'
import { tableColumns } from '../../src/offline/duckdb/table-sql.ts'
import type { DataFile } from '../../src/offline/table-jobs.ts'
import { openWorkbench, testService, testView, type Workbench } from './training-set-fixture.ts'

const HOUR = 3_600_000_000
const START = Date.UTC(2001, 0, 1) * 1000
const SPINE_ROWS = 6_000
/** More than one row group, so that threads share the work and a small slice makes several parts. */
const LARGE_SPINE_ROWS = 130_000

const scores = testView(
  'scores',
  { id: 'int64' },
  [
    { name: 'count', type: { kind: 'int64' } },
    { name: 'ratio', type: { kind: 'double' }, default: 0.1 },
    { name: 'small', type: { kind: 'float' } },
    { name: 'level', type: { kind: 'int32' } },
    { name: 'label', type: { kind: 'string' } },
    { name: 'raw', type: { kind: 'bytes' } },
    { name: 'open', type: { kind: 'bool' } },
    { name: 'since', type: { kind: 'timestamp' } },
    { name: 'tags', type: { kind: 'list', of: 'string' } },
    { name: 'days', type: { kind: 'list', of: 'timestamp' } },
    { name: 'vector', type: { kind: 'vector', length: 2 } },
  ],
  { ttlMicros: 40 * HOUR },
)

const blend: OnDemandView = {
  name: 'blend',
  inputs: [{ view: 'scores', as: 'scores', joinKeyMap: {}, features: ['count', 'ratio', 'label', 'since', 'tags'] }],
  request: [
    { name: 'factor', type: { kind: 'double' } },
    { name: 'hour', type: { kind: 'int64' }, default: '7' },
  ],
  features: [
    { name: 'sum', type: { kind: 'double' } },
    { name: 'whole', type: { kind: 'int64' } },
    { name: 'text', type: { kind: 'string' } },
    { name: 'parts', type: { kind: 'list', of: 'double' } },
    { name: 'next_day', type: { kind: 'timestamp' } },
  ],
}

const compute: Compute = ({ scores: row, request }) => {
  const { count, ratio, label, since, tags } = row!
  if (count === null) return { sum: null, text: 'nothing' }
  return {
    sum: Number(count) * Number(ratio) * Number(request!['factor']),
    whole: Number(count) + Number(request!['hour']),
    text: `${label}/${tags === null ? 'none' : (tags as readonly string[]).length}`,
    parts: [Number(ratio), Number(count)],
    next_day: since === null ? null : new Date((since as Date).getTime() + 86_400_000),
  }
}
const computes = new Map([['blend', compute]])

const service = testService(
  { kind: 'view', use: { view: 'scores', as: 'scores', joinKeyMap: {} } },
  { kind: 'onDemand', view: 'blend' },
)

let bench: Workbench
let files: readonly DataFile[]
let spineFile: string
let largeSpineFile: string

beforeAll(async () => {
  bench = await openWorkbench()
  const columns = tableColumns(scores).map((column) => identifier(column.name))
  // 60 entities x 50 hours; every third row is followed by a correction at the same event timestamp.
  await bench.session.run(`CREATE TABLE history AS SELECT * FROM (
    SELECT n % 60 AS id, n * 3 AS count, CASE WHEN n % 7 = 0 THEN NULL ELSE n / 8 END AS ratio, (n / 4)::FLOAT AS small,
      (n % 100)::INTEGER AS level, CASE WHEN n % 5 = 0 THEN NULL ELSE 'né "' || n || '", x' END AS label,
      encode('b' || n) AS raw, n % 2 = 0 AS open, make_timestamptz(${START} + n * 1000000) AS since,
      CASE WHEN n % 11 = 0 THEN NULL ELSE list_transform(range(n % 3), lambda i: 't' || i) END AS tags,
      [make_timestamptz(${START})] AS days, [n, 0.5]::FLOAT[] AS vector,
      make_timestamptz(${START} + (n // 60) * ${HOUR}) AS event_timestamp,
      make_timestamptz(${START} + (n // 60) * ${HOUR} + (n % 4) * ${HOUR}) AS created_timestamp,
      n + correction * 100000 AS write_position, 'write' AS write_origin, 1 AS schema_id, NULL::VARCHAR[] AS missing_features
    FROM range(3000) AS r(n), range(2) AS c(correction) WHERE correction = 0 OR n % 3 = 0)`)
  files = await tableFiles('one', ['true'], columns, 'id, event_timestamp, write_position')
  spineFile = await makeSpine('spine.parquet', SPINE_ROWS)
  largeSpineFile = await makeSpine('large-spine.parquet', LARGE_SPINE_ROWS)
})
afterAll(() => bench.close())

async function makeSpine(name: string, rows: number): Promise<string> {
  const path = bench.path(name)
  await bench.session.run(`COPY (
    SELECT (hash(n) % 64)::BIGINT AS id, make_timestamp(${START} + (hash(n + 1) % 100)::BIGINT * ${HOUR}) AS moment,
      n AS place, (n % 9) / 2 AS factor, CASE WHEN n % 3 = 0 THEN NULL ELSE n % 24 END AS hour
    FROM range(${rows}) AS r(n)) TO ${literal(path)} (FORMAT parquet)`)
  return path
}

/** The table's rows in one file per condition. */
async function tableFiles(
  name: string,
  conditions: readonly string[],
  columns: readonly string[],
  order: string,
): Promise<DataFile[]> {
  const made: DataFile[] = []
  for (const [index, condition] of conditions.entries()) {
    const path = bench.path(`${name}-${index}.parquet`)
    const select = `SELECT ${columns.join(', ')} FROM history WHERE ${condition} ORDER BY ${order}`
    await bench.session.run(`COPY (${select}) TO ${literal(path)} (FORMAT parquet)`)
    made.push({ path, eventDate: '2001-01-01' })
  }
  return made
}

function input(format: DatasetFormat, more: Partial<TrainingSetJob['input']> = {}): TrainingSetJob['input'] {
  return {
    service,
    tables: { scores: { view: scores, files } },
    onDemandViews: { blend },
    bundleFile: 'given by the test',
    spine: { file: spineFile, format: 'parquet', timestampColumn: 'moment' },
    mode: 'EVENT_TIME',
    format,
    outputFile: bench.path(`out.${format}`),
    ...more,
  }
}

for (const format of ['parquet', 'csv', 'arrow', 'rows'] as const) {
  test(`${format}: the same bytes at every run, thread count, slice and layout of the table`, {
    timeout: 180_000,
  }, async () => {
    const columns = tableColumns(scores).map((column) => identifier(column.name))
    const rewritten = await tableFiles('other', ['id % 3 = 1', 'id % 3 <> 1'], columns, 'write_position DESC')
    const spine = { file: largeSpineFile, format: 'parquet', timestampColumn: 'moment' } as const
    const variants = [
      ...(format === 'parquet' ? [{ threads: 1 }, { threads: 2 }] : []),
      { threads: 1 },
      { threads: 2 },
      { threads: 3, sliceValuesMax: 1, tables: { scores: { view: scores, files: rewritten } } },
    ]
    const digests: string[] = []
    for (const { tables, ...options } of variants) {
      const more = tables === undefined ? { spine } : { spine, tables }
      const made = await bench.trainingSet(input(format, more), { computes, ...options })
      digests.push(made.sha256)
      expect(made).toMatchObject({ rows: LARGE_SPINE_ROWS, spine: { rows: LARGE_SPINE_ROWS } })
    }
    expect(new Set(digests).size).toBe(1)
  })
}

test('the spine comes first, in its order, and on-demand values are those of evaluate()', async () => {
  const made = await bench.trainingSet(input('parquet'), { computes })
  expect(made.columns.map((column) => column.name).slice(0, 7)).toEqual([
    'id',
    'moment',
    'place',
    'factor',
    'hour',
    'scores__count',
    'scores__ratio',
  ])
  const rows = await bench.session.rows(`SELECT place, factor, hour, scores__count AS count, scores__ratio AS ratio,
    scores__label AS label, epoch_us(scores__since) AS since, scores__tags::JSON::VARCHAR AS tags,
    blend__sum AS sum, blend__whole AS whole, blend__text AS text, blend__parts::JSON::VARCHAR AS parts,
    epoch_us(blend__next_day) // 1000000 AS next_day FROM read_parquet(${literal(made.path)})`)
  expect(rows.map((row) => Number(row['place']))).toEqual(Array.from({ length: SPINE_ROWS }, (_, index) => index))
  expect(rows.filter((row) => row['count'] === null).length).toBeGreaterThan(0)
  for (const row of rows) {
    const expected = evaluate(blend, compute, {
      scores: {
        count: row['count'] === null ? null : Number(row['count']),
        ratio: row['ratio'],
        label: row['label'],
        since: row['since'] === null ? null : new Date(Number(row['since']) / 1000),
        tags: row['tags'] === null ? null : JSON.parse(String(row['tags'])),
      },
      // Null takes the default, as in serving.
      request: { factor: row['factor'], hour: row['hour'] === null ? 7 : Number(row['hour']) },
    })
    const parts = row['parts'] === null ? null : JSON.parse(String(row['parts']))
    const nextDay = row['next_day'] === null ? null : Number(row['next_day'])
    expect([row['sum'], row['whole'], row['text'], parts, nextDay]).toEqual(expected)
  }
})

test('a spine that does not fit in memory is joined on disk, to the same bytes', { timeout: 120_000 }, async () => {
  const file = bench.path('many-rows.parquet')
  await bench.session.run(`COPY (
    SELECT s.*, repeat(md5(place::VARCHAR), 3) AS label FROM read_parquet(${literal(largeSpineFile)}) s, range(8)
  ) TO ${literal(file)} (FORMAT parquet)`)
  const use = { view: 'scores', as: 'scores', joinKeyMap: {}, features: ['ratio', 'label'] }
  const more = {
    service: testService({ kind: 'view', use }),
    onDemandViews: {},
    spine: { file, format: 'parquet', timestampColumn: 'moment' } as const,
  }
  const roomy = await bench.trainingSet(input('parquet', more))
  const tight = await bench.trainingSet(input('parquet', more), { sliceValuesMax: 1_000_000, memoryBytes: 100_000_000 })
  expect(tight).toMatchObject({ rows: 8 * LARGE_SPINE_ROWS, sha256: roomy.sha256, features: roomy.features })
})

test('the null rates of the manifest are those of the file, on-demand features included', async () => {
  for (const threads of [1, 3]) {
    const made = await bench.trainingSet(input('parquet'), { computes, threads, sliceValuesMax: 1 })
    const shares = made.features.map(
      ({ column }) => `1 - count(${identifier(column)}) / count(*) AS ${identifier(column)}`,
    )
    const [counted] = await bench.session.rows(`SELECT ${shares.join(', ')} FROM read_parquet(${literal(made.path)})`)
    const rates = made.features.map(({ column, nullRate }) => [column, nullRate])
    for (const [column, rate] of rates) expect(rate, String(column)).toBeCloseTo(Number(counted![String(column)]), 12)
    expect(rates.some(([, rate]) => rate !== 0)).toBe(true)
  }
})

test('CSV holds what Parquet holds', async () => {
  const parquet = await bench.trainingSet(input('parquet'), { computes })
  const csv = await bench.trainingSet(input('csv'), { computes })
  const asText = parquet.columns.map(({ name, type }) => {
    const column = identifier(name)
    if (type === 'BLOB') return `to_base64(${column}) AS ${column}`
    if (type === 'TIMESTAMP WITH TIME ZONE[]') {
      return `list_transform(${column}, lambda t: strftime(t, '%Y-%m-%dT%H:%M:%S.%fZ'))::JSON::VARCHAR AS ${column}`
    }
    return type.endsWith(']') ? `${column}::JSON::VARCHAR AS ${column}` : column
  })
  const types = csv.columns.map(({ name, type }) => {
    const asRead = type === 'BLOB' || type.endsWith(']') ? 'VARCHAR' : type
    return `${literal(name)}: ${literal(asRead)}`
  })
  const left = `SELECT ${asText.join(', ')} FROM read_parquet(${literal(parquet.path)})`
  const right = `FROM read_csv(${literal(csv.path)}, header = true, columns = {${types.join(', ')}})`
  const [differences] = await bench.session.rows(
    `SELECT (SELECT count(*) FROM (${left} EXCEPT ALL ${right})) AS lost, (SELECT count(*) FROM (${right})) AS all_rows`,
  )
  expect(differences).toEqual({ lost: 0n, all_rows: BigInt(SPINE_ROWS) })
  const [, firstLine] = (await readFile(csv.path, 'utf8')).split('\n', 2)
  expect(firstLine).toMatch(/^\d+,2001-01-\d\dT\d\d:00:00\.000000Z,0,/)
})

test('Arrow holds what Parquet holds', async () => {
  const parquet = await bench.trainingSet(input('parquet'), { computes })
  const arrow = await bench.trainingSet(input('arrow'), { computes })
  const table = tableFromIPC(await readFile(arrow.path))
  expect(table.schema.fields.map((field) => [field.name, String(field.type)])).toEqual(
    expect.arrayContaining([
      ['moment', 'Timestamp<MICROSECOND>'],
      ['scores__since', 'Timestamp<MICROSECOND, UTC>'],
      ['scores__vector', 'List<Float32>'],
      ['scores__raw', 'Binary'],
    ]),
  )
  const rows =
    await bench.session.rows(`SELECT * REPLACE (epoch_ms(moment) AS moment, epoch_ms(scores__since) AS scores__since,
    list_transform(scores__days, lambda d: epoch_ms(d)) AS scores__days, epoch_ms(blend__next_day) AS blend__next_day)
    FROM read_parquet(${literal(parquet.path)})`)
  expect(table.numRows).toBe(rows.length)
  for (const { name } of parquet.columns) {
    const given = Array.from(table.getChild(name)!, plain)
    expect({ name, given }).toEqual({ name, given: rows.map((row) => plain(row[name])) })
  }
})

/** Lists as arrays, bytes as hex and integers as numbers, whoever gives them. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (typeof value !== 'object' || value === null) return value
  if ('bytes' in value) return plain(value.bytes)
  return Array.from('items' in value ? (value.items as unknown[]) : (value as Iterable<unknown>), plain)
}

test('rows hold what Arrow holds', async () => {
  const arrow = tableFromIPC(await readFile((await bench.trainingSet(input('arrow'), { computes })).path))
  const made = await bench.trainingSet(input('rows'), { computes })
  const rows = readRows(
    await readFile(made.path),
    made.columns.map((column) => valueType(column.type)),
  )
  expect(rows.length).toBe(SPINE_ROWS)
  const timestampScale: Readonly<Record<string, number>> = { moment: 1000, scores__since: 1e-3, blend__next_day: 1e-3 }
  made.columns.forEach(({ name }, index) => {
    const scale = timestampScale[name]
    const given = rows.map((row) => plain(row[index]))
    const expected = Array.from(arrow.getChild(name)!, plain).map((value) => {
      if (name === 'scores__days' && Array.isArray(value)) return value.map((item) => item / 1000)
      return scale === undefined || value === null ? value : Number(value) * scale
    })
    expect({ name, given }).toEqual({ name, given: expected })
  })
})

function valueType(type: string): ValueType {
  const kinds = {
    BIGINT: 'int64',
    DOUBLE: 'double',
    FLOAT: 'float',
    INTEGER: 'int32',
    VARCHAR: 'string',
    BLOB: 'bytes',
    BOOLEAN: 'bool',
    'TIMESTAMP WITH TIME ZONE': 'timestamp',
  } as const
  const scalar = kinds[type.replace('[]', '') as keyof typeof kinds]
  return type.endsWith('[]') ? { kind: 'list', of: scalar } : { kind: scalar }
}

function readRows(file: Buffer, types: readonly ValueType[]): unknown[][] {
  const rows: unknown[][] = []
  for (let at = 0; at < file.length; ) {
    const length = file.readUInt32BE(at)
    expect(length).toBeLessThan(300 * 1024)
    const message = new WireReader(file, at + 4, at + 4 + length)
    while (message.next()) {
      const row = new WireReader(message.readBytes())
      const values: unknown[] = []
      while (row.next()) values.push(decodeValue(types[values.length]!, row.readBytes()))
      rows.push(values)
    }
    at += 4 + length
  }
  return rows
}
