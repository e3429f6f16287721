/**
 * The values of the flights example, online, offline and in training sets, against plain SQL over the flights themselves. Doubles
 * are compared exactly: both sides divide the same whole numbers and calculate in the same order.
 */
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type FeatureRow, type TwinstoreClient } from '../../src/client/index.ts'
import { type DeltaFile, readDeltaTable } from '../support/delta-reader.ts'
import { EXPECTED_TRAINING_SET, type FlightsSql, openFlights, quoted } from '../support/flights-sql.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const dir = mkdtempSync(join(tmpdir(), 'twinstore-flights-values-'))
const dataDir = join(dir, 'data')
const definitions = new URL('../../examples/flights', import.meta.url).pathname

/** Written through the server, so that training sets and tables hold pushed rows too: a value, a null and a missing one. */
const STATUSES = [
  { airport: 'ATL', event_timestamp: new Date('2001-02-01T12:00:00Z'), closed: true, expected_delay_minutes: 30.5 },
  { airport: 'ATL', event_timestamp: new Date('2001-03-01T12:00:00Z'), closed: false, expected_delay_minutes: null },
  { airport: 'ORD', event_timestamp: new Date('2001-04-01T00:00:00Z'), closed: true },
]

let server: ServerProcess
let client: TwinstoreClient
let flights: FlightsSql

beforeAll(async () => {
  server = await startServerProcess({ dataDir, definitions })
  client = connect(server.address)
  await client.writeFeatures('airport_status', STATUSES, { ack: 'BOTH' })
  flights = await openFlights()
})

afterAll(async () => {
  client?.close()
  flights?.close()
  await server?.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** The training set for a spine file, as a file; resolves to its path. */
async function trainingSet(spine: string, timestampColumn: string): Promise<string> {
  const dataset = await client.trainingSet({
    service: 'predict_delay',
    spine: createReadStream(spine),
    timestampColumn,
  })
  const path = `${spine}.train.parquet`
  await pipeline(Readable.from(dataset, { objectMode: false }), createWriteStream(path))
  return path
}

test('a training set has the values that plain SQL finds, for every feature of 20,000 flights', async () => {
  const spine = join(dir, 'spine.parquet')
  await flights.run(`CREATE TABLE spine AS SELECT flight, date, origin, destination, delay,
    CAST(date_part('hour', date) AS BIGINT) AS scheduled_hour FROM flights WHERE flight % 150 = 7`)
  await flights.run(
    `CREATE TABLE status (airport VARCHAR, known_at TIMESTAMP, closed BOOLEAN, expected_delay_minutes DOUBLE)`,
  )
  await flights.run(`INSERT INTO status VALUES ('ATL', '2001-02-01 12:00:00', true, 30.5),
    ('ATL', '2001-03-01 12:00:00', false, NULL), ('ORD', '2001-04-01', true, NULL)`)
  await flights.run(EXPECTED_TRAINING_SET)
  await flights.run(`COPY (FROM spine ORDER BY flight) TO ${quoted(spine)} (FORMAT parquet)`)
  await flights.run(
    `CREATE TABLE train AS FROM read_parquet(${quoted(await trainingSet(spine, 'date'))}, file_row_number = true)`,
  )

  const names = await columnNames('expected')
  expect(await columnNames('train')).toEqual([...(await columnNames('spine')), ...names.slice(1), 'file_row_number'])
  expect(
    await flights.rows('SELECT count(*) AS n FROM train JOIN spine USING (flight, date, origin, destination, delay)'),
  ).toEqual([{ n: 20_000n }])
  // In the order of the spine.
  const inOrder = 'row_number() OVER (ORDER BY flight) - 1 = file_row_number'
  expect(await flights.rows(`SELECT count(*) AS n FROM (SELECT ${inOrder} AS same FROM train) WHERE same`)).toEqual([
    { n: 20_000n },
  ])
  const features = names.slice(1)
  const differences = features.map(
    (name) => `count(*) FILTER (train.${name} IS DISTINCT FROM expected.${name}) AS ${name}`,
  )
  const [differing] = await flights.rows(`SELECT ${differences.join(', ')} FROM train JOIN expected USING (flight)`)
  expect(differing).toEqual(Object.fromEntries(features.map((name) => [name, 0n])))
  // The comparison is of something: every feature has values, and early flights have none.
  const [known] = await flights.rows(
    `SELECT ${features.map((name) => `count(${name}) AS ${name}`).join(', ')} FROM expected`,
  )
  for (const name of features) expect(known![name]).toBeGreaterThan(0n)
  expect(known!['origin_airport__mean_delay']).toBeLessThan(20_000n)
})

async function columnNames(table: string): Promise<string[]> {
  return (await flights.rows(`DESCRIBE ${table}`)).map((row) => String(row['column_name']))
}

test('online, all 3,628 entities have the last row of their source', async () => {
  const airports = await flights.rows(`SELECT DISTINCT ON (airport) * FROM airport_day ORDER BY airport, known_at DESC`)
  const routes = await flights.rows(`SELECT DISTINCT ON (origin, destination) * FROM route_day
    ORDER BY origin, destination, known_at DESC`)
  expect([airports.length, routes.length]).toEqual([229, 3399])
  expect(await onlineRows('airport_daily', ['airport'], airports)).toEqual(airports)
  expect(await onlineRows('route_daily', ['origin', 'destination'], routes)).toEqual(routes)
})

/** The online rows of the same entities, in the same form. */
async function onlineRows(view: string, keys: readonly string[], wanted: readonly Record<string, unknown>[]) {
  const entities = wanted.map((row) => Object.fromEntries(keys.map((key) => [key, row[key]])))
  const rows: FeatureRow[] = []
  for (let at = 0; at < entities.length; at += 500) {
    const batch = entities.slice(at, at + 500)
    rows.push(...(await client.getFeatures({ features: [`${view}:*`], entities: batch, consistency: 'FRESH' })).rows)
  }
  return rows.map((row, index) => ({
    ...entities[index],
    known_at: row.eventTimestamps[view],
    ...shortNames(view, row),
  }))
}

function shortNames(view: string, row: FeatureRow): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row.values).map(([name, value]) => [name.slice(`${view}__`.length), value]))
}

