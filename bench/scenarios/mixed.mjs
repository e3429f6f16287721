/**
 * Reads and writes at once, 95 of 100 calls a read, over two instances on one Redis Cluster of three primaries: what the writes
 * and the invalidations that cross take from the reads.
 *
 * A call reads or writes one row of 2 KB. Keys come by Zipf's law, and the keys that are read most are written most. Each instance has a load
 * generator of its own, so that every write is news to the other instance, which has the row in its cache. The baseline is the same without
 * the writes: the same processes, the same reads, in turn. The archiver works beside the writes.
 *
 * `beside_large` are the reads alone again while a write of 1,000 rows after the other comes in, a fifth of a second apart, of rows that nobody
 * reads: what is left is how long they hold up the event loop, and what Redis and the archiver take of the machine.
 *
 * Whether answers are right is watched meanwhile: rows of their own are written through one instance and read through both, in turn. A
 * read that is older than the guarantees allow (`lib/coherence-check.mjs`) fails the run, and so does, once all is quiet, any row that a cache
 * has otherwise than the store.
 */
import { connect } from '../../dist/client/index.js'
import { encodeWrite } from '../../dist/client/writes.js'
import { startCluster } from '../../test/support/redis/redis-cluster.mjs'
import { archived } from '../lib/archived.mjs'
import { refuseStaleCaches, watchCoherence } from '../lib/coherence-check.mjs'
import { compare } from '../lib/comparison.mjs'
import { USERS, usersRequest, wideRow, writeWideRows } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { rawClient } from '../lib/raw-client.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { single } from '../lib/single-figure.mjs'
import { spread } from '../lib/spread.mjs'
import { startLoad, withoutFailures } from '../load/load.mjs'
import { newHistogram } from '../load/tally.mjs'

export const title =
  '95 % reads and 5 % writes of one row of 2 KB, through two instances whose caches hear of each other'
const FIGURES = ['reads_per_s', 'calls_per_s', 'read_p50_ms', 'read_p99_ms', 'server_cpu_us_per_call']
export const figureNames = [
  ...compared('', 'read_only', FIGURES),
  ...compared('beside_large.', 'read_only', FIGURES),
  'write_p50_ms',
  'write_p99_ms',
  'hit_percent',
  'invalidations_per_write',
  'seen_elsewhere_p99_ms',
  'reads_checked',
]
/** A row may be seen elsewhere before its acknowledgement is here. */
export const figuresOfAnySign = /^seen_elsewhere_p99_ms$/
const SETTINGS = {
  full: {
    rounds: 3,
    seconds: 1.2,
    largeRows: 1000,
    warmSeconds: 0.3,
    writePercent: 5,
    exponent: 1,
    // At each instance: enough that both are busy all the time, without and with the writes.
    inFlight: 64,
    keys: USERS,
  },
  // So many writes that some are measured, however busy the machine is.
  quick: {
    rounds: 1,
    seconds: 0.3,
    largeRows: 50,
    warmSeconds: 0,
    writePercent: 30,
    exponent: 1,
    inFlight: 4,
    keys: 200,
  },
}
const GET_FEATURES = '/twinstore.v1.Serving/GetFeatures'
const WRITE_FEATURES = '/twinstore.v1.Serving/WriteFeatures'
/** A row of 2 KB is in the answer. */
const ANSWER_BYTES_MIN = 1900
const NANOS_PER_MS = 1e6
const LARGE_PAUSE_MS = 200
/** The keys that are read most are written most: the same law and the same seed. */
const KEY_SEED = 7

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const cluster = await startCluster({ primaries: 3, replicas: 0 })
    defer(() => cluster.dispose())
    const offline = temporaryFolder(defer)
    const instances = [
      await startInstance(defer, cluster, offline, quick),
      await startInstance(defer, cluster, offline, quick),
    ]
    const [{ client }] = instances
    await writeWideRows(client, settings.keys)
    const description = await client.describe()
    const loads = await prepareLoads(defer, description, settings)
    const raw = rawClient(defer, instances[0].server.address)
    await archived(client)
    const watched = []
    const series = ['reads only', 'reads beside writes', 'reads beside large writes', 'writes']
    const histograms = Object.fromEntries(series.map((name) => [name, newHistogram()]))
    const contenders = {
      read_only: () => round(instances, loads, settings, 0, { reads: histograms['reads only'] }),
      beside_large: async () => {
        const stop = startLargeWrites(raw, description, settings.largeRows)
        const figures = await round(instances, loads, settings, 0, { reads: histograms['reads beside large writes'] })
        await stop()
        await archived(client)
        return figures
      },
      mixed: async () => {
        const watch = watchCoherence(instances.map((instance) => instance.client))
        const figures = await round(instances, loads, settings, settings.writePercent, {
          reads: histograms['reads beside writes'],
          writes: histograms.writes,
        })
        const { writes, ...seen } = await watch.stop()
        watched.push(seen)
        figures.writes += writes
        await archived(client)
        return figures
      },
    }
    const rounds = await takeTurns(contenders, settings.rounds)
    await refuseStaleCaches(
      instances.map((instance) => instance.client),
      settings.keys,
    )
    return report(settings, rounds, watched, histograms)
  })
}

