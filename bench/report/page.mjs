/** The report of a run as one HTML page that asks the network for nothing: tables, plots, and what was held against the bars. */
import { readFileSync } from 'node:fs'
import { heldAgainst } from '../lib/budget.mjs'
import { numberText } from '../lib/number-text.mjs'
import { element, fragment, trusted } from './markup.mjs'
import { declarations } from './palette.mjs'
import { drawPlot } from './plot.mjs'

const STYLE = readFileSync(new URL('report.css', import.meta.url), 'utf8')
/** Text in a scaled picture would be too small to read, so each plot is drawn for a phone too. */
const WIDE = { width: 560, height: 340, fontSize: 13 }
const NARROW = { width: 340, height: 300, fontSize: 12.5 }

export function reportPage(results) {
  const names = Object.keys(results.scenarios)
  const body = element(
    'main',
    {},
    header(results),
    results.quick ? quickNotice() : bars(results, names),
    contents(results.scenarios),
    howToRead(),
    names.map((name) => scenarioSection(name, results.scenarios[name])),
  )
  const head = element(
    'head',
    {},
    element('meta', { charset: 'utf-8' }),
    element('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
    element('meta', { name: 'color-scheme', content: 'light dark' }),
    element('title', {}, `Twinstore benchmarks, ${day(results)}`),
    element('style', {}, trusted(`${colors()}\n${STYLE}`)),
  )
  return `<!doctype html>\n${element('html', { lang: 'en' }, head, element('body', {}, body))}\n`
}

function colors() {
  return `:root{${declarations('light')}}@media (prefers-color-scheme:dark){:root{${declarations('dark')}}}`
}

function day({ startedAt }) {
  return startedAt.slice(0, 10)
}

function header({ startedAt, machine }) {
  const { cpu, cores, memoryGib, system, node, versions = {}, ...more } = machine
  const facts = {
    Processor: `${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'}`,
    Memory: `${memoryGib} GiB`,
    System: system,
    Node: node,
    ...(Object.keys(versions).length > 0 ? { Versions: settingsText(versions) } : {}),
    ...Object.fromEntries(Object.entries(more).map(([name, value]) => [name, settingText(value)])),
  }
  return element(
    'header',
    {},
    element('h1', {}, 'Twinstore benchmarks'),
    element('p', { class: 'muted' }, `Begun ${startedAt.slice(0, 16).replace('T', ' ')} UTC`),
    element(
      'dl',
      { class: 'facts' },
      Object.entries(facts).map(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]),
    ),
  )
}

function quickNotice() {
  return element(
    'p',
    { class: 'notice' },
    'A quick run: it shows that the benchmarks work. Its figures say nothing of speed, and were held against no bar.',
  )
}

function bars({ figures }, names) {
  const held = heldAgainst(figures, names)
  if (held.length === 0) return undefined
  const missed = held.filter(({ met }) => !met)
  const rows = [...missed, ...held.filter(({ met }) => met)].map(({ figure, bound, bar, value, met }) =>
    element(
      'tr',
      {},
      element('td', {}, element('code', {}, figure)),
      element('td', { class: 'number' }, value === undefined ? 'not measured' : numberText(value)),
      element('td', { class: 'number' }, `${bound === 'max' ? 'at most' : 'at least'} ${bar.toLocaleString('en')}`),
      element('td', { class: met ? 'met' : 'missed' }, met ? '✓ met' : '✗ fell short'),
    ),
  )
  return element(
    'section',
    { id: 'bars' },
    element('h2', {}, `Held against the bars: ${held.length - missed.length} of ${held.length} met`),
    element(
      'p',
      { class: 'muted' },
      'The bars are those of ',
      element('code', {}, 'bench/budget.json'),
      ' when this page was made.',
    ),
    table(['figure', 'measured', 'bar', ''], rows, [1, 2]),
  )
}

