/**
 * The bars that figures must not fall short of: `bench/budget.json`, by figure with `_max` or `_min` after its name.
 */
import { readFileSync } from 'node:fs'

const BUDGET = new URL('../budget.json', import.meta.url)

/** What fell short, a line each. `scenarios` are those that ran; bars of others are left alone. */
export function shortfalls(figures, scenarios) {
  const budget = JSON.parse(readFileSync(BUDGET, 'utf8'))
  const found = []
  for (const [entry, bar] of Object.entries(budget)) {
    const [, figure, bound] = /^(.+)_(max|min)$/.exec(entry) ?? []
    if (figure === undefined) throw new Error(`budget.json: ${entry} must end in _max or _min`)
    if (!scenarios.includes(figure.split('.')[0])) continue
    const value = figures[figure]
    if (value === undefined) found.push(`${figure}: no such figure was measured`)
    else if (bound === 'max' ? !(value <= bar) : !(value >= bar)) {
      found.push(`${figure} is ${value}, the bar is ${bound === 'max' ? 'at most' : 'at least'} ${bar}`)
    }
  }
  return found
}
