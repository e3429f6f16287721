/**
 * An hour's soak cut to five minutes: what a server with everything going on does to its memory, its latency and its event loop.
 *
 * Over a Redis Cluster of three primaries, an open loop at a moderate rate, in each second some 400 calls: reads of ten rows of
 * 2 KB by Zipf, of which a cache of 16 MiB has most, FRESH reads, pairs with an on-demand feature, and writes of ten rows.
 * Meanwhile rows are archived every two seconds and checkpoints written, Prometheus scrapes, and a sync of 570,842 rows, an export of
 * them and a compaction take turns.
 *
 * The first half, after a warm-up, is for pauses: nothing is done for the sake of measuring. The second is for memory: every
 * few seconds a full collection is asked for, and what is then alive is on a line or is a leak. Without it the saw of the heap, tens
 * of MiB high, would hide any slope that matters.
 */
import { join } from 'node:path'
import { connect } from '../../dist/client/index.js'
import { encodeWrite } from '../../dist/client/writes.js'
import { startCluster } from '../../test/support/redis/redis-cluster.mjs'
import { namedUsersRequest, PAIRS, pairRequest, wideRow, writeDailyRows } from '../lib/feature-data.mjs'
import { collectionsIn, loopDelaysIn, memoryIn, readPauses } from '../lib/pauses.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { single } from '../lib/single-figure.mjs'
import { slopeOf } from '../lib/slope.mjs'
import { spread } from '../lib/spread.mjs'
import { startLoad, withoutFailures } from '../load/load.mjs'

export const title = 'five minutes of everything at once'
export const suite = 'long'
const PERCENTILES = { p50_ms: 50, p99_ms: 99, p999_ms: 99.9, max_ms: 100 }
const MEMORIES = { rss: 'resident', heapUsed: 'heap', external: 'outside the heap' }
export const figureNames = [
  ...Object.keys(PERCENTILES),
  ...Object.keys(MEMORIES).flatMap((name) => [`${name}_mib`, `${name}_mib_per_h`, `${name}_certain_mib_per_day`]),
  'collections_per_s',
  'collection_max_ms',
  'collection_share_percent',
  'loop_delay_p99_ms',
  'loop_delay_max_ms',
]
/** Memory may shrink; in an instant nothing need be collected, and no look at the event loop be late. */
export const figuresOfAnySign = /per_h|per_day|collection|loop_delay/

const SETTINGS = {
  full: {
    parts: 10,
    partSeconds: 30,
    warmSeconds: 20,
    perSecond: 400,
    users: 20_000,
    aliveEveryMs: 3000,
    cache: '16MiB',
    synced: ['route_daily'],
  },
  quick: {
    parts: 2,
    partSeconds: 0.7,
    warmSeconds: 0.1,
    perSecond: 100,
    users: 1000,
    aliveEveryMs: 100,
    cache: '1MiB',
    synced: [],
  },
}
const ROWS = 10
const WRITE_ROWS = 1000
const SCRAPE_MS = 5000
const DEADLINE_MS = 10_000
const MIB = 2 ** 20
const NANOS_PER_MS = 1e6
const SERVING = '/twinstore.v1.Serving'

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const cluster = await startCluster({ primaries: 3, replicas: 0 })
    defer(() => cluster.dispose())
    const dataDir = temporaryFolder(defer)
    const pausesFile = join(dataDir, 'pauses')
    const flags = ['--online', cluster.url, '--metrics', '127.0.0.1:0', '--cache-bytes', settings.cache]
    const server = await startTwinstore(defer, {
      definitions: 'definitions/serving.ts',
      dataDir,
      flags: [...flags, '--checkpoint-every', '20', ...(quick ? ['--sync-on-start', 'never'] : [])],
      pausesFile,
    })
    const client = connect(server.address)
    defer(() => client.close())
    if (quick) await writeDailyRows(client)
    await writeUsers(client, settings.users)
    const load = await startLoad(defer)
    await prepare(load, client, settings.users)
    const parts = await soaked(load, server, client, settings)
    return report(settings, parts, readPauses(pausesFile, server.pid))
  })
}

async function writeUsers(client, users) {
  for (let first = 0; first < users; first += WRITE_ROWS) {
    await client.writeFeatures('wide', usersFrom(first, WRITE_ROWS))
  }
}

