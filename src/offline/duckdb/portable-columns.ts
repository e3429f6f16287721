/**
 * Columns of any DuckDB type as the few that Arrow files and `DatasetRows` messages carry: BOOLEAN, INTEGER, BIGINT, FLOAT,
 * DOUBLE, VARCHAR, BLOB, DATE, TIMESTAMP, TIMESTAMP WITH TIME ZONE and lists of these. Smaller integers are widened;
 * what has no exact counterpart (HUGEINT, DECIMAL, UUID, STRUCT, ...) becomes text, which loses nothing.
 */
import type { QueryColumn } from './dataset-query.ts'

const KEPT = ['BOOLEAN', 'INTEGER', 'BIGINT', 'FLOAT', 'DOUBLE', 'VARCHAR', 'BLOB', 'DATE', 'TIMESTAMP']

const WIDENED: Readonly<Record<string, string>> = {
  TINYINT: 'INTEGER',
  SMALLINT: 'INTEGER',
  UTINYINT: 'INTEGER',
  USMALLINT: 'INTEGER',
  UINTEGER: 'BIGINT',
  TIMESTAMP_S: 'TIMESTAMP',
  TIMESTAMP_MS: 'TIMESTAMP',
  TIMESTAMP_NS: 'TIMESTAMP',
  'TIMESTAMP WITH TIME ZONE': 'TIMESTAMP WITH TIME ZONE',
}

export function portableColumn(column: QueryColumn): QueryColumn {
  const type = portableType(column.type)
  return type === column.type ? column : { ...column, type, sql: `CAST(${column.sql} AS ${type})` }
}

function portableType(type: string): string {
  if (KEPT.includes(type)) return type
  const item = itemType(type)
  if (item === undefined) return WIDENED[type] ?? 'VARCHAR'
  return itemType(item) === undefined ? `${portableType(item)}[]` : 'VARCHAR'
}

/** The type of a list's items; undefined if the type is not a list. */
export function itemType(type: string): string | undefined {
  return /^(.*)\[\d*\]$/s.exec(type)?.[1]
}

export function isTimestamp(type: string): boolean {
  return type === 'TIMESTAMP' || type === 'TIMESTAMP WITH TIME ZONE'
}
