/**
 * The bars that figures must not fall short of: `bench/budget.json`, by figure with `_max` or `_min` after its name.
 */
import { readFileSync } from 'node:fs'

const BUDGET = new URL('../budget.json', import.meta.url)

/** Every bar of these scenarios, with what was measured: `{ figure, bound, bar, value, met }`; of others nothing is said. */
export function heldAgainst(figures, scenarios) {
  const budget = JSON.parse(readFileSync(BUDGET, 'utf8'))
  const held = Object.entries(budget).map(([entry, bar]) => {
    const [, figure, bound] = /^(.+)_(max|min)$/.exec(entry) ?? []
    if (figure === undefined) throw new Error(`budget.json: ${entry} must end in _max or _min`)
    const value = figures[figure]
    return { figure, bound, bar, value, met: bound === 'max' ? value <= bar : value >= bar }
  })
  return held.filter(({ figure }) => scenarios.includes(figure.split('.')[0]))
}
