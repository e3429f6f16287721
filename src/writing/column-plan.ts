/** What each column of a write request is in the view: a join key, a feature, or a fault. */
import type { FeatureView } from '../domain/registry.ts'
import type { ValueType } from '../domain/value-type.ts'
import { nearestName } from '../lib/nearest-name.ts'
import type { FaultList } from './fault-list.ts'

export type ColumnTarget =
  | { readonly kind: 'joinKey'; readonly name: string; readonly index: number; readonly type: ValueType }
  | {
      readonly kind: 'feature'
      readonly name: string
      readonly ordinal: number
      readonly type: ValueType
      readonly allowNaN: boolean
    }
  /** A column that is a fault itself: its values are not looked at. */
  | { readonly kind: 'unknown'; readonly name: string }

/** The search for the nearest name is quadratic in the name's length and runs per fault; both are bounded. */
const NAMES_HINTED = 20
const NAME_SHOWN = 100

/** One target per column, in order; faults go to `faults`. */
export function planColumns(view: FeatureView, columns: readonly string[], faults: FaultList): readonly ColumnTarget[] {
  const known = new Map<string, ColumnTarget>()
  view.joinKeys.forEach(({ name, type }, index) => {
    known.set(name, { kind: 'joinKey', name, index, type: { kind: type } })
  })
  view.features.forEach(({ name, type, allowNaN }, ordinal) => {
    known.set(name, { kind: 'feature', name, ordinal, type, allowNaN: allowNaN === true })
  })
  const seen = new Set<string>()
  const targets = columns.map((name, index): ColumnTarget => {
    const target = known.get(name)
    if (target === undefined) {
      const hinted = faults.count < NAMES_HINTED
      faults.add(`columns[${index}]`, unknownColumn(view, name.slice(0, NAME_SHOWN), hinted ? [...known.keys()] : []))
    } else if (seen.has(name)) faults.add(`columns[${index}]`, `${name} is given twice`)
    else {
      seen.add(name)
      return target
    }
    return { kind: 'unknown', name }
  })
  for (const { name, type } of view.joinKeys) {
    if (!seen.has(name)) faults.add('columns', `the join key ${name} (${type}) of view ${view.name} is not among them`)
  }
  return targets
}

function unknownColumn(view: FeatureView, name: string, known: readonly string[]): string {
  const problem = `view ${view.name} has no join key or feature ${JSON.stringify(name)}`
  if (known.length === 0) return problem
  const nearest = nearestName(name, known)
  return nearest === undefined ? `${problem}; it has ${known.join(', ')}` : `${problem}; did you mean ${nearest}?`
}