async function startInstance(defer, cluster, offline, quick) {
  const server = await startTwinstore(defer, {
    definitions: 'definitions/serving.ts',
    dataDir: temporaryFolder(defer),
    flags: [
      ...['--online', cluster.url, '--offline', `file:${offline}`, '--sync-on-start', 'never'],
      // A round waits until its rows are archived.
      ...['--archive-interval', quick ? '50ms' : '500ms'],
    ],
  })
  const client = connect(server.address)
  defer(() => client.close())
  return { server, client }
}

/** A load generator for each instance. */
async function prepareLoads(defer, { views }, { keys }) {
  const view = views.find(({ name }) => name === 'wide')
  const indexes = Array.from({ length: keys }, (_, index) => index)
  const reads = indexes.map((index) => usersRequest(index, 1))
  const writes = indexes.map((index) => encodeWrite(view, [wideRow(index)], { writeId: '' }))
  const loads = [await startLoad(defer), await startLoad(defer)]
  for (const load of loads) {
    await load.prepare('reads', reads)
    await load.prepare('writes', writes)
  }
  return loads
}

async function round(instances, loads, settings, writePercent, histograms) {
  const before = await Promise.all(instances.map(observed))
  const results = await Promise.all(
    loads.map(async (load, index) => withoutFailures(await load.run(runOf(instances[index], settings, writePercent)))),
  )
  const after = await Promise.all(instances.map(observed))
  const [reads, writes] = ['reads', 'writes'].map((name) => together(results, name))
  const grown = (of) => after.reduce((sum, each, index) => sum + each[of] - before[index][of], 0)
  histograms.reads.add(reads.histogram)
  histograms.writes?.add(writes.histogram)
  const callsPerSecond = results.reduce((sum, { perSecond }) => sum + perSecond, 0)
  const calls = results.reduce((sum, result) => sum + result.calls, 0)
  return {
    calls_per_s: callsPerSecond,
    reads_per_s: (callsPerSecond * reads.completed) / (reads.completed + writes.completed),
    read_p50_ms: reads.histogram.getValueAtPercentile(50) / NANOS_PER_MS,
    read_p99_ms: reads.histogram.getValueAtPercentile(99) / NANOS_PER_MS,
    server_cpu_us_per_call: (grown('cpuSeconds') * 1e6) / calls,
    hit_percent: (100 * grown('hits')) / (grown('hits') + grown('misses')),
    // Of the writes after the warm-up: those in it are as many again, in proportion.
    invalidations: grown('invalidations'),
    writes: (calls * writes.completed) / (reads.completed + writes.completed),
  }
}

