/**
 * The training set of the flights example, made in this process: by Twinstore's jobs as a server runs them, and by hand in
 * DuckDB SQL over the same Parquet files, with the same threads and memory.
 *
 * By hand there are two. `unordered`: the joins alone, its rows in any order, without the on-demand feature. `same result`: what
 * somebody needs who wants the file that Twinstore gives: the rows in the spine's order and the on-demand feature, in SQL.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { systemClock } from '../../dist/lib/clock.js'
import { openSession } from '../../dist/offline/duckdb/session.js'
import { runSpineRange } from '../../dist/offline/duckdb/spine-range-job.js'
import { createTrainingSetJob } from '../../dist/offline/duckdb/training-set-job.js'

const FLIGHTS = fileURLToPath(new URL('../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url))
const FLIGHTS_ROWS = 3_000_000

/** The default of option `training-slice-values-max`. */
const SLICE_VALUES_MAX = 16_000_000

const feature = (name, kind) => ({ name, type: { kind } })
const view = (name, joinKeys, features) => ({
  name,
  version: 1,
  entities: [name],
  joinKeys: joinKeys.map((key) => ({ name: key, type: 'string' })),
  features,
  schemaId: 1,
  schemaFeatureCounts: [features.length],
  onStale: 'serve',
  partitionBy: 'month',
  online: true,
})
const AIRPORT = view(
  'airport_daily',
  ['airport'],
  [
    feature('flights', 'int64'),
    feature('mean_delay', 'double'),
    feature('p90_delay', 'double'),
    feature('late_share', 'double'),
    feature('mean_distance', 'double'),
  ],
)
const ROUTE = view(
  'route_daily',
  ['destination', 'origin'],
  [
    feature('flights', 'int64'),
    feature('mean_delay', 'double'),
    feature('max_delay', 'double'),
    feature('late_share', 'double'),
  ],
)
const STATUS = view(
  'airport_status',
  ['airport'],
  [feature('closed', 'bool'), feature('expected_delay_minutes', 'double')],
)
const use = (of, as, joinKeyMap = {}) => ({ view: of.name, as, joinKeyMap })
const ORIGIN = use(AIRPORT, 'origin_airport', { airport: 'origin' })
const DESTINATION = use(AIRPORT, 'destination_airport', { airport: 'destination' })
const DELAY_RISK = {
  name: 'delay_risk',
  inputs: [ORIGIN, DESTINATION, use(ROUTE, 'route_daily')],
  request: [{ ...feature('scheduled_hour', 'int64'), default: '12' }],
  features: [feature('risk', 'double')],
}
const SERVICE = {
  name: 'predict_delay',
  members: [
    { kind: 'view', use: ORIGIN },
    { kind: 'view', use: DESTINATION },
    { kind: 'view', use: use(ROUTE, 'route_daily') },
    { kind: 'view', use: use(STATUS, 'origin_status', { airport: 'origin' }) },
    { kind: 'onDemand', view: 'delay_risk' },
  ],
}

function delayRisk(row) {
  const shares = [row.origin_airport.late_share, row.destination_airport.late_share, row.route_daily.late_share]
  const known = shares.filter((share) => share !== null)
  const mean = known.length === 0 ? 0.2 : known.reduce((sum, share) => sum + share, 0) / known.length
  return { risk: Math.min(1, mean * (row.request.scheduled_hour >= 17 ? 1.3 : 1)) }
}

/** The same as SQL, for `scheduled_hour`'s default: the additions in the same order, so that not a bit differs. */
const DELAY_RISK_SQL = `least(1, CASE WHEN known = 0 THEN 0.2::DOUBLE ELSE
  (0 + coalesce(origin_airport__late_share, 0) + coalesce(destination_airport__late_share, 0)
     + coalesce(route_daily__late_share, 0)) / known END)`
const KNOWN_SQL = ['origin_airport', 'destination_airport', 'route_daily']
  .map((as) => `(${as}__late_share IS NOT NULL)::INTEGER`)
  .join(' + ')

