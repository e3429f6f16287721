/**
 * The colours of plots, as custom properties of the page: `report.css` uses them, and images have them written in.
 *
 * Six series at most. Their colours keep apart for the three kinds of colour blindness, and each series has a dash, a mark and a tint of its
 * own, so that a page printed in grey is read as well. A baseline is grey and dashed wherever it stands.
 */

const LIGHT = {
  page: '#ffffff',
  panel: '#f6f7f9',
  ink: '#16181d',
  muted: '#5b626e',
  rule: '#dfe3e8',
  axis: '#9aa2ad',
  baseline: '#6b7280',
  good: '#0a7a55',
  bad: '#b3261e',
  'series-0': '#0b66b0',
  'series-1': '#c14a08',
  'series-2': '#0b7d69',
  'series-3': '#a2357f',
  'series-4': '#6d5f00',
  'series-5': '#5a54c8',
}

const DARK = {
  page: '#14161a',
  panel: '#1c1f25',
  ink: '#eceef2',
  muted: '#a3abb7',
  rule: '#2d323a',
  axis: '#68707c',
  baseline: '#9aa3b0',
  good: '#52d3a4',
  bad: '#ff8a80',
  'series-0': '#62b4f6',
  'series-1': '#ff9d5c',
  'series-2': '#43cdb3',
  'series-3': '#ec8fd2',
  'series-4': '#d8c54e',
  'series-5': '#aeaaff',
}

export const THEMES = { light: LIGHT, dark: DARK }

/** How a series is drawn: the name of its colour, its dash, its mark, the tint of its areas. */
export function seriesStyle(series, index) {
  const mark = index % MARKS
  const tint = TINTS[index % TINTS.length]
  if (series.baseline) return { color: 'baseline', dash: '5 4', mark, tint }
  return { color: `series-${index % DASHES.length}`, dash: DASHES[index % DASHES.length], mark, tint }
}

const MARKS = 5
/** How much of its colour an area has: what a dash is to a line. */
const TINTS = [1, 0.55, 0.8, 0.35, 0.9, 0.45]
const DASHES = [undefined, '8 3', '2 3', '10 3 2 3', '6 2', '1 2']

/** The property as a value in a style. */
export function color(name) {
  return `var(--${name})`
}

/** Declarations of every colour. */
export function declarations(theme) {
  return Object.entries(THEMES[theme])
    .map(([name, value]) => `--${name}:${value}`)
    .join(';')
}

/** With the colours themselves in place of their names, for a reader that knows no custom properties. */
export function withColors(svg, theme) {
  return svg.replaceAll(/var\(--([\w-]+)\)/g, (_, name) => THEMES[theme][name])
}