function howToRead() {
  const points = [
    'A subject and its baseline take turns within one run. Compare ratios, not times: on a shared machine times change with what else runs, ratios much less.',
    'A figure is the median of its rounds, with the least and the greatest beside it; in plots these are a thin line through the mark. Where they are not given there was one round.',
    'Percentiles: to the right each step leaves a tenth of the calls, so that the tail is as wide as the rest. A line ends where only one call is left.',
    'Open loop: calls are sent at a fixed pace, and “intended” latency counts from when a call was due, also if the sender was late; “actual” counts from when it left. Closed loop: the next call is sent when the last is answered.',
    'The load average stands beside each scenario. Above the number of cores, everything waited for a core.',
  ]
  return element(
    'section',
    {},
    element('h2', {}, 'How to read this'),
    element(
      'ul',
      {},
      points.map((point) => element('li', {}, point)),
    ),
  )
}

function contents(scenarios) {
  const links = Object.entries(scenarios).map(([name, { title }]) =>
    element('li', {}, element('a', { href: `#${name}` }, name), ' ', element('small', {}, title)),
  )
  return element('section', {}, element('h2', {}, 'Scenarios'), element('nav', {}, element('ul', {}, links)))
}

function scenarioSection(name, { title, settings, seconds, load, figures, head, rows, plots }) {
  const conditions = [
    settings && settingsText(settings),
    seconds !== undefined ? `took ${seconds} s` : undefined,
    load && `load average ${load.before} before, ${load.after} after`,
  ]
  return element(
    'section',
    { id: name },
    element('h2', {}, name),
    element('p', {}, title, ' ', element('small', {}, conditions.filter(Boolean).join('; '))),
    plots.length > 0 ? element('div', { class: 'plots' }, plots.map(figure)) : undefined,
    scenarioTable(head, rows),
    element('details', {}, element('summary', {}, `All ${Object.keys(figures).length} figures`), figuresTable(figures)),
  )
}

function figure(plot) {
  return element(
    'figure',
    {},
    element('h3', {}, plot.title),
    element('div', { class: 'wide' }, drawPlot(plot, WIDE)),
    element('div', { class: 'narrow' }, drawPlot(plot, NARROW)),
  )
}

function scenarioTable(head, rows) {
  const isNumber = (column) => rows.some((row) => typeof row[column] === 'object' && row[column] !== null)
  const numbers = head.map((_, column) => column).filter(isNumber)
  const written = rows.map((row) =>
    element(
      'tr',
      { class: row[0] === '' ? `same${row[1] === 'ratio' ? ' ratio' : ''}` : undefined },
      head.map((_, column) =>
        element('td', { class: numbers.includes(column) ? 'number' : undefined }, cell(row[column])),
      ),
    ),
  )
  return table(head, written, numbers)
}

/** A text, a spread, or nothing. */
function cell(value) {
  if (value === null || value === undefined || typeof value !== 'object') return value
  // What was not a number is null in JSON.
  const [median, min, max] = [value.median, value.min, value.max].map((each) => each ?? Number.NaN)
  const range = min < max ? element('small', {}, ` ${numberText(min)}–${numberText(max)}`) : undefined
  return fragment([numberText(median), range])
}

function figuresTable(figures) {
  const rows = Object.entries(figures).map(([name, spread]) =>
    element('tr', {}, element('td', {}, element('code', {}, name)), element('td', { class: 'number' }, cell(spread))),
  )
  return table(['figure', 'median, least–greatest'], rows, [1])
}

function table(head, rows, numberColumns) {
  const cells = head.map((name, column) =>
    element('th', { scope: 'col', class: numberColumns.includes(column) ? 'number' : undefined }, name),
  )
  return element(
    'div',
    { class: 'scroll' },
    element('table', {}, element('thead', {}, element('tr', {}, cells)), element('tbody', {}, rows)),
  )
}

/** `rounds 5, seconds 2`. */
function settingsText(settings) {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${settingText(value)}`)
    .join(', ')
}

function settingText(value) {
  if (Array.isArray(value)) return value.map(settingText).join(' ')
  return typeof value === 'object' && value !== null ? `(${settingsText(value)})` : String(value)
}
