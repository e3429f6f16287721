/**
 * `{ kind: 'percentiles', series: [{ name, baseline?, histogram }] }`: how long the slowest take.
 *
 * To the right each step leaves a tenth: 90 %, 99 %, 99.9 % are equally far apart, so that the tail is as wide as the rest. A
 * line ends where its histogram has one value left: beyond that there is nothing measured.
 */
import { valueAxis } from './axis.mjs'
import { drawCartesian } from './cartesian.mjs'
import { markNumber } from './chart-text.mjs'

const MARKED = [50, 90, 99, 99.9, 99.99, 99.999]
const STEPS_PER_TENTH = 24
/** The quickest of all calls says nothing, and may be so quick that a logarithmic axis has no room for the others. */
const PERCENT_MIN = 1
const UNITS = [
  { name: 'µs', nanos: 1e3 },
  { name: 'ms', nanos: 1e6 },
  { name: 's', nanos: 1e9 },
]
/** A greater range than this is drawn with a logarithmic axis: otherwise a long tail presses all the rest flat. */
const LINEAR_RANGE_MAX = 12

export function drawPercentiles(plot, size) {
  const unit = unitFor(plot.series.map(({ histogram }) => histogram.getValueAtPercentile(50)))
  const series = plot.series.map(({ name, baseline, histogram }) => {
    const at = (percent) => histogram.getValueAtPercentile(percent) / unit.nanos
    const end = Math.max(2, place(100 - 100 / Math.max(1, histogram.totalCount)))
    return {
      name,
      baseline,
      line: steps(end)
        .filter((x) => percentAt(x) >= PERCENT_MIN)
        .map((x) => [x, at(percentAt(x))]),
      marks: MARKED.filter((percent) => place(percent) <= end + 1e-9).map((percent) => ({
        x: place(percent),
        y: at(percent),
        text: `${name}: ${percent} % within ${markNumber(at(percent))} ${unit.name}`,
      })),
    }
  })
  const values = series.flatMap(({ line }) => line.map(([, y]) => y))
  const log = Math.max(...values) > LINEAR_RANGE_MAX * Math.min(...values)
  const to = Math.max(...series.map(({ line }) => line.at(-1)[0]))
  const chart = {
    x: {
      title: 'percentile of calls, %',
      log: false,
      domain: [0, to],
      ticks: MARKED.filter((percent) => place(percent) <= to + 1e-9).map((at) => ({ at: place(at), text: String(at) })),
    },
    y: valueAxis({ label: `latency, ${unit.name}`, log }, values),
    series,
  }
  return drawCartesian(chart, size)
}

/** Tenths left: 0 for none of the values, 1 for 90 %, 2 for 99 %. */
function place(percent) {
  return -Math.log10(1 - percent / 100)
}

function percentAt(x) {
  return 100 * (1 - 10 ** -x)
}

function steps(end) {
  const count = Math.max(1, Math.round(end * STEPS_PER_TENTH))
  return Array.from({ length: count + 1 }, (_, step) => (step / count) * end)
}

function unitFor(medians) {
  const least = Math.min(...medians)
  return UNITS.findLast(({ nanos }) => least >= nanos / 10) ?? UNITS[0]
}
