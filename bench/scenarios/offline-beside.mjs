/**
 * What reads wait while offline work goes on beside them: an export of the history of the routes (570,842 rows), over and over, and
 * a compaction of a table, over and over.
 *
 * Reads come at a rate that the server answers with a fifth of a core, of an open loop, in all three cases; nine in ten are
 * answered from L1, one is FRESH and reads the embedded store. With two cores for the server, the load and the offline work the
 * question is not whether there is a core left, but who gets it.
 *
 * Before each compaction some rows are written into every day of its table. So each rewrites the whole table, whose files are
 * all so small that compaction takes them whatever their sizes are.
 */
import { connect } from '../../dist/client/index.js'
import { archived } from '../lib/archived.mjs'
import { compare } from '../lib/comparison.mjs'
import { usersRequest, wideRow, writeDailyRows, writeWideRows } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { spread } from '../lib/spread.mjs'
import { startLoad, withoutFailures } from '../load/load.mjs'

export const title = 'reads while offline work goes on beside them'
const COLUMNS = ['p50_ms', 'p99_ms', 'p999_ms']
export const figureNames = ['export', 'compaction'].flatMap((work) => [
  ...compared(`${work}.`, 'alone', COLUMNS),
  `${work}.runs_per_s`,
])
const PATH = '/twinstore.v1.Serving/GetFeatures'
const ROWS = 10
const SETTINGS = {
  full: { rounds: 5, seconds: 1, warmSeconds: 0.3, perSecond: 1000, tableRows: 12_000, days: 40 },
  quick: { rounds: 1, seconds: 0.1, warmSeconds: 0.05, perSecond: 100, tableRows: 20, days: 5 },
}
const WRITE_ROWS = 1000
const DAY_MS = 86_400_000
const FIRST_DAY = Date.UTC(2001, 0, 1)
const DEADLINE_MS = 5000

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const flags = ['--cache-ttl', '1h', '--archive-interval', '100ms', '--compact-interval', '0s']
    const server = await startTwinstore(defer, {
      definitions: 'definitions/serving.ts',
      dataDir: temporaryFolder(defer),
      flags: [...flags, ...(quick ? ['--sync-on-start', 'never'] : [])],
    })
    const client = connect(server.address)
    defer(() => client.close())
    await fill(client, quick, settings)
    const load = await startLoad(defer)
    await load.prepare('cached', requests('CONSISTENCY_CACHED'))
    await load.prepare('fresh', requests('CONSISTENCY_FRESH'))
    const contenders = {
      alone: () => readsBeside(undefined, load, server, settings),
      export: () => readsBeside(() => exportOnce(client), load, server, settings),
      compaction: () => readsBeside(() => compactOnce(client, settings.days), load, server, settings),
    }
    if (!quick) await takeTurns(contenders, 1)
    return report(settings, await takeTurns(contenders, settings.rounds))
  })
}

async function fill(client, quick, { tableRows, days }) {
  if (quick) await writeDailyRows(client)
  await writeWideRows(client)
  for (let left = tableRows; left > 0; left -= WRITE_ROWS) await writeHistory(client, Math.min(left, WRITE_ROWS), days)
  await archived(client)
}

let written = 0
/** Rows of users that nobody reads, which happened on many days: the table has a partition for each. */
async function writeHistory(client, count, days) {
  const rows = Array.from({ length: count }, () => {
    const index = written++
    const event_timestamp = new Date(FIRST_DAY + (index % days) * DAY_MS)
    return { ...wideRow(index), user: `other-${index}`, event_timestamp }
  })
  await client.writeFeatures('wide', rows, { ack: 'BOTH' })
}

function requests(consistency) {
  return Array.from({ length: 200 }, (_, index) => usersRequest(index * ROWS, ROWS, '0', { consistency }))
}

/** What reads wait during `work`, if any, which is begun again as soon as it has ended. */
async function readsBeside(work, load, server, { seconds, warmSeconds, perSecond }) {
  let running = true
  let runs = 0
  const beganMs = performance.now()
  const worked = (async () => {
    for (; running && work !== undefined; runs++) await work()
  })()
  const order = { kind: 'uniform', seed: 7 }
  const read = { path: PATH, order }
  const result = await load.run({
    target: server.address,
    mix: [
      { ...read, name: 'cached', requests: 'cached', share: 0.9 },
      { ...read, name: 'fresh', requests: 'fresh', share: 0.1 },
    ],
    pace: { kind: 'open', perSecond, arrivals: 'poisson', seed: 7 },
    connections: 1,
    seconds,
    warmSeconds,
    deadlineMs: DEADLINE_MS,
    answerBytesMin: ROWS * 1000,
  })
  running = false
  await worked
  withoutFailures(result)
  const runsPerSecond = runs / ((performance.now() - beganMs) / 1000)
  return { histogram: result.intended, runsPerSecond, figures: latencies(result.intended) }
}

const PERCENTILES = { p50_ms: 50, p99_ms: 99, p999_ms: 99.9 }
const NANOS_PER_MS = 1e6

function latencies(histogram) {
  return Object.fromEntries(
    Object.entries(PERCENTILES).map(([name, percentile]) => [
      name,
      histogram.getValueAtPercentile(percentile) / NANOS_PER_MS,
    ]),
  )
}

async function exportOnce(client) {
  for await (const _ of await client.exportFeatures({ view: 'route_daily', format: 'parquet' }));
}

async function compactOnce(client, days) {
  await writeHistory(client, days, days)
  const [{ filesRemoved }] = await client.compact({ views: ['wide'] })
  if (filesRemoved < 2 * days) throw new Error(`a compaction took ${filesRemoved} files: it did not rewrite every day`)
}

function report(settings, rounds) {
  const figuresOf = rounds.map((round) =>
    Object.fromEntries(Object.entries(round).map(([name, { figures }]) => [name, figures])),
  )
  const figures = {}
  const rows = []
  for (const work of ['export', 'compaction']) {
    const comparison = compare(figuresOf, work, 'alone')
    const runsPerSecond = spread(rounds.map((round) => round[work].runsPerSecond))
    Object.assign(figures, comparison.figures(`${work}.`), { [`${work}.runs_per_s`]: runsPerSecond })
    const [beside, ...others] = comparison.rows(`${settings.perSecond} reads/s of ${ROWS} rows`, COLUMNS)
    rows.push([...beside, runsPerSecond], ...others)
  }
  const histograms = Object.fromEntries(['alone', 'export', 'compaction'].map((name) => [name, merged(rounds, name)]))
  return {
    settings,
    figures,
    head: ['reads', 'beside', 'p50 ms', 'p99 ms', 'p99.9 ms', 'offline runs/s'],
    rows,
    histograms,
    plots: [
      {
        title: 'Reads while offline work goes on',
        kind: 'percentiles',
        series: Object.entries(histograms).map(([name, histogram]) => ({ name, histogram })),
      },
    ],
  }
}

function merged(rounds, name) {
  const [first, ...others] = rounds.map((round) => round[name].histogram)
  for (const histogram of others) first.add(histogram)
  return first
}
