/** Entity columns of a request as join-key values of a view. */

import type { KeyType, KeyValue } from '../domain/entity-key.ts'
import { type Fault, faultsError } from '../domain/errors.ts'
import type { JoinKey } from '../domain/registry.ts'
import { knownNames } from '../lib/nearest-name.ts'

/** A named column as an edge decoded it, with the name of the form its values came in. */
export interface EntityColumn {
  readonly name: string
  readonly values: readonly unknown[]
}

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

/**
 * One list of key values per entity, in the order of `joinKeys`. INVALID_ARGUMENT naming every fault: unknown, doubled and
 * missing columns, columns of different lengths, values of the wrong type.
 */
export function keyRows(joinKeys: readonly JoinKey[], columns: readonly EntityColumn[]): KeyValue[][] {
  const faults: Fault[] = []
  const byName = new Map<string, EntityColumn>()
  const known = joinKeys.map((key) => key.name)
  for (const column of columns) {
    const at = `column ${JSON.stringify(column.name)}`
    if (!known.includes(column.name)) faults.push({ at, problem: `not a join key${knownNames(column.name, known)}` })
    else if (byName.has(column.name)) faults.push({ at, problem: 'given twice' })
    byName.set(column.name, column)
  }
  const rowCount = columns[0]?.values.length ?? 0
  const keyColumns = joinKeys.map((key) => keyColumn(key, byName.get(key.name), rowCount, faults))
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'the entity columns are wrong:', faults)
  return Array.from({ length: rowCount }, (_, row) => keyColumns.map((values) => values[row]!))
}

function keyColumn(key: JoinKey, column: EntityColumn | undefined, rowCount: number, faults: Fault[]): KeyValue[] {
  const at = `column ${JSON.stringify(key.name)}`
  if (column === undefined) {
    faults.push({ at, problem: `missing: it is a join key of type ${key.type}` })
    return []
  }
  if (column.values.length !== rowCount) {
    faults.push({ at, problem: `${column.values.length} values, but the first column has ${rowCount}` })
    return []
  }
  const values: KeyValue[] = []
  for (const [row, raw] of column.values.entries()) {
    const value = keyValue(key.type, raw)
    if (value === undefined)
      faults.push({ at: `${at}, row ${row}`, problem: `expected ${key.type}, got ${shown(raw)}` })
    else values.push(value)
  }
  return values
}

function keyValue(type: KeyType, raw: unknown): KeyValue | undefined {
  if (type === 'string') return typeof raw === 'string' && raw.isWellFormed() ? raw : undefined
  if (typeof raw === 'bigint') return raw >= INT64_MIN && raw <= INT64_MAX ? raw : undefined
  return typeof raw === 'number' && Number.isSafeInteger(raw) ? BigInt(raw) : undefined
}

function shown(raw: unknown): string {
  if (raw === null || raw === undefined) return 'null'
  return typeof raw === 'symbol' ? raw.description! : `${typeof raw} ${String(raw).slice(0, 40)}`
}
