/**
 * The training set of the flights example against the same joins written by hand in DuckDB SQL, over the same Parquet
 * files, with the same threads and memory. Each run is a process of its own, so that the peak RSS is that run's; runs of
 * the two alternate, after one of each that only warms the file cache.
 *
 *     node bench/training-set.mjs [--quick] [--runs 3] [--threads 2] [--memory-mib 1024]
 *
 * `--quick` takes 100,000 of the 3,000,000 flights as spine. The hand-written SQL leaves the rows in any order and computes
 * no on-demand feature; the job gives them in the spine's order, with `delay_risk`.
 */
import { fork } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { systemClock } from '../dist/lib/clock.js'
import { openSession } from '../dist/offline/duckdb/session.js'
import { createTrainingSetJob } from '../dist/offline/duckdb/training-set-job.js'

const FLIGHTS = fileURLToPath(new URL('../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url))
const QUICK_ROWS = 100_000

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

async function openDuckdb({ threads, memoryMib, dir }) {
  const config = { threads: String(threads), memory_limit: `${memoryMib}MiB`, temp_directory: join(dir, 'spill') }
  const connection = await (await DuckDBInstance.create(':memory:', config)).connect()
  await connection.run("SET TimeZone = 'UTC'")
  return connection
}

async function makeTables(settings) {
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
  const sample = settings.quick ? `USING SAMPLE reservoir(${QUICK_ROWS} ROWS) REPEATABLE (1)` : ''
  await connection.run(
    `COPY (FROM '${FLIGHTS}' ${sample}) TO '${join(settings.dir, 'spine.parquet')}' (FORMAT parquet)`,
  )
}

async function tableScan(dir, of) {
  const entries = await readdir(join(dir, of.name), { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile())
  return {
    view: of,
    files: files.map((entry) => ({ path: join(entry.parentPath, entry.name), eventDate: '2001-01-01' })),
  }
}

async function runByHand(settings) {
  const connection = await openDuckdb(settings)
  const table = (name) => `read_parquet('${join(settings.dir, name)}/**/*.parquet', hive_partitioning = false)`
  const columns = (of, as) => of.features.map(({ name }) => `${as}.${name} AS ${as}__${name}`).join(', ')
  await connection.run(`COPY (
    SELECT s.* EXCLUDE (moment), ${columns(AIRPORT, 'origin_airport')}, ${columns(AIRPORT, 'destination_airport')},
      ${columns(ROUTE, 'route_daily')}
    FROM (SELECT *, date::TIMESTAMPTZ AS moment FROM '${join(settings.dir, 'spine.parquet')}') s
    ASOF LEFT JOIN ${table('airport_daily')} origin_airport
      ON s.origin = origin_airport.airport AND s.moment >= origin_airport.event_timestamp
    ASOF LEFT JOIN ${table('airport_daily')} destination_airport
      ON s.destination = destination_airport.airport AND s.moment >= destination_airport.event_timestamp
    ASOF LEFT JOIN ${table('route_daily')} route_daily
      ON s.origin = route_daily.origin AND s.destination = route_daily.destination
      AND s.moment >= route_daily.event_timestamp
  ) TO '${join(settings.dir, 'by-hand.parquet')}' (FORMAT parquet, COMPRESSION zstd)`)
}

async function runJob({ dir, threads, memoryMib }) {
  const limits = {
    memoryBytes: memoryMib * 1024 ** 2,
    threads,
    spillDir: join(dir, 'spill'),
    spillBytesMax: 50 * 1024 ** 3,
  }
  const session = await openSession(limits, systemClock)
  const job = createTrainingSetJob({
    sliceValuesMax: 16_000_000,
    loadComputes: async () => new Map([['delay_risk', delayRisk]]),
  })
  const tables = { airport_daily: AIRPORT, route_daily: ROUTE, airport_status: STATUS }
  const scans = await Promise.all(Object.entries(tables).map(async ([name, of]) => [name, await tableScan(dir, of)]))
  const input = {
    service: SERVICE,
    tables: Object.fromEntries(scans),
    onDemandViews: { delay_risk: DELAY_RISK },
    bundleFile: 'the function above',
    spine: { file: join(dir, 'spine.parquet'), format: 'parquet', timestampColumn: 'date' },
    mode: 'EVENT_TIME',
    format: 'parquet',
    outputFile: join(dir, 'job.parquet'),
  }
  await job(session, input, { signal: new AbortController().signal, progress() {} })
  await session.close()
}

const RUNS = { 'by hand': runByHand, job: runJob, tables: makeTables }

/** Runs one of RUNS in a process of its own. */
function measure(what, settings) {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--run', what, '--settings', JSON.stringify(settings)])
    let result
    child.once('message', (message) => {
      result = message
    })
    child.once('exit', (code) => (code === 0 ? resolve(result) : reject(new Error(`${what}: exit code ${code}`))))
  })
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}

async function compare({ runs, ...options }) {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-bench-'))
  try {
    const settings = { ...options, dir }
    await measure('tables', settings)
    const measured = { 'by hand': [], job: [] }
    for (let run = -1; run < runs; run++) {
      for (const what of Object.keys(measured)) {
        const result = await measure(what, settings)
        if (run >= 0) measured[what].push(result)
      }
    }
    const summary = Object.entries(measured).map(([what, results]) => ({
      what,
      medianSeconds: Number(median(results.map((result) => result.seconds)).toFixed(2)),
      medianCpuSeconds: Number(median(results.map((result) => result.cpuSeconds)).toFixed(2)),
      peakRssMib: Math.max(...results.map((result) => result.peakRssMib)),
    }))
    console.table(summary)
    const [byHand, job] = summary
    const ratio = Number((job.medianSeconds / byHand.medianSeconds).toFixed(2))
    console.log(JSON.stringify({ bench: 'training-set', ...options, runs, byHand, job, ratio }))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    'memory-mib': { type: 'string', default: '1024' },
    run: { type: 'string' },
    settings: { type: 'string' },
  },
})

if (values.run === undefined) {
  const { quick, runs, threads, 'memory-mib': memoryMib } = values
  await compare({ quick, runs: Number(runs), threads: Number(threads), memoryMib: Number(memoryMib) })
} else {
  const begin = performance.now()
  await RUNS[values.run](JSON.parse(values.settings))
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  process.send({
    seconds: (performance.now() - begin) / 1000,
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    peakRssMib: Math.round(maxRSS / 1024),
  })
  process.disconnect()
}
