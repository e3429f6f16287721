/**
 * A plot as one SVG element. What a scenario may bring:
 *
 *     { title, kind: 'percentiles', series: [{ name, histogram }] }                       latency by percentile
 *     { title, kind: 'lines', x: { label, log? }, y: { label, log? }, series: [{ name, points: [[x, y, low?, high?]] }] }
 *     { title, kind: 'bars', y: { label }, series: [{ name, points: [[label, y, low?, high?]] }] }
 *
 * A series may be a `baseline: true`. Colours are custom properties of whatever page the SVG stands in (`palette.mjs`).
 */
import { element } from './markup.mjs'
import { color } from './palette.mjs'
import { barsHeight, drawBars } from './plots/bars.mjs'
import { textMark } from './plots/chart-text.mjs'
import { drawLines } from './plots/lines.mjs'
import { drawPercentiles } from './plots/percentiles.mjs'

const DRAW = { percentiles: drawPercentiles, lines: drawLines, bars: drawBars }

/** The page's own, where there is one; Inter in images (`image.mjs`). */
const FONTS = "Inter, ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"

export function drawPlot(plot, { width, height, fontSize, titled = false, padding = 0 }) {
  if (!(plot.kind in DRAW)) {
    throw new Error(`plot "${plot.title}" is of kind ${plot.kind}; there are ${Object.keys(DRAW).join(', ')}`)
  }
  const top = titled ? fontSize * 2.2 : 0
  const size = { width: width - 2 * padding, height: height - 2 * padding, fontSize, top }
  const shown = withValues(plot)
  const nothing = shown.series.length === 0
  const innerHeight = shown.kind === 'bars' && !nothing ? barsHeight(shown, size) : size.height
  const title = textMark(
    plot.title,
    { x: 0, y: fontSize * 1.15, 'font-weight': 600 },
    Math.round(fontSize * 1.15),
    'ink',
  )
  const outerHeight = Math.ceil(innerHeight + 2 * padding)
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${width} ${outerHeight}`,
      width,
      height: outerHeight,
      role: 'img',
      'aria-label': plot.title,
      'font-family': FONTS,
    },
    titled ? element('rect', { width, height: outerHeight, style: `fill:${color('page')}` }) : undefined,
    element(
      'g',
      { transform: padding === 0 ? undefined : `translate(${padding} ${padding})` },
      titled ? title : undefined,
      nothing ? textMark(NOTHING, { x: 0, y: top + 2 * fontSize }, fontSize, 'muted') : DRAW[plot.kind](shown, size),
    ),
  )
}

const NOTHING = 'Nothing was measured.'

/** Without points whose value is not a number: in so short a run as a quick one a ratio of times may be none. */
function withValues(plot) {
  const series = plot.series.map((each) =>
    each.points === undefined
      ? each
      : { ...each, points: each.points.filter(([, y]) => Number.isFinite(y)).map(present) },
  )
  return { ...plot, series: series.filter(({ points, histogram }) => points?.length > 0 || histogram?.totalCount > 0) }
}

/** The range only where both of its ends are known. */
function present([x, y, low, high]) {
  return Number.isFinite(low) && Number.isFinite(high) ? [x, y, low, high] : [x, y]
}
