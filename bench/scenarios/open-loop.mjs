/**
 * How long answers take when requests come at their own pace: Poisson arrivals at 30, 50, 70 and 85 % of the most that the server
 * can answer, for batches of 100 rows of 2 KB answered from L1.
 *
 * Latency counts from when a request was due, not from when it could be sent: a server that stands still for 100 ms delays all that
 * came meanwhile. The bare grpc-js server is asked at the same calls per second, in turns.
 */
import { USERS, usersRequest } from '../lib/feature-data.mjs'
import { openHits } from '../lib/hits.mjs'
import { withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { spread } from '../lib/spread.mjs'
import { newHistogram } from '../load/tally.mjs'

export const title = 'latency against throughput: batches of 100 rows of 2 KB from L1, in an open loop'
const PERCENTS = [30, 50, 70, 85]
const PERCENTILES = { p50_ms: 50, p99_ms: 99, p999_ms: 99.9 }
const FIGURES = ['calls_per_s', ...Object.keys(PERCENTILES), 'sent_late_p50_ms']
export const figureNames = [
  'max_calls_per_s',
  ...PERCENTS.flatMap((percent) =>
    ['', 'static_'].flatMap((side) => FIGURES.map((figure) => `at_${percent}.${side}${figure}`)),
  ),
]
/** A call may leave the moment it is due. */
export const figuresOfAnySign = /sent_late/
const SETTINGS = {
  full: { rounds: 3, warmSeconds: 0.2, seconds: 0.6, maximumSeconds: 1, inFlight: 16, rows: 100 },
  quick: { rounds: 1, warmSeconds: 0.05, seconds: 0.2, maximumSeconds: 0.1, inFlight: 16, rows: 100 },
}
const REQUESTS = 40
/** So that there is an answer in the shortest try. */
const PER_SECOND_MIN = 50
const SEED = 5
const NANOS_PER_MS = 1e6

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const hits = await openHits(defer)
    const { answerBytesMin } = await hits.ask(batches(settings.rows))
    const { warmSeconds } = settings
    const closed = { kind: 'closed', inFlight: settings.inFlight }
    const busy = { pace: closed, seconds: settings.maximumSeconds, warmSeconds, answerBytesMin }
    const { perSecond: maximum } = await hits.fromL1('at most', () => hits.run('twinstore', busy))
    const figures = { max_calls_per_s: spread([maximum]) }
    const histograms = {}
    for (const percent of PERCENTS) {
      const perSecond = Math.max(PER_SECOND_MIN, (maximum * percent) / 100)
      const measured = await atRate(hits, perSecond, settings, answerBytesMin)
      for (const [side, { rounds, histogram }] of Object.entries(measured)) {
        const prefix = `at_${percent}.${side === 'static' ? 'static_' : ''}`
        for (const figure of FIGURES) figures[`${prefix}${figure}`] = spread(rounds.map((round) => round[figure]))
        histograms[`${percent} %, ${side}`] = histogram
      }
    }
    return { settings, figures, head: HEAD, rows: table(figures), histograms, plots: plots(figures, histograms) }
  })
}

/** Both sides in turns, with the same arrivals; every round has others. */
async function atRate(hits, perSecond, { rounds: count, seconds, warmSeconds }, answerBytesMin) {
  const histograms = { twinstore: newHistogram(), static: newHistogram() }
  const turns = { twinstore: 0, static: 0 }
  const contender = (side) => async () => {
    const pace = { kind: 'open', perSecond, arrivals: 'poisson', seed: SEED + turns[side]++ }
    const { intended, actual, ...result } = await hits.run(side, { pace, seconds, warmSeconds, answerBytesMin })
    histograms[side].add(intended)
    const figures = Object.entries(PERCENTILES).map(([name, percent]) => [name, milliseconds(intended, percent)])
    const late = milliseconds(intended, 50) - milliseconds(actual, 50)
    return { ...Object.fromEntries(figures), calls_per_s: result.perSecond, sent_late_p50_ms: late }
  }
  const contenders = { twinstore: contender('twinstore'), static: contender('static') }
  const rounds = await hits.fromL1(`${perSecond} calls/s`, () => takeTurns(contenders, count))
  return Object.fromEntries(
    Object.entries(histograms).map(([side, histogram]) => [
      side,
      { histogram, rounds: rounds.map((round) => round[side]) },
    ]),
  )
}

function milliseconds(histogram, percent) {
  return histogram.getValueAtPercentile(percent) / NANOS_PER_MS
}

function batches(rows) {
  return (knownLayout) =>
    Array.from({ length: REQUESTS }, (_, index) => usersRequest(index * (USERS / REQUESTS), rows, knownLayout))
}

function table(figures) {
  const rows = PERCENTS.flatMap((percent) =>
    [
      ['twinstore', ''],
      ['static', 'static_'],
    ].map(([side, prefix], index) => [
      index === 0 ? `${percent} % of the maximum` : '',
      side,
      ...FIGURES.map((figure) => figures[`at_${percent}.${prefix}${figure}`]),
    ]),
  )
  return [['the maximum', 'twinstore', figures.max_calls_per_s], ...rows]
}

function plots(figures, histograms) {
  const line = (name, prefix, figure) => ({
    name,
    baseline: prefix !== '',
    points: PERCENTS.map((percent) => {
      const { median, min, max } = figures[`at_${percent}.${prefix}${figure}`]
      return [figures[`at_${percent}.${prefix}calls_per_s`].median, median, min, max]
    }),
  })
  return [
    {
      title: 'Latency against throughput, 100 rows of 2 KB from L1',
      kind: 'lines',
      x: { label: 'calls per second' },
      y: { label: 'ms from when a call was due', log: true },
      series: [
        line('p50', '', 'p50_ms'),
        line('p99', '', 'p99_ms'),
        line('p99.9', '', 'p999_ms'),
        line('static, p50', 'static_', 'p50_ms'),
        line('static, p99', 'static_', 'p99_ms'),
      ],
    },
    {
      title: 'Latency by percentile, 100 rows of 2 KB from L1, by load',
      kind: 'percentiles',
      series: PERCENTS.map((percent) => ({ name: `${percent} %`, histogram: histograms[`${percent} %, twinstore`] })),
    },
  ]
}

const HEAD = ['load', 'server', 'calls/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'sent late, p50 ms']
