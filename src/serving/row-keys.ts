import type { RowKey } from '../domain/entity-key.ts'
import { type Fault, faultsError } from '../domain/errors.ts'
import type { EntityColumns } from './entity-columns.ts'
import { keyParts } from './key-column.ts'
import type { KnownKeys } from './known-keys.ts'
import type { Plan, UsePlan } from './plan.ts'

/** The keys of all rows an answer is made from, by entity row, then use. INVALID_ARGUMENT names entities with too long keys. */
export function rowKeys(
  plan: Plan,
  columns: EntityColumns,
  entityKeyBytesMax: number,
  known: KnownKeys,
): readonly RowKey[] {
  const { uses } = plan
  const keysOfUses = uses.map((use) => keysOf(use, columns, known))
  checkLengths(uses, keysOfUses, entityKeyBytesMax)
  if (uses.length === 1) return keysOfUses[0]!
  const keys = new Array<RowKey>(columns.rowCount * uses.length)
  for (let use = 0; use < uses.length; use++) {
    const keysOfUse = keysOfUses[use]!
    for (let row = 0, slot = use; row < keysOfUse.length; row++, slot += uses.length) keys[slot] = keysOfUse[row]!
  }
  return keys
}

/** One per entity row. */
function keysOf({ keyPrefix, keyColumns }: UsePlan, columns: EntityColumns, known: KnownKeys): readonly RowKey[] {
  const first = columns.keys[keyColumns[0]!]!
  if (keyColumns.length === 1 && 'starts' in first) return known.of(keyPrefix, first.bytes, first.starts)
  const [firstParts, ...others] = keyColumns.map((column) => keyParts(columns.keys[column]!))
  return firstParts!.map((part, row) => {
    let key = keyPrefix + part
    for (const parts of others) key += parts[row]!
    return key as RowKey
  })
}

function checkLengths(
  uses: readonly UsePlan[],
  keysOfUses: readonly (readonly RowKey[])[],
  entityKeyBytesMax: number,
): void {
  const faults: Fault[] = []
  for (let use = 0; use < uses.length; use++) {
    const { keyPrefix } = uses[use]!
    const keys = keysOfUses[use]!
    const lengthMax = keyPrefix.length + entityKeyBytesMax
    for (let row = 0; row < keys.length; row++) {
      if (keys[row]!.length > lengthMax)
        faults.push(tooLong(uses[use]!, row, keys[row]!.length - keyPrefix.length, entityKeyBytesMax))
    }
  }
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'entity keys are too long:', faults)
}

function tooLong(use: UsePlan, row: number, length: number, entityKeyBytesMax: number): Fault {
  const problem = `its key for ${use.use.as} takes ${length} bytes, more than ${entityKeyBytesMax} (entity-key-bytes-max)`
  return { at: `entities[${row}]`, problem }
}
