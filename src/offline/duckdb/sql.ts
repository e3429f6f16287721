/** Pieces of DuckDB SQL made from data: quoted names and literals, and the type of a feature's column. */
import type { KeyType } from '../../domain/entity-key.ts'
import type { ScalarType, ValueType } from '../../domain/value-type.ts'

/** A name as SQL: any characters, quoted. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A value as SQL; numbers must be finite. */
export function literal(value: string | number | bigint | boolean | null): string {
  if (value === null) return 'NULL'
  if (typeof value !== 'string') return String(value)
  // SQL text ends at a zero character, so that one is written as an expression.
  const parts = value.split('\0').map((part) => `'${part.replaceAll("'", "''")}'`)
  return parts.length === 1 ? parts[0]! : `(${parts.join(' || chr(0) || ')})`
}

export function listLiteral(values: readonly (string | number)[]): string {
  return `[${values.map(literal).join(', ')}]`
}

/** Microseconds since 1970-01-01 UTC as a TIMESTAMPTZ. */
export function timestampLiteral(micros: number): string {
  return `make_timestamptz(CAST(${micros} AS BIGINT))`
}

const SCALAR_COLUMN: Readonly<Record<ScalarType, string>> = {
  bool: 'BOOLEAN',
  int32: 'INTEGER',
  int64: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'VARCHAR',
  bytes: 'BLOB',
  timestamp: 'TIMESTAMPTZ',
}

/** The DuckDB type of a feature's column. A vector is a list: Parquet has no arrays of fixed length. */
export function duckdbType(type: ValueType): string {
  if (type.kind === 'vector') return 'FLOAT[]'
  return type.kind === 'list' ? `${SCALAR_COLUMN[type.of]}[]` : SCALAR_COLUMN[type.kind]
}

export function duckdbKeyType(type: KeyType): string {
  return type === 'int64' ? 'BIGINT' : 'VARCHAR'
}
