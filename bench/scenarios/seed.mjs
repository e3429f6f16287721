/**
 * The case the project was begun for: 95 % of the rows in L1, the others in a Redis Cluster of three primaries, at 70 % of the most
 * that the server answers.
 *
 * `calls_per_s_within_20_ms` is the highest of some open-loop rates at which the 99th percentile stays below 20 ms; 0 if none does.
 *
 * `1-row` asks for one row of 2 KB in a request, `10-rows` for ten. The most is measured in a closed loop; then requests come by
 * themselves (Poisson), and latency counts from when each was due. 40,000 rows, 10,000 entries, 60 s TTL, Zipf's law
 * (`lib/zipf-reads.mjs`). The bare grpc-js server is asked at the same calls per second, in turns: it says what of the latency is the
 * machine's, on which the load, Redis and the server share the cores.
 *
 * The account says where those cores' time went at each load: `<load>.<group>_core_share` of both cores together for the server, the load
 * generator, the three Redis primaries, the rest of the machine and nobody; and what a call costs each group, `<group>_cpu_us` of processor
 * time, `<group>_system_share` of that in the kernel, `<group>_reads` and `<group>_writes` of sockets (`lib/cpu-account.mjs`).
 * `cpu-account` has the server's share by what it does.
 */
import { ACCOUNT_FIGURES, accountFigures, accountPlots, MAY_BE_ZERO } from '../lib/account-figures.mjs'
import { withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { spread } from '../lib/spread.mjs'
import { MOST, openZipfReads } from '../lib/zipf-reads.mjs'
import { newHistogram } from '../load/tally.mjs'

export const title = '95 % hits, at 70 % of the most, in an open loop'
const CASES = [
  { name: '1-row', rows: 1 },
  { name: '10-rows', rows: 10 },
]
const PERCENTS = [30, 50, 70, 85]
/** The load of the budget, which is measured longest. */
const BUDGET_PERCENT = 70
/** Tried from the highest down, in percent of the most that a closed loop brought. */
const STEPS = [120, 110, 100, 90, 80, 70, 60, 50]
const LIMIT_MS = 20
const PERCENTILES = { p50_ms: 50, p99_ms: 99, p999_ms: 99.9 }
const FIGURES = ['calls_per_s', ...Object.keys(PERCENTILES)]
/** The loads that have an account, by the prefix of its figures. */
const ACCOUNTED = [
  ['at most', 'at_most.'],
  ['within 20 ms', 'within_20_ms.'],
  ...PERCENTS.map((percent) => [`at ${percent} %`, `at_${percent}.`]),
]
export const figureNames = CASES.flatMap(({ name }) => [
  ...['max_calls_per_s', 'calls_per_s_within_20_ms', 'hit_rate_percent', 'p99_ms_ratio'].map(
    (figure) => `${name}.${figure}`,
  ),
  ...FIGURES.flatMap((figure) => [`${name}.${figure}`, `${name}.static_${figure}`]),
  ...PERCENTS.filter((percent) => percent !== BUDGET_PERCENT).flatMap((percent) =>
    FIGURES.map((figure) => `${name}.at_${percent}.${figure}`),
  ),
  ...ACCOUNTED.flatMap(([, prefix]) => ACCOUNT_FIGURES.map((figure) => `${name}.${prefix}${figure}`)),
])
/** A machine with much else to do may keep to no limit. */
export const figuresOfAnySign = new RegExp(`calls_per_s_within_20_ms|${MAY_BE_ZERO.source}`)
const SETTINGS = {
  full: {
    rounds: 3,
    seconds: 1,
    otherSeconds: 0.6,
    maximumSeconds: 0.5,
    warmSeconds: 0.15,
    keys: 40_000,
    entries: 10_000,
  },
  quick: {
    rounds: 1,
    seconds: 0.1,
    otherSeconds: 0.1,
    maximumSeconds: 0.1,
    warmSeconds: 0.02,
    keys: 2000,
    entries: 500,
  },
}
const IN_FLIGHT = 32
const PER_SECOND_MIN = 50
const SEED = 21
const NANOS_PER_MS = 1e6

export async function measure({ quick }) {
  const settings = { ...(quick ? SETTINGS.quick : SETTINGS.full), inFlight: IN_FLIGHT }
  return await withResources(async (defer) => {
    const reads = await openZipfReads(defer, settings)
    const figures = {}
    const histograms = {}
    for (const { name, rows } of CASES) {
      await reads.prepare(MOST, rows)
      const measured = await measureCase(reads, settings)
      for (const [figure, value] of Object.entries(measured.figures)) figures[`${name}.${figure}`] = value
      for (const [side, histogram] of Object.entries(measured.histograms)) histograms[`${name}, ${side}`] = histogram
    }
    return { settings, figures, head: HEAD, rows: table(figures), histograms, plots: plots(figures, histograms) }
  })
}

async function measureCase(reads, settings) {
  const { warmSeconds, maximumSeconds, rounds: count } = settings
  const busy = { pace: { kind: 'closed', inFlight: IN_FLIGHT }, seconds: maximumSeconds, warmSeconds }
  const most = []
  for (let round = 0; round < count; round++) most.push(await reads.run('twinstore', busy))
  const figures = {
    max_calls_per_s: spread(most.map(({ perSecond }) => perSecond)),
    ...accountFigures('at_most.', accountsOf(most)),
  }
  const rateAt = (percent) => Math.max(PER_SECOND_MIN, (figures.max_calls_per_s.median * percent) / 100)
  for (const percent of PERCENTS) {
    if (percent === BUDGET_PERCENT) continue
    const result = await opened(reads, 'twinstore', rateAt(percent), settings.otherSeconds, settings, 0)
    for (const figure of FIGURES) figures[`at_${percent}.${figure}`] = spread([result[figure]])
    Object.assign(figures, accountFigures(`at_${percent}.`, [result.account]))
  }
  Object.assign(figures, await highestRate(reads, figures.max_calls_per_s.median, settings))
  const histograms = { twinstore: newHistogram(), static: newHistogram() }
  const turns = { twinstore: 0, static: 0 }
  const contender = (side) => async () => {
    const result = await opened(reads, side, rateAt(BUDGET_PERCENT), settings.seconds, settings, turns[side]++)
    histograms[side].add(result.histogram)
    return result
  }
  const rounds = await takeTurns({ twinstore: contender('twinstore'), static: contender('static') }, count)
  for (const figure of FIGURES) {
    figures[figure] = spread(rounds.map(({ twinstore }) => twinstore[figure]))
    figures[`static_${figure}`] = spread(rounds.map((round) => round.static[figure]))
  }
  Object.assign(figures, accountFigures(`at_${BUDGET_PERCENT}.`, accountsOf(rounds.map(({ twinstore }) => twinstore))))
  figures.hit_rate_percent = spread(rounds.map(({ twinstore }) => twinstore.hitPercent))
  figures.p99_ms_ratio = spread(rounds.map((round) => round.twinstore.p99_ms / round.static.p99_ms))
  return { figures, histograms }
}

function accountsOf(results) {
  return results.map(({ account }) => account)
}

/**
 * What was answered a second at the highest rate whose tail is within the limit, twice in a row, and its account: that of the lowest rate
 * tried if there is none.
 */
async function highestRate(reads, most, settings) {
  let tries
  for (const percent of STEPS) {
    const perSecond = Math.max(PER_SECOND_MIN, (most * percent) / 100)
    tries = []
    for (let turn = 0; turn < 2; turn++) {
      const result = await opened(reads, 'twinstore', perSecond, settings.otherSeconds, settings, turn)
      tries.push(result)
      if (result.p99_ms >= LIMIT_MS) break
    }
    if (areWithin(tries)) break
  }
  const rate = areWithin(tries) ? Math.min(...tries.map(({ calls_per_s }) => calls_per_s)) : 0
  return { calls_per_s_within_20_ms: spread([rate]), ...accountFigures('within_20_ms.', accountsOf(tries)) }
}

function areWithin(tries) {
  return tries.every(({ p99_ms }) => p99_ms < LIMIT_MS)
}

/** One load in an open loop; both sides have the same arrivals in the same turn. */
async function opened(reads, side, perSecond, seconds, { warmSeconds }, turn) {
  const pace = { kind: 'open', perSecond, arrivals: 'poisson', seed: SEED + turn }
  const { intended, hitPercent, account, perSecond: answered } = await reads.run(side, { pace, seconds, warmSeconds })
  const percentiles = Object.entries(PERCENTILES).map(([name, percent]) => [
    name,
    intended.getValueAtPercentile(percent) / NANOS_PER_MS,
  ])
  return { calls_per_s: answered, ...Object.fromEntries(percentiles), hitPercent, account, histogram: intended }
}

function table(figures) {
  return CASES.flatMap(({ name }) => {
    const latency = (prefix) => FIGURES.map((figure) => figures[`${name}.${prefix}${figure}`])
    const account = (prefix) => ACCOUNT_COLUMNS.map((column) => figures[`${name}.${prefix}${column}`])
    const alone = (rate) => [figures[`${name}.${rate}`], '', '', '', '']
    return [
      [name, 'at most', ...alone('max_calls_per_s'), ...account('at_most.')],
      ['', 'within 20 ms', ...alone('calls_per_s_within_20_ms'), ...account('within_20_ms.')],
      ...PERCENTS.map((percent) => {
        const isBudget = percent === BUDGET_PERCENT
        const hits = isBudget ? figures[`${name}.hit_rate_percent`] : ''
        return [
          `${percent} %`,
          'twinstore',
          ...latency(isBudget ? '' : `at_${percent}.`),
          hits,
          ...account(`at_${percent}.`),
        ]
      }),
      [`${BUDGET_PERCENT} %`, 'static', ...latency('static_')],
    ]
  })
}

function plots(figures, histograms) {
  return CASES.flatMap(({ name, rows }) => {
    const prefixOf = (percent) => (percent === BUDGET_PERCENT ? '' : `at_${percent}.`)
    const line = (figure) => ({
      name: figure.replace('_ms', '').replace('p999', 'p99.9'),
      points: PERCENTS.map((percent) => {
        const { median, min, max } = figures[`${name}.${prefixOf(percent)}${figure}`]
        return [figures[`${name}.${prefixOf(percent)}calls_per_s`].median, median, min, max]
      }),
    })
    const what = rows === 1 ? 'one row of 2 KB' : `${rows} rows of 2 KB`
    return [
      {
        title: `95 % hits, ${what}: latency against throughput`,
        kind: 'lines',
        x: { label: 'calls per second' },
        y: { label: 'ms from when a call was due', log: true },
        series: Object.keys(PERCENTILES).map(line),
      },
      {
        title: `95 % hits, ${what}: latency at ${BUDGET_PERCENT} % of the most`,
        kind: 'percentiles',
        series: ['twinstore', 'static'].map((side) => ({
          name: side,
          baseline: side === 'static',
          histogram: histograms[`${name}, ${side}`],
        })),
      },
      ...accountPlots(
        `95 % hits, ${what}`,
        ACCOUNTED.map(([label, prefix]) => [label, `${name}.${prefix}`]),
        figures,
      ),
    ]
  })
}

const HEAD = [
  ...['load', 'server', 'calls/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'hits %'],
  ...['server µs', 'load µs', 'Redis µs', 'idle share'],
]
const ACCOUNT_COLUMNS = ['server_cpu_us', 'load_cpu_us', 'redis_cpu_us', 'idle_core_share']
