/**
 * Several runs of a scenario as one: each starts its servers anew, so that what one start happens to be like (where memory lies, what
 * was compiled when) is among what the spread shows.
 *
 * A figure is the median of the runs' medians, between the least and the greatest round of them all. Histograms are added up. Texts of
 * the table and plots of lines are the last run's.
 */
import { spread } from './spread.mjs'

/** `list`: what `measure` gave, a run each. */
export function asOne(list) {
  const last = list.at(-1)
  if (list.length === 1) return last
  const figures = Object.keys(last.figures).map((name) => [name, spreadOfAll(list.map((run) => run.figures[name]))])
  const rows = last.rows.map((row, index) => row.map((_, column) => cell(list.map((run) => run.rows[index]?.[column]))))
  for (const run of list.slice(0, -1)) addHistograms(last, run)
  return { ...last, figures: Object.fromEntries(figures), rows }
}

function spreadOfAll(spreads) {
  const { median } = spread(spreads.map((each) => each.median))
  return { median, min: Math.min(...spreads.map(({ min }) => min)), max: Math.max(...spreads.map(({ max }) => max)) }
}

function cell(cells) {
  return cells.every((each) => typeof each === 'object') ? spreadOfAll(cells) : cells.at(-1)
}

/** Plots refer to their histograms, so those of the last run take in the others. */
function addHistograms(last, run) {
  const own = histogramsOf(last)
  for (const [name, histogram] of histogramsOf(run)) own.get(name)?.add(histogram)
}

function histogramsOf({ histograms = {}, plots = [] }) {
  const found = new Map(Object.entries(histograms))
  const known = new Set(found.values())
  for (const { title, series } of plots) {
    for (const { name, histogram } of series) {
      if (histogram !== undefined && !known.has(histogram)) found.set(`${title}: ${name}`, histogram)
    }
  }
  return found
}
