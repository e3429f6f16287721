/**
 * Streams over the two transports, a server on the project's own HTTP/2 and one on grpc-js in turns: StreamFeatures answered from L1, the
 * bytes of a finished export, a unary call beside that export on the same connection, and how late the event loop is.
 *
 * The load process is the client of all of it, with windows that it need not open again within a round: it is not the bound, and what the
 * server's processor time says hardly depends on it. The export is made once and read from the page cache, as a file is that was just
 * written. Event loops are compared at the same calls a second, 70 % of what the server on grpc-js can do.
 */
import { compare } from '../lib/comparison.mjs'
import { LoopDelays } from '../lib/event-loop-delay.mjs'
import { usersRequest, writeWideRows } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { EXPORT_FEATURES, heldExport } from '../lib/held-export.mjs'
import { GET_FEATURES, openHits } from '../lib/hits.mjs'
import { withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { newHistogram } from '../load/tally.mjs'

export const title = 'streams over the lean transport beside grpc-js'
const BASELINE = 'grpc-js'
/** The transport, and the side of `openHits` that is on it. */
const SIDES = { lean: 'twinstore', [BASELINE]: BASELINE }
const SIZES = [
  { name: '1-row', rows: 1, inFlight: 64 },
  { name: '100-rows', rows: 100, inFlight: 8 },
]
const STREAM = ['requests_per_s', 'server_cpu_us']
const EXPORT = ['mb_per_s', 'server_cpu_us_per_mb']
const BESIDE = ['p50_ms', 'p99_ms', 'mb_per_s']
const LOOP = ['loop_mean_ms', 'loop_p99_ms']
export const figureNames = [
  ...SIZES.flatMap(({ name }) => compared(`stream.${name}.`, BASELINE, STREAM)),
  ...compared('export.', BASELINE, EXPORT),
  ...compared('beside-export.', BASELINE, BESIDE),
  ...[...SIZES.map(({ name }) => name), 'idle'].flatMap((name) => compared(`loop.${name}.`, BASELINE, LOOP)),
]
const SETTINGS = {
  full: { rounds: 5, warmSeconds: 0.05, seconds: 0.3, loopRounds: 4, loopSeconds: 0.4, users: 2000, exportRows: 1000 },
  quick: { rounds: 1, warmSeconds: 0.02, seconds: 0.05, loopRounds: 1, loopSeconds: 0.1, users: 100, exportRows: 10 },
}
const STREAM_FEATURES = '/twinstore.v1.Serving/StreamFeatures'
const LOOP_SHARE = 0.7
/** A tenth of what the server on grpc-js can do: what is measured is the export's part in the wait. */
const BESIDE_PER_SECOND = 2000
/** So that there is a call in the shortest try. */
const PER_SECOND_MIN = 50
const NANOS_PER_MS = 1e6
const NANOS_PER_SECOND = 1e9
const MS_PER_SECOND = 1000
const BYTES_PER_MB = 1e6
const MICROS_PER_SECOND = 1e6
/** Of the first row of `documents`; each is a second later than the one before. */
const FIRST_MICROS = Date.UTC(2001, 0, 1) * 1000

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const hits = await openHits(defer, {
      definitions: 'definitions/documents.ts',
      fill: (client) => writeWideRows(client, settings.users),
      // Nothing of the job that makes the export is measured.
      flags: ['--metrics', '127.0.0.1:0', '--offline-nice', '0', '--transport', 'lean'],
      variants: { [BASELINE]: ['--transport', BASELINE] },
    })
    const megabytes = await prepareExports(defer, hits, settings)
    const report = { settings, figures: {}, head: HEAD, rows: [], histograms: {}, plots: [] }
    for (const size of SIZES) await measureStream(hits, size, settings, report)
    await measureExport(hits, megabytes, settings, report)
    await measureBeside(hits, megabytes, settings, report)
    for (const size of SIZES) await measureLoop(hits, size, settings, report)
    await measureIdleLoop(hits, settings, report)
    return report
  })
}

/** The two transports, in turns. `once(side)` measures one of them. */
async function inTurns(once, rounds) {
  const contenders = Object.fromEntries(Object.keys(SIDES).map((side) => [side, () => once(side)]))
  await takeTurns(contenders, 1)
  return await takeTurns(contenders, rounds)
}

function add(report, rounds, prefix, label) {
  const comparison = compare(rounds, 'lean', BASELINE)
  Object.assign(report.figures, comparison.figures(prefix))
  report.rows.push(...comparison.rows(label, COLUMNS))
}

const requestsFor =
  (rows, { users }) =>
  (layout) =>
    Array.from({ length: users / rows }, (_, index) => usersRequest(index * rows, rows, layout))

async function measureStream(hits, { name, rows, inFlight }, settings, report) {
  const { answerBytesMin } = await hits.ask(requestsFor(rows, settings))
  const { warmSeconds, seconds } = settings
  const measured = await inTurns(async (side) => {
    const { perSecond, serverCpuMicros } = await hits.run(SIDES[side], {
      client: 'stream',
      path: STREAM_FEATURES,
      pace: { kind: 'closed', inFlight },
      ...{ warmSeconds, seconds, answerBytesMin },
    })
    return { requests_per_s: perSecond, server_cpu_us: serverCpuMicros }
  }, settings.rounds)
  add(report, measured, `stream.${name}.`, `a stream of ${rows} x 2 KB`)
}

