import type { RowKey } from '../domain/entity-key.ts'
import { type Fault, faultsError } from '../domain/errors.ts'
import type { EntityColumns } from './entity-columns.ts'
import type { Plan, UsePlan } from './plan.ts'

/** The keys of all rows an answer is made from, by entity row, then use. INVALID_ARGUMENT names entities with too long keys. */
export function rowKeys(plan: Plan, columns: EntityColumns, entityKeyBytesMax: number): RowKey[] {
  const { uses } = plan
  const { rowCount } = columns
  const keys = new Array<RowKey>(rowCount * uses.length)
  const faults: Fault[] = []
  for (let use = 0; use < uses.length; use++) {
    const { keyPrefix, keyColumns } = uses[use]!
    const first = columns.keyParts[keyColumns[0]!]!
    const lengthMax = keyPrefix.length + entityKeyBytesMax
    for (let row = 0, slot = use; row < rowCount; row++, slot += uses.length) {
      let key = keyPrefix + first[row]!
      for (let column = 1; column < keyColumns.length; column++) key += columns.keyParts[keyColumns[column]!]![row]!
      if (key.length > lengthMax)
        faults.push(tooLong(uses[use]!, row, key.length - keyPrefix.length, entityKeyBytesMax))
      keys[slot] = key as RowKey
    }
  }
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'entity keys are too long:', faults)
  return keys
}

function tooLong(use: UsePlan, row: number, length: number, entityKeyBytesMax: number): Fault {
  const problem = `its key for ${use.use.as} takes ${length} bytes, more than ${entityKeyBytesMax} (entity-key-bytes-max)`
  return { at: `entities[${row}]`, problem }
}
