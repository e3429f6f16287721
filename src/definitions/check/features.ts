/** The features of views, the request features of on-demand views, and the types of both. */
import type { Feature } from '../../domain/registry.ts'
import { SCALAR_TYPES, type ScalarType, typeName, type ValueType } from '../../domain/value-type.ts'
import { declarationOf, type TypeDeclaration } from '../builders/declarations.ts'
import { readDefault } from './defaults.ts'
import type { FaultScope } from './fault-scope.ts'
import { FEATURES_PER_VIEW_MAX, VECTOR_LENGTH_MAX } from './limits.ts'
import { checkColumnName } from './names.ts'
import { asRecord, described, readDescription, readFields } from './option-fields.ts'

/** Stands for a type that could not be read, so that the other checks can go on. */
const UNREADABLE: ValueType = { kind: 'double' }

/** At least `countMin` features, in the order they were declared. */
export function checkFeatures(scope: FaultScope, raw: unknown, countMin: 0 | 1): Feature[] {
  const record = asRecord(raw)
  if (record === undefined || declarationOf(raw) !== undefined) {
    scope.add(`expected features by name ({ mean_delay: double(), ... }), got ${described(raw)}`)
    return []
  }
  const names = Object.keys(record)
  if (names.length < countMin) scope.add('there must be at least one feature')
  if (names.length > FEATURES_PER_VIEW_MAX) scope.add(`${names.length} features; at most ${FEATURES_PER_VIEW_MAX}`)
  return names.map((name) => checkFeature(scope.in(checkColumnName(scope.in(name), name)), name, record[name]))
}

function checkFeature(scope: FaultScope, name: string, raw: unknown): Feature {
  const declared = declarationOf(raw)
  if (declared?.kind !== 'type') {
    scope.add(`expected a type such as double(), got ${described(raw)}`)
    return { name, type: UNREADABLE }
  }
  const type = checkType(scope, declared)
  const options = readFields(scope, declared.options, ['default', 'allowNaN', 'tolerance', 'description'])
  const value =
    options['default'] === undefined ? undefined : readDefault(scope.in('default'), type, options['default'])
  return {
    name,
    type,
    ...(value === undefined ? {} : { default: value }),
    ...(readAllowNaN(scope.in('allowNaN'), type, options['allowNaN']) ? { allowNaN: true } : {}),
    ...readTolerance(scope.in('tolerance'), type, options['tolerance']),
    ...readDescription(scope, options['description']),
  }
}

/** The type of a feature or a join key; a stand-in after a fault. */
function checkType(scope: FaultScope, declared: TypeDeclaration): ValueType {
  if (declared.type === 'list') return { kind: 'list', of: checkItemType(scope, declared.parameter) }
  if (declared.type !== 'vector') return { kind: declared.type as ScalarType }
  const length = declared.parameter
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 1 || length > VECTOR_LENGTH_MAX) {
    scope.add(`a vector's length is a whole number from 1 to ${VECTOR_LENGTH_MAX}, got ${described(length)}`)
    return { kind: 'vector', length: 1 }
  }
  return { kind: 'vector', length }
}

function checkItemType(scope: FaultScope, raw: unknown): ScalarType {
  const declared = declarationOf(raw)
  const kind = declared?.kind === 'type' ? SCALAR_TYPES.find((known) => known === declared.type) : undefined
  if (declared?.kind !== 'type' || kind === undefined) {
    scope.add(`the items of a list are of one of ${SCALAR_TYPES.join(', ')}`)
    return 'double'
  }
  if (declared.options !== undefined) scope.add(`options belong to the list, not to its items: list(${kind}(), {...})`)
  return kind
}

function readAllowNaN(scope: FaultScope, type: ValueType, raw: unknown): boolean {
  if (raw === undefined) return false
  if (typeof raw !== 'boolean') scope.add(`expected true or false, got ${described(raw)}`)
  else if (raw && !isFractional(type)) scope.add(`${typeName(type)} has no NaN`)
  return raw === true
}

function readTolerance(scope: FaultScope, type: ValueType, raw: unknown): Pick<Feature, 'tolerance'> {
  if (raw === undefined) return {}
  if (typeof raw !== 'number' || !Number.isFinite(raw) || raw < 0) {
    scope.add(`a tolerance is a number from 0 on, got ${described(raw)}`)
    return {}
  }
  if (!isFractional(type))
    scope.add(`${typeName(type)} is compared exactly; only float, double and vector have a tolerance`)
  return raw === 0 ? {} : { tolerance: raw }
}

function isFractional(type: ValueType): boolean {
  return ['float', 'double', 'vector'].includes(type.kind === 'list' ? type.of : type.kind)
}