async function openDuckdb({ threads, memoryMib, dir }) {
  const config = { threads: String(threads), memory_limit: `${memoryMib}MiB`, temp_directory: join(dir, 'spill') }
  const connection = await (await DuckDBInstance.create(':memory:', config)).connect()
  await connection.run("SET TimeZone = 'UTC'")
  return connection
}

/** The tables of the views, as a sync writes them: a file per month, sorted by entity. */
export async function makeTables(settings) {
  const connection = await openDuckdb(settings)
  const system = `(date_trunc('day', date) + INTERVAL 1 DAY)::TIMESTAMPTZ AS event_timestamp,
    event_timestamp AS created_timestamp, 1700000000000000 AS write_position, 'sync' AS write_origin, 1 AS schema_id,
    NULL::VARCHAR[] AS missing_features`
  const table = (name, keys, keyColumns, features) =>
    connection.run(`COPY (SELECT *, strftime(date_trunc('month', event_timestamp), '%Y-%m-%d') AS event_date
      FROM (SELECT ${keys}, ${features}, ${system} FROM '${FLIGHTS}' GROUP BY ALL)
      ORDER BY ${keyColumns}, event_timestamp) TO '${join(settings.dir, name)}' (FORMAT parquet, PARTITION_BY (event_date))`)
  const common = 'count(*) AS flights, avg(delay) AS mean_delay'
  const late = 'avg((delay > 15)::INTEGER) AS late_share'
  const airport = `${common}, quantile_cont(delay, 0.9)::DOUBLE AS p90_delay, ${late}, avg(distance) AS mean_distance`
  await table('airport_daily', 'origin AS airport', 'airport', airport)
  await table(
    'route_daily',
    'destination, origin',
    'destination, origin',
    `${common}, max(delay)::DOUBLE AS max_delay, ${late}`,
  )
}

/** A spine of so many flights: a sample of the real ones, or all of them as often as it takes, a minute later each time. */
export async function makeSpine({ rows, format = 'parquet', ...settings }) {
  const connection = await openDuckdb(settings)
  const rounds = Math.ceil(rows / FLIGHTS_ROWS)
  const select =
    rows < FLIGHTS_ROWS
      ? `FROM '${FLIGHTS}' USING SAMPLE reservoir(${rows} ROWS) REPEATABLE (1)`
      : `SELECT date + to_minutes(round) AS date, * EXCLUDE (date, round)
         FROM range(${rounds}) AS r(round), '${FLIGHTS}' ORDER BY round LIMIT ${rows}`
  await connection.run(`COPY (${select}) TO '${join(settings.dir, `spine.${format}`)}' (FORMAT ${format})`)
}

