/** The rules for every name that a user gives: it becomes a column, a folder and a part of keys. */
import type { FaultScope } from './fault-scope.ts'
import { described } from './option-fields.ts'

const NAME = /^[a-z][a-z0-9_]{0,62}$/

/** Columns that offline tables have besides features and join keys, and the computations' name for the request. */
const RESERVED_NAMES: readonly string[] = [
  'event_timestamp',
  'created_timestamp',
  'write_position',
  'write_origin',
  'schema_id',
  'missing_features',
  'event_date',
  'request',
]

/** The one name that every JavaScript object answers to, so that records by name would seem to hold it. */
const INHERITED_NAME = 'constructor'

/** What is wrong with a name; undefined for a good one. */
export function nameProblem(name: unknown): string | undefined {
  if (typeof name !== 'string') return `expected a name, got ${described(name)}`
  if (!NAME.test(name)) {
    return `${described(name)} is not a name: lower-case letters, digits and _, a letter first, at most 63 characters`
  }
  if (name === INHERITED_NAME) return `${name} is a reserved name`
  if (name.includes('__')) return `${name} has a double underscore, which separates view and feature in column names`
  if (name.endsWith('_'))
    return `${name} ends with an underscore: before the __ of a column name it could not be read back`
  return undefined
}

/** Adds a fault for a bad name; returns what to call the thing in any case. */
export function checkName(scope: FaultScope, name: unknown): string {
  const problem = nameProblem(name)
  if (problem !== undefined) scope.add(problem)
  return typeof name === 'string' ? name : '?'
}

/** As `checkName`, for names that become columns, and aliases. */
export function checkColumnName(scope: FaultScope, name: unknown): string {
  if (typeof name === 'string' && RESERVED_NAMES.includes(name)) {
    scope.add(`${name} is a reserved name (${RESERVED_NAMES.join(', ')})`)
    return name
  }
  return checkName(scope, name)
}