/** Gives how many megabytes one is. */
async function prepareExports(defer, hits, { exportRows }) {
  const until = BigInt(FIRST_MICROS + exportRows * MICROS_PER_SECOND)
  const made = Object.values(SIDES).map(async (side) => {
    const held = await heldExport(defer, hits.clients[side], { view: 'documents', format: 'csv', until })
    await hits.prepare(exportOf(side), [held.request])
    return held.bytes / BYTES_PER_MB
  })
  return (await Promise.all(made))[0]
}

const exportOf = (side) => `export from ${side}`
const exportCall = (side) => ({ path: EXPORT_FEATURES, isStreamed: true, requests: exportOf(side) })

/** One export after the other. */
async function measureExport(hits, megabytes, { rounds, seconds }, report) {
  const measured = await inTurns(async (side) => {
    const pace = { kind: 'closed', inFlight: 1 }
    const result = await hits.run(SIDES[side], { ...exportCall(SIDES[side]), pace, seconds })
    return {
      mb_per_s: megabytes / secondsOf(result),
      server_cpu_us_per_mb: result.serverCpuMicros / megabytes,
    }
  }, rounds)
  add(report, measured, 'export.', `an export of ${Math.round(megabytes)} MB`)
}

/** Unary calls at a pace of their own, the same for both, while exports go on, one after the other, on the same connection. */
async function measureBeside(hits, megabytes, { rounds, seconds, users }, report) {
  const { answerBytesMin } = await hits.ask(requestsFor(1, { users }))
  const histograms = { lean: newHistogram(), [BASELINE]: newHistogram() }
  let seed = 0
  const measured = await inTurns(async (side) => {
    const { byName } = await hits.run(SIDES[side], {
      mix: [
        { name: 'call', path: GET_FEATURES, requests: 'hits', share: 1, answerBytesMin },
        { name: 'export', ...exportCall(SIDES[side]), lanes: 1 },
      ],
      pace: { kind: 'open', perSecond: BESIDE_PER_SECOND, arrivals: 'poisson', seed: ++seed },
      seconds,
    })
    const { intended } = byName.call
    histograms[side].add(intended)
    const at = (percentile) => intended.getValueAtPercentile(percentile) / NANOS_PER_MS
    return { p50_ms: at(50), p99_ms: at(99), mb_per_s: megabytes / secondsOf(byName.export) }
  }, rounds)
  add(report, measured, 'beside-export.', '1 x 2 KB beside an export')
  for (const [side, histogram] of Object.entries(histograms)) report.histograms[`beside an export, ${side}`] = histogram
  report.plots.push({
    title: `1 x 2 KB beside an export of ${Math.round(megabytes)} MB on the same connection`,
    kind: 'percentiles',
    series: Object.entries(histograms).map(([name, histogram]) => ({ name, baseline: name === BASELINE, histogram })),
  })
}

/** What one call after the other took on average. */
function secondsOf({ intended }) {
  return intended.mean / NANOS_PER_SECOND
}

/** Unary calls at the same pace. A look every 10 ms gives too few delays for a percentile of each round: they are of all rounds together. */
async function measureLoop(hits, { name, rows, inFlight }, settings, report) {
  const { answerBytesMin } = await hits.ask(requestsFor(rows, settings))
  const { seconds, warmSeconds, loopSeconds, loopRounds } = settings
  const closed = { pace: { kind: 'closed', inFlight }, seconds, warmSeconds, answerBytesMin }
  await hits.run(BASELINE, closed)
  const most = (await hits.run(BASELINE, closed)).perSecond
  const perSecond = Math.max(PER_SECOND_MIN, most * LOOP_SHARE)
  const delays = loopDelays(hits)
  let seed = 0
  const contenders = Object.entries(SIDES).map(([side, which]) => {
    const pace = () => ({ kind: 'open', perSecond, arrivals: 'poisson', seed: ++seed })
    return [
      side,
      () => delays[side].during(() => hits.run(which, { pace: pace(), seconds: loopSeconds, answerBytesMin })),
    ]
  })
  await takeTurns(Object.fromEntries(contenders), loopRounds)
  add(report, [figuresOf(delays)], `loop.${name}.`, `${rows} x 2 KB, ${Math.round(perSecond)} calls/s`)
}

async function measureIdleLoop(hits, { loopSeconds }, report) {
  const delays = loopDelays(hits)
  const idle = () => new Promise((resolve) => setTimeout(resolve, loopSeconds * MS_PER_SECOND))
  await Promise.all(Object.values(delays).map((each) => each.during(idle)))
  add(report, [figuresOf(delays)], 'loop.idle.', 'no calls')
}

function loopDelays(hits) {
  const entries = Object.entries(SIDES).map(([side, which]) => [side, new LoopDelays(hits.sides[which].metricsAddress)])
  return Object.fromEntries(entries)
}

function figuresOf(delays) {
  const entries = Object.entries(delays).map(([side, { meanMs, p99Ms }]) => [
    side,
    { loop_mean_ms: meanMs, loop_p99_ms: p99Ms },
  ])
  return Object.fromEntries(entries)
}

const COLUMNS = [...STREAM, ...EXPORT, 'p50_ms', 'p99_ms', ...LOOP]
const HEAD = [
  ...['load', 'server', 'requests/s', 'server CPU µs', 'MB/s', 'server CPU µs per MB', 'p50 ms', 'p99 ms'],
  ...['loop late, mean ms', 'p99 ms'],
]
