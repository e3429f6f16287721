/**
 * `{ kind: 'bars', y: { label }, series: [{ name, baseline?, points: [[label, y, low?, high?]] }] }`, lying down: their names are then read
 * without turning the head, and as many as there are fit on a phone.
 */
import { scaleLinear } from 'd3-scale'
import { element, fragment } from '../markup.mjs'
import { color, seriesStyle } from '../palette.mjs'
import { valueAxis } from './axis.mjs'
import { markNumber, textMark, textWidth } from './chart-text.mjs'
import { legend } from './legend.mjs'

const GAP = 8
const BAR_MAX = 14
/** Of the width, what the names may take before they are put above their bars. */
const NAMES_SHARE_MAX = 0.34

/** Bars need no more height than this; `height` of the size is not used. */
export function barsHeight(plot, size) {
  return layout(plot, size).height
}

export function drawBars(plot, size) {
  const { width, fontSize } = size
  const places = layout(plot, size)
  const { labels, key, left, top, height } = places
  const points = places.series.flatMap((each) => each.points)
  const axis = valueAxis(
    plot.y,
    points.flatMap(([, ...values]) => values.filter(Number.isFinite)),
  )
  const valueWidth = Math.max(...points.map(([, y, , high]) => textWidth(markNumber(Math.max(y, high ?? y)), fontSize)))
  const x = scaleLinear(axis.domain, [left, width - valueWidth - GAP])
  const bottom = height - fontSize * 2.9
  const zero = Math.round(x(0)) + 0.5
  const titleAt = { x: (left + x.range()[1]) / 2, y: bottom + fontSize * 2.5, 'text-anchor': 'middle' }
  return fragment([
    key.markup,
    ticks(axis, x, top, bottom, fontSize),
    labels.map((label, group) => barsOf(label, top + group * places.groupHeight, places, x, fontSize, plot.y.label)),
    element('line', { x1: zero, x2: zero, y1: top - 4, y2: bottom, style: `stroke:${color('axis')}` }),
    textMark(axis.title, titleAt, fontSize, 'muted'),
  ])
}

/** The bars of one label, one per series, from `begin` down. */
function barsOf(label, begin, { series, left, namesAbove, barHeight }, x, fontSize, unit) {
  const bars = series.map((each, turn) => {
    const point = each.points.find(([name]) => name === label)
    const at = begin + (namesAbove ? fontSize * 1.4 : 0) + turn * (barHeight + 2)
    return point && bar(each, point, { at, barHeight, x, fontSize, unit })
  })
  const labelAt = namesAbove
    ? { x: left + 4, y: begin + fontSize }
    : { x: left - GAP, y: begin + (series.length * (barHeight + 2)) / 2 + fontSize * 0.33, 'text-anchor': 'end' }
  return fragment([textMark(label, labelAt, fontSize, 'ink'), bars])
}

function layout(plot, { width, fontSize, top }) {
  const series = plot.series.map((each, index) => ({ ...each, style: seriesStyle(each, index) }))
  const labels = [...new Set(series.flatMap(({ points }) => points.map(([label]) => label)))]
  const key = series.length === 1 ? { height: 0 } : legend(series, { width, fontSize, top, filled: true })
  const nameWidth = Math.max(...labels.map((label) => textWidth(label, fontSize)))
  const namesAbove = nameWidth > width * NAMES_SHARE_MAX
  const barHeight = Math.min(BAR_MAX, fontSize)
  const groupHeight = series.length * (barHeight + 2) + (namesAbove ? fontSize * 1.4 : 0) + 10
  const begin = top + key.height + 8
  return {
    series,
    labels,
    key,
    left: namesAbove ? 1 : nameWidth + GAP,
    namesAbove,
    groupHeight,
    barHeight,
    top: begin,
    height: begin + labels.length * groupHeight + fontSize * 2.9,
  }
}

function ticks(axis, x, top, bottom, fontSize) {
  let free = Number.NEGATIVE_INFINITY
  return axis.ticks.map(({ at, text: label }) => {
    const place = Math.round(x(at)) + 0.5
    const half = textWidth(label, fontSize) / 2
    const rule = element('line', {
      x1: place,
      x2: place,
      y1: top - 4,
      y2: bottom,
      style: `stroke:${color('rule')}`,
    })
    if (place - half < free) return rule
    free = place + half + GAP
    const attributes = { x: place, y: bottom + fontSize * 1.3, 'text-anchor': 'middle' }
    return fragment([rule, textMark(label, attributes, fontSize, 'muted')])
  })
}

function bar({ name, style }, [label, y, low, high], { at, barHeight, x, fontSize, unit }) {
  const middle = at + barHeight / 2
  const whisker = low !== undefined && low < high
  const range = whisker ? ` (${markNumber(low)} to ${markNumber(high)})` : ''
  const end = x(Math.max(y, whisker ? high : y))
  const shape = { x: Math.min(x(0), x(y)), y: at, width: Math.abs(x(y) - x(0)), height: barHeight }
  return element(
    'g',
    {},
    element('title', {}, `${name}, ${label}: ${markNumber(y)}${range} (${unit})`),
    // The page's colour first: rules would be seen through a tint.
    element('rect', { ...shape, style: `fill:${color('page')}` }),
    element('rect', { ...shape, style: `fill:${color(style.color)};fill-opacity:${style.tint}` }),
    whisker
      ? element('line', { x1: x(low), x2: x(high), y1: middle, y2: middle, style: `stroke:${color('ink')}` })
      : undefined,
    textMark(markNumber(y), { x: end + 5, y: middle + fontSize * 0.35 }, fontSize, 'muted'),
  )
}
