/**
 * Results files, `bench/results/*.json`: everything that a run measured, for the report and for comparisons.
 *
 *     { startedAt, quick, machine, figures: { '<scenario>.<figure>': median }, scenarios: { <name>: scenario } }
 *     scenario = { title, settings, seconds, load, figures: { <name>: { median, min, max } }, head, rows, histograms, plots }
 *
 * Histograms are nanoseconds in the HDR V2 format, compressed, as base64: any HDR tool reads them. Those of plots are among them; the
 * plot has their names.
 */
import { readFileSync } from 'node:fs'
import { decodeFromCompressedBase64, encodeIntoCompressedBase64 } from 'hdr-histogram-js'

/** What is kept of a scenario's `measure`: the same, with its histograms as texts. */
export function encodeScenario({ histograms = {}, plots = [], ...measured }) {
  const names = new Map(Object.entries(histograms).map(([name, histogram]) => [histogram, name]))
  const named = plots.map((plot) => ({ ...plot, series: plot.series.map((series) => withName(plot, series, names)) }))
  const encoded = [...names].map(([histogram, name]) => [name, encodeIntoCompressedBase64(histogram)])
  return { ...measured, histograms: Object.fromEntries(encoded), plots: named }
}

function withName(plot, series, names) {
  if (series.histogram === undefined) return series
  if (!names.has(series.histogram)) names.set(series.histogram, `${plot.title}: ${series.name}`)
  return { ...series, histogram: names.get(series.histogram) }
}

/** A file of `npm run bench`, with the histograms of plots as histograms again. Says what is wrong with any other file. */
export function readResults(file) {
  const text = readFileSync(file, 'utf8')
  let results
  try {
    results = JSON.parse(text)
  } catch (error) {
    throw new Error(`${file} is not a results file of npm run bench: it is not JSON (${error.message})`)
  }
  const problem = problemOf(results)
  if (problem !== undefined) throw new Error(`${file} is not a results file of npm run bench: ${problem}`)
  const scenarios = Object.entries(results.scenarios).map(([name, scenario]) => [
    name,
    decodeScenario(scenario, `${file}: ${name}`),
  ])
  return { ...results, scenarios: Object.fromEntries(scenarios) }
}

function problemOf(results) {
  for (const field of ['startedAt', 'machine', 'figures', 'scenarios']) {
    if (results?.[field] === undefined) return `it has no "${field}"`
  }
  for (const [name, scenario] of Object.entries(results.scenarios)) {
    for (const field of ['title', 'figures', 'head', 'rows', 'histograms', 'plots']) {
      if (scenario?.[field] === undefined) return `scenario ${name} has no "${field}"`
    }
  }
  return undefined
}

function decodeScenario(scenario, where) {
  const plots = scenario.plots.map((plot) => ({
    ...plot,
    series: plot.series.map((series) => withHistogram(series, scenario.histograms, `${where}, plot "${plot.title}"`)),
  }))
  return { ...scenario, plots }
}

function withHistogram(series, histograms, where) {
  if (series.histogram === undefined) return series
  const encoded = histograms[series.histogram]
  if (encoded === undefined) throw new Error(`${where}: there is no histogram "${series.histogram}"`)
  return { ...series, histogram: decodeFromCompressedBase64(encoded) }
}