async function tableScan(dir, of) {
  const entries = await readdir(join(dir, of.name), { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile())
  return {
    view: of,
    files: files.map((entry) => ({ path: join(entry.parentPath, entry.name), eventDate: '2001-01-01' })),
  }
}

export function runByHand(settings, { sameResult }) {
  return sameResult ? sameByHand(settings) : unorderedByHand(settings)
}

async function unorderedByHand(settings) {
  const connection = await openDuckdb(settings)
  await connection.run(`COPY (${joinsSql(settings, '*')}) TO '${join(settings.dir, 'unordered.parquet')}' ${PARQUET}`)
}

async function sameByHand(settings) {
  const connection = await openDuckdb(settings)
  const joined = joinsSql(settings, '*, file_row_number', ', file_row_number = true')
  const status = 'NULL::BOOLEAN AS origin_status__closed, NULL::DOUBLE AS origin_status__expected_delay_minutes'
  await connection.run(`COPY (
    SELECT * EXCLUDE (file_row_number, known), ${status}, ${DELAY_RISK_SQL} AS delay_risk__risk
    FROM (SELECT *, ${KNOWN_SQL} AS known FROM (${joined})) ORDER BY file_row_number
  ) TO '${join(settings.dir, 'by-hand.parquet')}' ${PARQUET}`)
}

const PARQUET = '(FORMAT parquet, COMPRESSION zstd)'

function joinsSql({ dir }, columns, options = '') {
  const table = (name) => `read_parquet('${join(dir, name)}/**/*.parquet', hive_partitioning = false)`
  const features = (of, as) => of.features.map(({ name }) => `${as}.${name} AS ${as}__${name}`).join(', ')
  return `SELECT s.* EXCLUDE (moment), ${features(AIRPORT, 'origin_airport')}, ${features(AIRPORT, 'destination_airport')},
      ${features(ROUTE, 'route_daily')}
    FROM (SELECT ${columns}, date::TIMESTAMPTZ AS moment FROM read_parquet('${join(dir, 'spine.parquet')}'${options})) s
    ASOF LEFT JOIN ${table('airport_daily')} origin_airport
      ON s.origin = origin_airport.airport AND s.moment >= origin_airport.event_timestamp
    ASOF LEFT JOIN ${table('airport_daily')} destination_airport
      ON s.destination = destination_airport.airport AND s.moment >= destination_airport.event_timestamp
    ASOF LEFT JOIN ${table('route_daily')} route_daily
      ON s.origin = route_daily.origin AND s.destination = route_daily.destination
      AND s.moment >= route_daily.event_timestamp`
}

/** The two jobs of a training set, each with a session of its own, as a server runs them in its child processes. */
export async function runJobs({ dir, threads, memoryMib, format = 'parquet' }) {
  const spine = { file: join(dir, `spine.${format}`), format, timestampColumn: 'date' }
  await withSession({ dir, threads, memoryMib }, (session, context) => runSpineRange(session, { spine }, context))
  const job = createTrainingSetJob({
    sliceValuesMax: SLICE_VALUES_MAX,
    loadComputes: async () => new Map([['delay_risk', delayRisk]]),
  })
  const tables = { airport_daily: AIRPORT, route_daily: ROUTE, airport_status: STATUS }
  const scans = await Promise.all(Object.entries(tables).map(async ([name, of]) => [name, await tableScan(dir, of)]))
  const input = {
    service: SERVICE,
    tables: Object.fromEntries(scans),
    onDemandViews: { delay_risk: DELAY_RISK },
    bundleFile: 'the function above',
    spine,
    mode: 'EVENT_TIME',
    format: 'parquet',
    outputFile: join(dir, 'job.parquet'),
  }
  await withSession({ dir, threads, memoryMib }, (session, context) => job(session, input, context))
}

async function withSession({ dir, threads, memoryMib }, work) {
  const limits = {
    memoryBytes: memoryMib * 1024 ** 2,
    threads,
    spillDir: join(dir, 'spill'),
    spillBytesMax: 50 * 1024 ** 3,
  }
  const session = await openSession(limits, systemClock)
  try {
    await work(session, { signal: new AbortController().signal, progress() {} })
  } finally {
    await session.close()
  }
}

/** Throws unless the file made by hand has the same rows in the same order as that of the job. */
export async function expectSameResult(settings) {
  const connection = await openDuckdb(settings)
  const columns = await connection.runAndReadAll(`DESCRIBE FROM '${join(settings.dir, 'job.parquet')}'`)
  const names = columns.getRowObjects().map((row) => `"${row.column_name}"`)
  const differs = names.map((name) => `job.${name} IS DISTINCT FROM hand.${name}`).join(' OR ')
  const found = await connection.runAndReadAll(`SELECT count(*) AS rows, count(*) FILTER (${differs}) AS different
    FROM '${join(settings.dir, 'job.parquet')}' job POSITIONAL JOIN '${join(settings.dir, 'by-hand.parquet')}' hand`)
  const { rows, different } = found.getRowObjects()[0]
  if (different !== 0n || rows === 0n)
    throw new Error(`${different} of ${rows} rows differ between the job and by hand`)
}