test('a training set after all data has what GetFeatures answers, risk included, for 1,000 routes', async () => {
  const spine = join(dir, 'pairs.parquet')
  await flights.run(`COPY (
    SELECT origin, destination, (row_number() OVER () - 1) % 24 AS scheduled_hour, TIMESTAMP '2002-01-01' AS asked_at
    FROM (SELECT DISTINCT origin, destination FROM flights ORDER BY hash(origin || destination) LIMIT 1000)
  ) TO ${quoted(spine)} (FORMAT parquet)`)
  const pairs = await flights.rows(`SELECT origin, destination, scheduled_hour FROM read_parquet(${quoted(spine)})`)
  const { rows } = await client.getFeatures({ service: 'predict_delay', entities: pairs })
  const train = await flights.rows(`SELECT * EXCLUDE (origin, destination, scheduled_hour, asked_at)
    FROM read_parquet(${quoted(await trainingSet(spine, 'asked_at'))})`)
  expect(rows.map((row) => row.values)).toEqual(train)
  expect(new Set(train.map((row) => row['delay_risk__risk'])).size).toBeGreaterThan(900)
})

test.each([
  ['airport_daily', 'month', 39_952],
  ['route_daily', 'month', 570_842],
  ['airport_status', 'day', STATUSES.length],
])('%s is a valid Delta table', async (view, partition, rowCount) => {
  const folder = join(dataDir, 'offline/views', view, 'v1')
  const table = await readDeltaTable(folder)
  expect(table.protocol).toEqual({ minReaderVersion: 1, minWriterVersion: 2 })
  expect(table.partitionColumns).toEqual(['event_date'])
  expect(table.files.map((file) => file.path).sort()).toEqual(table.parquetFiles)
  expect(table.files.reduce((sum, file) => sum + file.stats.numRecords, 0)).toBe(rowCount)

  const types = Object.fromEntries(table.columns.map(({ name, type }) => [name, type]))
  expect(types['event_date']).toBe('date')
  for (const file of table.files) {
    const path = join(folder, file.path)
    expect((await stat(path)).size).toBe(file.size)
    await flights.run(
      `CREATE OR REPLACE TEMP VIEW data AS FROM read_parquet(${quoted(path)}, hive_partitioning = false)`,
    )
    const columns = (await flights.rows('DESCRIBE data')).map(
      (row) => [row['column_name'], row['column_type']] as [string, string],
    )
    expect(Object.fromEntries(columns.map(([name, type]) => [name, DELTA_TYPES[type]]))).toEqual(
      withoutPartition(types),
    )
    expect(file.stats).toEqual(await statsOf(columns))
    const days =
      await flights.rows(`SELECT DISTINCT strftime(date_trunc('${partition}', event_timestamp), '%Y-%m-%d') AS event_date
      FROM data`)
    expect(days).toEqual([file.partitionValues])
  }
})

const ARRAY_OF_STRING = { type: 'array', elementType: 'string', containsNull: true }

const DELTA_TYPES: Readonly<Record<string, unknown>> = {
  VARCHAR: 'string',
  BIGINT: 'long',
  INTEGER: 'integer',
  DOUBLE: 'double',
  BOOLEAN: 'boolean',
  'TIMESTAMP WITH TIME ZONE': 'timestamp',
  'VARCHAR[]': ARRAY_OF_STRING,
}

function withoutPartition({ event_date: _, ...others }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return others
}

/** The statistics that the rows of `data` have: timestamps in milliseconds, outwards; none of booleans and lists. */
async function statsOf(columns: readonly (readonly [string, string])[]): Promise<DeltaFile['stats']> {
  const scalar = columns.filter(([, type]) => !type.endsWith('[]'))
  const ordered = scalar.filter(([, type]) => type !== 'BOOLEAN')
  const bounds = async (bound: 'min' | 'max'): Promise<Record<string, unknown>> => {
    const list = ordered.map(([name, type]) =>
      type.startsWith('TIMESTAMP') ? milliseconds(bound, name) : `${bound}(${name})`,
    )
    const [row] = await flights.rows(
      `SELECT ${list.map((each, index) => `${each} AS "${ordered[index]![0]}"`).join(', ')} FROM data`,
    )
    return Object.fromEntries(
      Object.entries(row!)
        .filter(([, value]) => value !== null)
        .map(([name, value]) => [name, plain(value)]),
    )
  }
  const nulls = scalar.map(([name]) => `count(*) FILTER (${name} IS NULL) AS ${name}`)
  const [counts] = await flights.rows(`SELECT count(*) AS "count", ${nulls.join(', ')} FROM data`)
  const { count, ...nullCount } = Object.fromEntries(
    Object.entries(counts!).map(([name, value]) => [name, Number(value)]),
  )
  return {
    numRecords: count!,
    minValues: await bounds('min'),
    maxValues: await bounds('max'),
    nullCount: nullCount as Record<string, number>,
  }
}

function milliseconds(bound: 'min' | 'max', name: string): string {
  const micros = bound === 'min' ? `epoch_us(min(${name}))` : `epoch_us(max(${name})) + 999`
  return `strftime(make_timestamp_ms((${micros}) // 1000), '%Y-%m-%dT%H:%M:%S.%gZ')`
}

function plain(value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}
