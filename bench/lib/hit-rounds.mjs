/**
 * The rounds of one kind of request answered from L1: how long one caller waits, and how many calls a second the server can answer.
 *
 * Capacity is measured with so many calls in flight that the server always has the next one there: its one busy thread is then the
 * bound, as long as the load process has time left, which is told beside it.
 */
import { newHistogram } from '../load/tally.mjs'
import { compare } from './comparison.mjs'
import { takeTurns } from './rounds.mjs'

const NANOS_PER_MS = 1e6
export const HIT_FIGURES = ['p50_ms', 'p99_ms', 'p999_ms', 'calls_per_s', 'server_cpu_us', 'load_cpu_share']
export const HIT_HEAD = ['p50 ms', 'p99 ms', 'p99.9 ms', 'calls/s', 'server CPU µs', 'load CPU share']

/** `settings`: { rounds, warmSeconds, latencySeconds, capacitySeconds, inFlight }. `histograms` are of all rounds, by side. */
export async function hitRounds(hits, label, requests, settings) {
  const { answerBytesMin } = await hits.ask(requests)
  const histograms = { twinstore: newHistogram(), static: newHistogram() }
  const contender = (side, isMeasured) => async () => {
    const { warmSeconds } = settings
    const run = (inFlight, seconds) =>
      hits.run(side, { pace: { kind: 'closed', inFlight }, seconds, warmSeconds, answerBytesMin })
    const alone = await run(1, isMeasured ? settings.latencySeconds : warmSeconds)
    // As long in the round that does not count: a server that has just started is still compiling.
    const busy = await run(settings.inFlight, settings.capacitySeconds)
    if (isMeasured) histograms[side].add(alone.intended)
    return {
      p50_ms: alone.intended.getValueAtPercentile(50) / NANOS_PER_MS,
      p99_ms: alone.intended.getValueAtPercentile(99) / NANOS_PER_MS,
      p999_ms: alone.intended.getValueAtPercentile(99.9) / NANOS_PER_MS,
      calls_per_s: busy.perSecond,
      server_cpu_us: busy.serverCpuMicros,
      load_cpu_share: busy.cpuShare,
    }
  }
  const contenders = (isMeasured) => ({
    twinstore: contender('twinstore', isMeasured),
    static: contender('static', isMeasured),
  })
  await takeTurns(contenders(false), 1)
  const rounds = await hits.fromL1(label, () => takeTurns(contenders(true), settings.rounds))
  return { rounds, histograms, comparison: compare(rounds, 'twinstore', 'static') }
}

/** The report of several kinds of request, `cases`: { figures, label, requests }. `titleOf(label)` is that of the plot. */
export async function hitReport(hits, cases, settings, titleOf) {
  const report = {
    settings,
    figures: {},
    head: ['request', 'server', ...HIT_HEAD],
    rows: [],
    histograms: {},
    plots: [],
  }
  for (const { figures, label, requests } of cases) {
    const { comparison, histograms } = await hitRounds(hits, label, requests, settings)
    report.rows.push(...comparison.rows(label, HIT_FIGURES))
    Object.assign(report.figures, comparison.figures(figures))
    const series = Object.entries(histograms).map(([name, histogram]) => ({
      name,
      baseline: name === 'static',
      histogram,
    }))
    report.plots.push({ title: titleOf(label), kind: 'percentiles', series })
  }
  return report
}