function usersFrom(first, count) {
  return Array.from({ length: count }, (_, offset) => ({ ...wideRow(first + offset), user: userOf(first + offset) }))
}

const userOf = (index) => `soak-${index}`

async function prepare(load, client, users) {
  const wide = (await client.describe()).views.find(({ name }) => name === 'wide')
  const starts = Array.from({ length: users / ROWS }, (_, index) => index * ROWS)
  const reads = (consistency) =>
    starts.map((first) =>
      namedUsersRequest(
        Array.from({ length: ROWS }, (_, offset) => userOf(first + offset)),
        '0',
        { consistency },
      ),
    )
  await load.prepare('cached', reads('CONSISTENCY_CACHED'))
  await load.prepare('fresh', reads('CONSISTENCY_FRESH'))
  await load.prepare(
    'pairs',
    PAIRS.map((pair) => pairRequest(pair)),
  )
  // Under no write id: a repetition of the same bytes is another write.
  await load.prepare(
    'writes',
    starts.map((first) => encodeWrite(wide, usersFrom(first, ROWS), { writeId: '' })),
  )
}

/** The parts, each with when it began and what calls waited in it. */
async function soaked(load, server, client, settings) {
  const { parts, partSeconds, warmSeconds, aliveEveryMs } = settings
  const beside = goOn([
    { everyMs: 0, work: () => offlineTurn(client, settings.synced) },
    { everyMs: SCRAPE_MS, work: () => scrape(server.metricsAddress) },
  ])
  await load.run(loadOf(server, settings, warmSeconds, 0))
  const results = []
  for (let part = 0; part < parts; part++) {
    const asking = part * 2 < parts ? undefined : setInterval(() => process.kill(server.pid, 'SIGUSR2'), aliveEveryMs)
    const beganAtMs = Date.now()
    const { intended } = withoutFailures(await load.run(loadOf(server, settings, partSeconds, part + 1)))
    clearInterval(asking)
    results.push({ beganAtMs, endedAtMs: Date.now(), intended })
  }
  await beside.stop()
  return results
}

function loadOf(server, { perSecond }, seconds, seed) {
  const zipf = { kind: 'zipf', exponent: 1, seed }
  const kind = (name, method, share, order, answerBytesMin) => ({
    name,
    path: `${SERVING}/${method}`,
    requests: name,
    order,
    share,
    answerBytesMin,
  })
  return {
    target: server.address,
    mix: [
      kind('cached', 'GetFeatures', 0.75, zipf, ROWS * 1000),
      kind('fresh', 'GetFeatures', 0.05, zipf, ROWS * 1000),
      kind('pairs', 'GetFeatures', 0.15, { kind: 'uniform', seed }, 50),
      kind('writes', 'WriteFeatures', 0.05, zipf, ROWS),
    ],
    pace: { kind: 'open', perSecond, arrivals: 'poisson', seed },
    connections: 2,
    seconds,
    deadlineMs: DEADLINE_MS,
  }
}

/** Each work again and again, `everyMs` after it has ended, until `stop`, which rejects if one failed. */
function goOn(works) {
  let running = true
  const all = Promise.all(
    works.map(async ({ everyMs, work }) => {
      while (running) {
        await work()
        await new Promise((resolve) => setTimeout(resolve, running ? everyMs : 0))
      }
    }),
  )
  // `stop` is where it is heard of; until then it must not end this process.
  all.catch(() => {})
  return {
    async stop() {
      running = false
      await all
    },
  }
}

async function offlineTurn(client, synced) {
  if (synced.length > 0) await client.sync({ views: synced })
  for await (const _ of await client.exportFeatures({ view: 'route_daily', format: 'parquet' }));
  await client.compact({ views: ['wide', 'route_daily'] })
}

