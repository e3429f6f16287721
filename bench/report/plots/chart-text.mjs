/** Text of a plot: how wide it is, and how a number is written on an axis. */
import { format } from 'd3-format'
import { element } from '../markup.mjs'
import { color } from '../palette.mjs'

/** Widths of characters, of the height. Which font a page has is not known here; these are those of the wider ones (DejaVu Sans). */
const NARROW = 0.33
const USUAL = 0.63
const WIDE = 0.95

/** Pixels, a little more rather than less. */
export function textWidth(text, size) {
  let ems = 0
  for (const character of text) {
    if (".,:;|!iljtfI' ()".includes(character)) ems += NARROW
    else if ('mwMW%@'.includes(character)) ems += WIDE
    else ems += USUAL
  }
  return ems * size
}

const thousands = format('.3~s')
const short = format('~r')

/** 0.05, 3, 250, 20k, 1.5M. */
export function axisNumber(value) {
  if (Math.abs(value) >= 10_000) return thousands(value).replace('G', ' bn')
  return short(Number(value.toPrecision(6)))
}

/** Three digits, for what stands beside a mark. */
export function markNumber(value) {
  if (Math.abs(value) >= 1_000_000) return format('.3s')(value).replace('G', ' bn')
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return format('.3~r')(value)
}

/** `latency, ms (log)`. */
export function axisTitle({ label, log }) {
  return log ? `${label} (log)` : label
}

/** `attributes` has its place. An edge in the page's colour keeps it legible where it crosses a rule. */
export function textMark(content, attributes, fontSize, colorName) {
  const style = `fill:${color(colorName)};stroke:${color('page')};stroke-width:3px;paint-order:stroke`
  return element('text', { ...attributes, 'font-size': fontSize, style }, content)
}
