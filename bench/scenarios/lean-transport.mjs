/**
 * The two transports side by side: a server on the project's own HTTP/2 and one on grpc-js, and the bare grpc-js server that answers with
 * the same bytes. Rows are in L1, so that nearly all of a call is the transport.
 *
 * Capacity is measured in a closed loop with 64 calls in flight (8 of the batches); tails at 70 % of what the server on grpc-js can
 * do, in an open loop.
 */
import { compare } from '../lib/comparison.mjs'
import { usersRequest } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { openHits } from '../lib/hits.mjs'
import { withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { spread } from '../lib/spread.mjs'
import { newHistogram } from '../load/tally.mjs'

export const title = 'the lean transport beside grpc-js, answered from L1'
const CASES = [
  { name: '1-row', rows: 1, inFlight: 64, connections: 2 },
  { name: '100-rows', rows: 100, inFlight: 8, connections: 2 },
]
const BUSY = ['calls_per_s', 'server_cpu_us']
const TAIL = ['tail_p50_ms', 'tail_p99_ms']
export const figureNames = CASES.flatMap(({ name }) => [
  ...new Set([
    ...compared(`${name}.lean.`, 'static', BUSY),
    ...compared(`${name}.grpc-js.`, 'static', BUSY),
    ...compared(`${name}.lean.`, 'grpc-js', TAIL),
    `${name}.load_cpu_share`,
  ]),
])
/** The processor time of so short a run may be less than one tick of the system's clock. */
export const figuresOfAnySign = /server_cpu_us/
const SETTINGS = {
  full: { rounds: 5, warmSeconds: 0.15, seconds: 0.5, tailSeconds: 0.6 },
  quick: { rounds: 1, warmSeconds: 0.02, seconds: 0.05, tailSeconds: 0.1 },
}
const SIDES = { lean: 'twinstore', 'grpc-js': 'grpc-js', static: 'static' }
const TAIL_SHARE = 0.7
const USERS_ASKED = 2000
const NANOS_PER_MS = 1e6

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const hits = await openHits(defer, {
      flags: ['--transport', 'lean'],
      variants: { 'grpc-js': ['--transport', 'grpc-js'] },
    })
    const report = { settings, figures: {}, head: HEAD, rows: [], histograms: {}, plots: [] }
    for (const each of CASES) await measureCase(hits, each, settings, report)
    return report
  })
}

async function measureCase(hits, { name, rows, inFlight, connections }, settings, report) {
  const requests = (layout) =>
    Array.from({ length: USERS_ASKED / rows }, (_, index) => usersRequest(index * rows, rows, layout))
  const { answerBytesMin } = await hits.ask(requests)
  const { warmSeconds, seconds, tailSeconds, rounds: count } = settings
  const run = (side, pace, forSeconds) =>
    hits.run(SIDES[side], { pace, seconds: forSeconds, warmSeconds, connections, answerBytesMin })
  const loadShares = []
  const busy = (side) => async () => {
    const { perSecond, serverCpuMicros, cpuShare } = await run(side, { kind: 'closed', inFlight }, seconds)
    if (side === 'lean') loadShares.push(cpuShare)
    return { calls_per_s: perSecond, server_cpu_us: serverCpuMicros }
  }
  const contenders = { lean: busy('lean'), 'grpc-js': busy('grpc-js'), static: busy('static') }
  await takeTurns(contenders, 1)
  const busyRounds = await takeTurns(contenders, count)
  const perSecond = spread(busyRounds.map((round) => round['grpc-js'].calls_per_s)).median * TAIL_SHARE
  const histograms = { lean: newHistogram(), 'grpc-js': newHistogram() }
  const tail = (side) => async () => {
    const { intended } = await run(side, { kind: 'open', perSecond, arrivals: 'poisson', seed: 5 }, tailSeconds)
    histograms[side].add(intended)
    const at = (percentile) => intended.getValueAtPercentile(percentile) / NANOS_PER_MS
    return { tail_p50_ms: at(50), tail_p99_ms: at(99) }
  }
  const tailRounds = await takeTurns({ lean: tail('lean'), 'grpc-js': tail('grpc-js') }, count)
  const { figures } = report
  for (const side of ['lean', 'grpc-js']) {
    const comparison = compare(busyRounds, side, 'static')
    Object.assign(figures, comparison.figures(`${name}.${side}.`))
    report.rows.push(...comparison.rows(`${rows} x 2 KB, busy`, BUSY))
  }
  figures[`${name}.load_cpu_share`] = spread(loadShares)
  const tails = compare(tailRounds, 'lean', 'grpc-js')
  Object.assign(figures, tails.figures(`${name}.lean.`))
  report.rows.push(...tails.rows(`${rows} x 2 KB, 70 % of grpc-js`, ['', '', ...TAIL]))
  for (const [side, histogram] of Object.entries(histograms)) report.histograms[`${name}, ${side}`] = histogram
  report.plots.push({
    title: `${rows} x 2 KB from L1 at 70 % of what grpc-js can do`,
    kind: 'percentiles',
    series: Object.entries(histograms).map(([side, histogram]) => ({
      name: side,
      baseline: side !== 'lean',
      histogram,
    })),
  })
}

const HEAD = ['load', 'server', 'calls/s', 'server CPU µs', 'p50 ms', 'p99 ms']
