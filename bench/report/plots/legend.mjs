/** The names of series with a stroke of each, in as many lines as they need. */
import { element, fragment } from '../markup.mjs'
import { color } from '../palette.mjs'
import { textMark, textWidth } from './chart-text.mjs'

const STROKE = 22
const GAP = 16

export function legend(series, { width, fontSize, top, filled = false }) {
  const lineHeight = fontSize * 1.5
  let left = 0
  let row = 0
  const entries = series.map(({ name, style }) => {
    const entryWidth = STROKE + 6 + textWidth(name, fontSize)
    if (left > 0 && left + entryWidth > width) {
      left = 0
      row++
    }
    const middle = top + lineHeight * (row + 0.5)
    const entry = fragment([
      filled ? box(left, middle, style) : stroke(left, middle, style),
      textMark(name, { x: left + STROKE + 6, y: middle + fontSize * 0.35 }, fontSize, 'ink'),
    ])
    left += entryWidth + GAP
    return entry
  })
  return { markup: fragment(entries), height: lineHeight * (row + 1) }
}

function stroke(left, middle, { color: name, dash }) {
  const style = `stroke:${color(name)};stroke-width:1.75`
  return element('line', { x1: left, x2: left + STROKE, y1: middle, y2: middle, style, 'stroke-dasharray': dash })
}

function box(left, middle, { color: name, tint }) {
  const style = `fill:${color(name)};fill-opacity:${tint}`
  return element('rect', { x: left, y: middle - 5, width: STROKE, height: 10, style })
}
