/**
 * The schema of a view's table as Delta records it ("Schema Serialization Format" in the protocol).
 *
 * Every column is nullable: a NOT NULL column would be a constraint that other writers must enforce, and Parquet files
 * written before a feature was added do not have its column at all.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import type { ScalarType, ValueType } from '../../domain/value-type.ts'
import { asObject, FieldFault } from './json-fields.ts'

/** A primitive type's name, or an array, map or struct description. */
export type ColumnType = string | { readonly type: string; readonly [field: string]: unknown }

export interface Column {
  readonly name: string
  readonly type: ColumnType
  readonly nullable: boolean
  readonly metadata: Readonly<Record<string, unknown>>
}

export const PARTITION_COLUMN = 'event_date'

const SCALAR_COLUMN: Readonly<Record<ScalarType, string>> = {
  bool: 'boolean',
  int32: 'integer',
  int64: 'long',
  float: 'float',
  double: 'double',
  string: 'string',
  bytes: 'binary',
  timestamp: 'timestamp',
}

const SYSTEM_COLUMNS: readonly Column[] = [
  column('event_timestamp', 'timestamp'),
  column('created_timestamp', 'timestamp'),
  column('write_position', 'long'),
  column('write_origin', 'string'),
  column('schema_id', 'integer'),
  column('missing_features', arrayOf('string')),
  column(PARTITION_COLUMN, 'date'),
]

/** All columns of the view's table, in order, the partition column last. */
export function viewColumns(view: Pick<FeatureView, 'name' | 'joinKeys' | 'features'>): readonly Column[] {
  const columns = [
    ...view.joinKeys.map((key) => column(key.name, SCALAR_COLUMN[key.type])),
    ...view.features.map((feature) => column(feature.name, columnType(feature.type), feature.description)),
    ...SYSTEM_COLUMNS,
  ]
  checkDistinct(view.name, columns)
  return columns
}

export function schemaString(columns: readonly Column[]): string {
  return JSON.stringify({ type: 'struct', fields: columns })
}

/** The columns of a schema string; DATA_LOSS naming the table if it is not one. */
export function parseSchema(table: string, text: string): readonly Column[] {
  try {
    const { fields } = asObject(JSON.parse(text), 'the schema')
    if (!Array.isArray(fields)) throw new FieldFault('fields is not a list')
    return fields.map((field: unknown, index) => {
      const { name, type, nullable, metadata } = asObject(field, `field ${index}`)
      if (typeof name !== 'string') throw new FieldFault(`field ${index} has no name`)
      const known = typeof type === 'string' ? type : (asObject(type, `type of ${name}`) as ColumnType)
      return { name, type: known, nullable: nullable !== false, metadata: asObject(metadata ?? {}, 'metadata') }
    })
  } catch (cause) {
    if (!(cause instanceof FieldFault || cause instanceof SyntaxError)) throw cause
    throw new TwinstoreError('DATA_LOSS', `Delta table ${table}: schema: ${cause.message}`, { cause })
  }
}

/**
 * The columns that a table with `existing` needs to take rows of `wanted`, or undefined if it has them all. Columns that
 * only the table has stay, so that servers with older and newer definitions agree on the outcome. Throws
 * FAILED_PRECONDITION for a column whose type differs.
 */
export function evolvedColumns(
  table: string,
  existing: readonly Column[],
  wanted: readonly Column[],
): readonly Column[] | undefined {
  const byName = new Map(existing.map((found) => [found.name, found]))
  for (const { name, type } of wanted) {
    const found = byName.get(name)
    if (found === undefined || typeText(found.type) === typeText(type)) continue
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `Delta table ${table}: column ${name} is ${typeText(found.type)} and the view's is ${typeText(type)}; ` +
        'raise the version of the view to start a new table',
    )
  }
  if (wanted.every(({ name }) => byName.has(name))) return undefined
  const wantedNames = new Set(wanted.map(({ name }) => name))
  const evolved = [
    ...wanted.map((want) => byName.get(want.name) ?? want),
    ...existing.filter(({ name }) => !wantedNames.has(name)),
  ]
  checkDistinct(table, evolved)
  return evolved
}

function column(name: string, type: ColumnType, comment?: string): Column {
  return { name, type, nullable: true, metadata: comment === undefined ? {} : { comment } }
}

function columnType(type: ValueType): ColumnType {
  if (type.kind === 'list') return arrayOf(SCALAR_COLUMN[type.of])
  if (type.kind === 'vector') return arrayOf('float')
  return SCALAR_COLUMN[type.kind]
}

function arrayOf(elementType: string): ColumnType {
  return { type: 'array', elementType, containsNull: true }
}

/** A type as text, for comparing and showing: `long`, `array<float>`. Another engine may write the fields of an array type in another order. */
export function typeText(type: ColumnType): string {
  if (typeof type === 'string') return type
  if (type.type === 'array') return `array<${typeText(type['elementType'] as ColumnType)}>`
  return JSON.stringify(type)
}

/** The protocol wants names that are distinct regardless of case. */
function checkDistinct(table: string, columns: readonly Column[]): void {
  const seen = new Map<string, string>()
  for (const { name } of columns) {
    const other = seen.get(name.toLowerCase())
    if (other !== undefined) {
      throw new TwinstoreError(
        'FAILED_PRECONDITION',
        `${table}: columns ${other} and ${name} differ in case only, which a Delta table cannot hold; rename one`,
      )
    }
    seen.set(name.toLowerCase(), name)
  }
}
