/**
 * What the hit rate of L1 is worth: GetFeatures for one row of 2 KB at hit rates of 0, 50 and 95 %.
 *
 * 40,000 rows in a Redis Cluster of three primaries, 10,000 entries in L1, 60 s TTL (`lib/zipf-reads.mjs` says how the rates come
 * about). The most the server answers is measured in a closed loop, in turns with the bare grpc-js server; latency in an open loop,
 * Poisson, at 70 % of that, from when a call was due. Redis, the load and both servers share the machine's cores: at 0 % every call
 * costs Redis as well, so that the throughput says what one machine does, not what one server does.
 */
import { compared } from '../lib/figure-names.mjs'
import { withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { spread } from '../lib/spread.mjs'
import { HALF, IN_TURN, MOST, openZipfReads } from '../lib/zipf-reads.mjs'
import { newHistogram } from '../load/tally.mjs'

export const title = 'one row of 2 KB at hit rates of 0, 50 and 95 %, over a Redis Cluster'
const RATES = [
  { percent: 0, order: IN_TURN },
  { percent: 50, order: HALF },
  { percent: 95, order: MOST },
]
const PERCENTILES = { p50_ms: 50, p99_ms: 99, p999_ms: 99.9 }
const OPEN_FIGURES = [...Object.keys(PERCENTILES), 'open_calls_per_s', 'hit_rate_percent', 'server_cpu_us']
export const figureNames = RATES.flatMap(({ percent }) => [
  ...compared(`at_${percent}.`, 'static', ['calls_per_s']),
  ...OPEN_FIGURES.map((figure) => `at_${percent}.${figure}`),
])
/** The hit rate of 0. */
export const figuresOfAnySign = /^at_0\.hit_rate_percent$/
const SETTINGS = {
  full: { rounds: 3, seconds: 0.4, openSeconds: 0.8, warmSeconds: 0.15, inFlight: 32, keys: 40_000, entries: 10_000 },
  quick: { rounds: 1, seconds: 0.1, openSeconds: 0.1, warmSeconds: 0.02, inFlight: 32, keys: 2000, entries: 500 },
}
const LOAD = 0.7
const PER_SECOND_MIN = 50
const SEED = 11
const NANOS_PER_MS = 1e6

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const reads = await openZipfReads(defer, settings)
    const figures = {}
    const histograms = {}
    for (const { percent, order } of RATES) {
      await reads.prepare(order, 1)
      const most = await atMost(reads, settings)
      const open = await atLoad(reads, most.calls_per_s.median, settings)
      const measured = { ...most, ...open.figures }
      for (const [name, value] of Object.entries(measured)) figures[`at_${percent}.${name}`] = value
      histograms[`${percent} % hits`] = open.histogram
    }
    return { settings, figures, head: HEAD, rows: table(figures), histograms, plots: plots(figures, histograms) }
  })
}

async function atMost(reads, { rounds: count, seconds, warmSeconds, inFlight }) {
  const settings = { pace: { kind: 'closed', inFlight }, seconds, warmSeconds }
  const contender = (side) => async () => (await reads.run(side, settings)).perSecond
  const rounds = await takeTurns({ twinstore: contender('twinstore'), static: contender('static') }, count)
  return {
    calls_per_s: spread(rounds.map(({ twinstore }) => twinstore)),
    static_calls_per_s: spread(rounds.map((round) => round.static)),
    calls_per_s_ratio: spread(rounds.map((round) => round.twinstore / round.static)),
  }
}

async function atLoad(reads, maximum, { rounds: count, openSeconds, warmSeconds }) {
  const perSecond = Math.max(PER_SECOND_MIN, LOAD * maximum)
  const histogram = newHistogram()
  const rounds = []
  for (let round = 0; round < count; round++) {
    const pace = { kind: 'open', perSecond, arrivals: 'poisson', seed: SEED + round }
    const result = await reads.run('twinstore', { pace, seconds: openSeconds, warmSeconds })
    histogram.add(result.intended)
    rounds.push({
      ...Object.fromEntries(
        Object.entries(PERCENTILES).map(([name, percent]) => [
          name,
          result.intended.getValueAtPercentile(percent) / NANOS_PER_MS,
        ]),
      ),
      open_calls_per_s: result.perSecond,
      hit_rate_percent: result.hitPercent,
      server_cpu_us: result.serverCpuMicros,
    })
  }
  const figures = OPEN_FIGURES.map((figure) => [figure, spread(rounds.map((round) => round[figure]))])
  return { histogram, figures: Object.fromEntries(figures) }
}

function table(figures) {
  return RATES.map(({ percent }) => [`${percent} %`, ...COLUMNS.map((column) => figures[`at_${percent}.${column}`])])
}

function plots(figures, histograms) {
  const line = (name, figure) => ({
    name,
    points: RATES.map(({ percent }) => {
      const { median, min, max } = figures[`at_${percent}.${figure}`]
      return [figures[`at_${percent}.hit_rate_percent`].median, median, min, max]
    }),
  })
  const x = { label: 'hit rate as the server counts it, percent' }
  return [
    {
      title: 'Throughput by hit rate',
      kind: 'lines',
      x,
      y: { label: 'calls per second, at most' },
      series: [line('one row of 2 KB', 'calls_per_s'), { ...line('static', 'static_calls_per_s'), baseline: true }],
    },
    {
      title: 'Latency by hit rate, at 70 % of the most',
      kind: 'lines',
      x,
      y: { label: 'ms from when a call was due', log: true },
      series: [line('p50', 'p50_ms'), line('p99', 'p99_ms'), line('p99.9', 'p999_ms')],
    },
    {
      title: 'Latency by percentile and hit rate',
      kind: 'percentiles',
      series: Object.entries(histograms).map(([name, histogram]) => ({ name, histogram })),
    },
  ]
}

const HEAD = [
  'hits',
  'calls/s',
  'static',
  'ratio',
  'at 70 %: calls/s',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'hits %',
  'CPU µs',
]
const COLUMNS = [
  ...['calls_per_s', 'static_calls_per_s', 'calls_per_s_ratio', 'open_calls_per_s'],
  ...['p50_ms', 'p99_ms', 'p999_ms', 'hit_rate_percent', 'server_cpu_us'],
]
