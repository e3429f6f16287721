/** `{ kind: 'lines', x: { label, log? }, y: { label, log? }, series: [{ name, baseline?, points: [[x, y, low?, high?]] }] }` */
import { valueAxis, variedAxis } from './axis.mjs'
import { drawCartesian } from './cartesian.mjs'
import { axisNumber, markNumber } from './chart-text.mjs'

export function drawLines(plot, size) {
  const points = plot.series.flatMap((series) => series.points)
  const chart = {
    x: variedAxis(
      plot.x,
      points.map(([x]) => x),
    ),
    y: valueAxis(
      plot.y,
      points.flatMap(([, ...values]) => values.filter(Number.isFinite)),
    ),
    series: plot.series.map(({ name, baseline, points: own }) => ({
      name,
      baseline,
      line: own.map(([x, y]) => [x, y]),
      marks: own.map(([x, y, low, high]) => ({ x, y, low, high, text: pointText(name, plot, x, y, low, high) })),
    })),
  }
  return drawCartesian(chart, size)
}

function pointText(name, plot, x, y, low, high) {
  const range = low === undefined || low === high ? '' : ` (${markNumber(low)} to ${markNumber(high)})`
  return `${name}: ${markNumber(y)}${range} at ${axisNumber(x)} (${plot.y.label} at ${plot.x.label})`
}