async function scrape(address) {
  const response = await fetch(`http://${address}/metrics`)
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`)
  await response.text()
}

function report(settings, parts, records) {
  const half = parts.length / 2
  const [fromMs, halfMs, untilMs] = [parts[0].beganAtMs, parts[half].beganAtMs, parts.at(-1).endedAtMs]
  const collections = collectionsIn(records, fromMs, halfMs)
  const delays = loopDelaysIn(records, fromMs, halfMs)
  const memories = memoryIn(records, halfMs, untilMs, true)
  const latencies = parts.map(({ intended }) => latencyOf(intended))
  const growths = Object.keys(MEMORIES).map((name) => growthOf(name, memories))
  return {
    settings,
    figures: {
      ...Object.fromEntries(
        Object.keys(PERCENTILES).map((name) => [name, spread(latencies.map((latency) => latency[name]))]),
      ),
      ...Object.assign({}, ...growths.map(({ figures }) => figures)),
      ...pauseFigures(collections, delays, halfMs - fromMs),
    },
    head: ['', '', 'count', 'p50', 'p99', 'p99.9', 'max', 'share of time'],
    rows: [
      ...[...collections].map(([kind, found]) => ['collections, ms', kind, ...pauseCells(found)]),
      ['event loop late, ms', 'looks', ...pauseCells(delays)],
      ...latencies.map((latency, part) => [
        part === 0 ? 'calls, ms' : '',
        `${part * settings.partSeconds} s`,
        parts[part].intended.totalCount.toLocaleString('en'),
        ...Object.keys(PERCENTILES).map((name) => single(latency[name])),
      ]),
      ...growths.map(({ row }) => row),
    ],
    histograms: Object.fromEntries(parts.map(({ intended }, part) => [`part-${part}`, intended])),
    plots: plotsOf(settings, latencies, memoryIn(records, fromMs, untilMs, false), fromMs),
  }
}

function latencyOf(histogram) {
  return Object.fromEntries(
    Object.entries(PERCENTILES).map(([name, percentile]) => [
      name,
      histogram.getValueAtPercentile(percentile) / NANOS_PER_MS,
    ]),
  )
}

/** MiB alive in the end, MiB an hour with the interval that the true slope is in, and the least that a day certainly brings. */
function growthOf(name, memories) {
  const { slope, low, high } = slopeOf(memories.map((memory) => [memory.at / 3_600_000, memory[name] / MIB]))
  const mib = memories.at(-1)[name] / MIB
  const perHour = { median: slope, min: low, max: high }
  return {
    figures: {
      [`${name}_mib`]: single(mib),
      [`${name}_mib_per_h`]: perHour,
      [`${name}_certain_mib_per_day`]: single(Math.max(0, low) * 24),
    },
    row: ['memory, MiB', MEMORIES[name], `${mib.toFixed(0)} MiB`, 'MiB/h:', perHour],
  }
}

function pauseFigures(collections, delays, spanMs) {
  const all = [...collections.values()]
  const sum = (of) => all.reduce((total, found) => total + of(found), 0)
  return {
    collections_per_s: single(sum(({ count }) => count) / (spanMs / 1000)),
    collection_max_ms: single(Math.max(0, ...all.map(({ max_ms }) => max_ms))),
    collection_share_percent: single(sum(({ share_percent }) => share_percent)),
    loop_delay_p99_ms: single(delays.p99_ms),
    loop_delay_max_ms: single(delays.max_ms),
  }
}

function pauseCells({ count, p50_ms, p99_ms, p999_ms, max_ms, share_percent }) {
  const times = [p50_ms, p99_ms, p999_ms, max_ms].map((ms) => (ms === undefined ? '' : single(ms)))
  return [count.toLocaleString('en'), ...times, share_percent === undefined ? '' : `${share_percent.toFixed(2)} %`]
}

function plotsOf({ partSeconds }, latencies, memories, fromMs) {
  const seconds = { label: 'seconds' }
  return [
    {
      title: 'Latency during the soak',
      kind: 'lines',
      x: seconds,
      y: { label: 'ms', log: true },
      series: ['p50_ms', 'p99_ms', 'p999_ms'].map((name) => ({
        name: name.replace('_ms', ''),
        points: latencies.map((latency, part) => [(part + 1) * partSeconds, latency[name]]),
      })),
    },
    {
      title: 'Memory during the soak',
      kind: 'lines',
      x: seconds,
      y: { label: 'MiB' },
      series: Object.entries(MEMORIES).map(([name, label]) => ({
        name: label,
        points: memories.map((memory) => [(memory.at - fromMs) / 1000, memory[name] / MIB]),
      })),
    },
  ]
}