function runOf({ server }, { seconds, warmSeconds, exponent, inFlight }, writePercent) {
  const order = { kind: 'zipf', exponent, seed: KEY_SEED }
  const reads = { name: 'reads', path: GET_FEATURES, requests: 'reads', order, answerBytesMin: ANSWER_BYTES_MIN }
  const writes = { name: 'writes', path: WRITE_FEATURES, requests: 'writes', order }
  return {
    target: server.address,
    mix: [
      { ...reads, share: 100 - writePercent },
      { ...writes, share: writePercent },
    ],
    pace: { kind: 'closed', inFlight },
    seconds,
    warmSeconds,
  }
}

/** Writes of so many rows that nobody reads, one after the other, until the function that is returned is called. */
function startLargeWrites({ call }, { views }, rowCount) {
  const view = views.find(({ name }) => name === 'wide')
  const rows = Array.from({ length: rowCount }, (_, index) => ({ ...wideRow(index), user: `large-${index}` }))
  const request = encodeWrite(view, rows, { writeId: '' })
  let running = true
  async function run() {
    while (running) {
      await call(WRITE_FEATURES, request)
      await new Promise((resolve) => setTimeout(resolve, LARGE_PAUSE_MS))
    }
  }
  const ran = run()
  // The function is where it is heard of.
  ran.catch(() => {})
  return async () => {
    running = false
    await ran
  }
}

async function observed({ server, client }) {
  const { hits, misses, invalidations } = (await client.status()).cache
  return { hits, misses, invalidations, cpuSeconds: server.cpuSeconds() }
}

/** What the load generators measured of one kind of call. */
function together(results, name) {
  const histogram = newHistogram()
  let completed = 0
  for (const { byName } of results) {
    histogram.add(byName[name].actual)
    completed += byName[name].completed
  }
  return { histogram, completed }
}

function report(settings, rounds, watched, histograms) {
  const measured = rounds.map((round) =>
    Object.fromEntries(Object.keys(round).map((name) => [name, shown(round[name])])),
  )
  const comparison = compare(measured, 'mixed', 'read_only')
  const besideLarge = compare(measured, 'beside_large', 'read_only')
  const ofMixed = (of) => spread(rounds.map(({ mixed }) => of(mixed)))
  const writes = (percent) => single(histograms.writes.getValueAtPercentile(percent) / NANOS_PER_MS)
  const delays = watched.flatMap((each) => each.delaysMs).sort((a, b) => a - b)
  const figures = {
    ...comparison.figures(''),
    ...besideLarge.figures('beside_large.'),
    write_p50_ms: writes(50),
    write_p99_ms: writes(99),
    hit_percent: ofMixed(({ hit_percent }) => hit_percent),
    invalidations_per_write: ofMixed(({ invalidations, writes }) => invalidations / writes),
    seen_elsewhere_p99_ms: single(delays[Math.ceil(delays.length * 0.99) - 1]),
    reads_checked: single(watched.reduce((sum, { reads }) => sum + reads, 0)),
  }
  const rows = [
    ...comparison.rows('1 row', FIGURES),
    ...besideLarge.rows(`${settings.largeRows} rows`, FIGURES),
    ['writes', 'p50 and p99 ms', figures.write_p50_ms, figures.write_p99_ms],
    ['caches', 'hits %, invalidations a write', figures.hit_percent, figures.invalidations_per_write],
    ['checked', 'reads, seen elsewhere p99 ms', figures.reads_checked, figures.seen_elsewhere_p99_ms],
  ]
  const series = Object.entries(histograms).map(([name, histogram]) => ({ name, histogram }))
  const plots = [{ title: 'Latency of reads, alone and beside writes, and of the writes', kind: 'percentiles', series }]
  return { settings, figures, head: HEAD, rows, histograms, plots }
}

function shown(figures) {
  return Object.fromEntries(FIGURES.map((name) => [name, figures[name]]))
}

const HEAD = ['a write', 'load', 'reads/s', 'calls/s', 'read p50 ms', 'read p99 ms', 'servers CPU µs/call']
