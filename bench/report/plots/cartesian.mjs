/**
 * Lines over two axes, as an SVG: what percentiles and lines come to.
 *
 *     chart = { title, x: axis, y: axis, series: [{ name, baseline, line: [[x, y]], marks: [{ x, y, low, high, text }] }] }
 *     axis  = { title, log, domain: [from, to], ticks: [{ at, text }] }
 *
 * Each series is named where it ends if there is room for that, or else in a legend. `low` and `high` of a mark, the least and greatest
 * of its rounds, are a thin upright line.
 */
import { scaleLinear, scaleLog } from 'd3-scale'
import { line, symbol, symbolCircle, symbolDiamond, symbolSquare, symbolTriangle, symbolWye } from 'd3-shape'
import { element, fragment } from '../markup.mjs'
import { color, seriesStyle } from '../palette.mjs'
import { textMark, textWidth } from './chart-text.mjs'
import { legend } from './legend.mjs'
import { spreadApart } from './spread-apart.mjs'

const SYMBOLS = [symbolCircle, symbolSquare, symbolTriangle, symbolDiamond, symbolWye]
const MARK_AREA = 26
/** Names beside the lines may take this much of the width. */
const NAMES_SHARE_MAX = 0.34
const GAP = 8

/** Everything below is given in pixels, from the top left. */
export function drawCartesian(chart, { width, height, fontSize, top }) {
  const series = chart.series.map((each, index) => ({ ...each, style: seriesStyle(each, index) }))
  const nameWidth = Math.max(...series.map(({ name }) => textWidth(name, fontSize)))
  const namesBeside = series.length > 1 && nameWidth < width * NAMES_SHARE_MAX
  const key = series.length === 1 || namesBeside ? { height: 0 } : legend(series, { width, fontSize, top })
  const tickWidth = Math.max(...chart.y.ticks.map(({ text }) => textWidth(text, fontSize)))
  const last = chart.x.ticks.at(-1)
  const area = {
    left: tickWidth + GAP,
    right: width - (namesBeside ? nameWidth + 2 * GAP : Math.max(GAP, textWidth(last?.text ?? '', fontSize) / 2)),
    // The y axis is named above it, where its name can be read without turning the head.
    top: top + key.height + fontSize * 2.1,
    bottom: height - fontSize * 2.9,
  }
  const x = scaleOf(chart.x, area.left, area.right)
  const y = scaleOf(chart.y, area.bottom, area.top)
  return fragment([
    key.markup,
    yAxis(chart.y, y, area, fontSize),
    xAxis(chart.x, x, area, fontSize),
    series.map((each) => seriesMarkup(each, x, y)),
    namesBeside ? names(series, y, area, fontSize) : undefined,
  ])
}

function scaleOf({ log, domain }, from, to) {
  return (log ? scaleLog() : scaleLinear()).domain(domain).range([from, to])
}

function yAxis({ title, ticks }, y, area, fontSize) {
  const name = textMark(title, { x: 0, y: area.top - fontSize * 1.05 }, fontSize, 'muted')
  const rules = ticks.map(({ at, text: label }) => {
    const height = Math.round(y(at)) + 0.5
    return fragment([
      element('line', { x1: area.left, x2: area.right, y1: height, y2: height, style: `stroke:${color('rule')}` }),
      textMark(label, { x: area.left - GAP, y: height + fontSize * 0.35, 'text-anchor': 'end' }, fontSize, 'muted'),
    ])
  })
  return fragment([name, rules])
}

function xAxis({ title, ticks }, x, area, fontSize) {
  const style = `stroke:${color('axis')}`
  const baseline = Math.round(area.bottom) + 0.5
  const marks = roomy(ticks, x, fontSize).map(({ at, text: label }) => {
    const place = Math.round(x(at)) + 0.5
    return fragment([
      element('line', { x1: place, x2: place, y1: baseline, y2: baseline + 4, style }),
      textMark(label, { x: place, y: baseline + fontSize * 1.4, 'text-anchor': 'middle' }, fontSize, 'muted'),
    ])
  })
  return fragment([
    element('line', { x1: area.left, x2: area.right, y1: baseline, y2: baseline, style }),
    marks,
    textMark(
      title,
      { x: (area.left + area.right) / 2, y: baseline + fontSize * 2.65, 'text-anchor': 'middle' },
      fontSize,
      'muted',
    ),
  ])
}

/** Without those whose text would touch that of the one after it; the last one stays. */
function roomy(ticks, x, fontSize) {
  const kept = []
  let free = Number.POSITIVE_INFINITY
  for (const tick of ticks.toReversed()) {
    const half = textWidth(tick.text, fontSize) / 2
    if (x(tick.at) + half > free) continue
    kept.unshift(tick)
    free = x(tick.at) - half - GAP / 2
  }
  return kept
}

function seriesMarkup({ line: points, marks, style }, x, y) {
  const path = line(
    (point) => x(point[0]),
    (point) => y(point[1]),
  )(points)
  const stroke = `stroke:${color(style.color)};stroke-width:1.75;fill:none`
  return fragment([
    points.length > 1 ? element('path', { d: path, style: stroke, 'stroke-dasharray': style.dash }) : undefined,
    marks.map((mark) => markMarkup(mark, style, x, y)),
  ])
}

function markMarkup(mark, style, x, y) {
  const [left, height] = [x(mark.x), y(mark.y)]
  const whisker = mark.low !== undefined && mark.low < mark.high
  const shape = symbol(SYMBOLS[style.mark], MARK_AREA)()
  return element(
    'g',
    {},
    element('title', {}, mark.text),
    whisker
      ? element('line', {
          x1: left,
          x2: left,
          y1: y(mark.low),
          y2: y(mark.high),
          style: `stroke:${color(style.color)}`,
        })
      : undefined,
    element('path', {
      d: shape,
      transform: `translate(${left.toFixed(2)} ${height.toFixed(2)})`,
      style: `fill:${color(style.color)};stroke:${color('page')};stroke-width:0.75`,
    }),
  )
}

/** The series' names beside where their lines end. */
function names(series, y, area, fontSize) {
  const ends = series.map(({ line: points }) => y(points.at(-1)[1]))
  const places = spreadApart(ends, fontSize * 1.2, area.top, area.bottom)
  return series.map(({ name, style }, index) =>
    textMark(name, { x: area.right + GAP, y: places[index] + fontSize * 0.35 }, fontSize, style.color),
  )
}
