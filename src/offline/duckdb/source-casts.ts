/**
 * How a column of a view's source becomes a column of its table: only where no value can change.
 *
 * Some casts are safe by type (INTEGER to BIGINT). Others are safe for the values they usually meet (HUGEINT, which
 * DuckDB's `sum` gives, to BIGINT; DECIMAL literals to DOUBLE): they are tried, and a value that would change is a fault.
 * Casts that usually lose something (DOUBLE to FLOAT, text to numbers) are the author's to write.
 */
import type { ValueType } from '../../domain/value-type.ts'
import { duckdbType } from './sql.ts'

export interface SourceCast {
  /** The column as its table type; null where it cannot be. */
  readonly valueSql: string
  /** True for a value that the cast would change; undefined if it can change none. */
  readonly lossSql?: string
}

const INTEGERS = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT']
const LOCAL_TIMES = ['TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'DATE']

/** Undefined if a column of type `from` (as DESCRIBE names it) cannot be a feature of type `to`. */
export function featureCast(columnSql: string, from: string, to: ValueType): SourceCast | undefined {
  if (to.kind === 'timestamp') {
    const cast = timestampCast(columnSql, from)
    return cast && { ...cast, valueSql: `date_trunc('second', ${cast.valueSql})` }
  }
  if (to.kind !== 'list' && to.kind !== 'vector') return scalarCast(columnSql, from, duckdbType(to))
  const item = /^(.*)\[\d*\]$/s.exec(from)?.[1]
  if (item === undefined) return undefined
  const target = duckdbType(to)
  if (to.kind === 'list' && to.of === 'timestamp') {
    const cast = timestampCast('item', item)
    if (cast === undefined) return undefined
    return { valueSql: `list_transform(${columnSql}, lambda item: date_trunc('second', ${cast.valueSql}))` }
  }
  const kind = castKind(item, target.slice(0, -'[]'.length))
  if (kind === 'never') return undefined
  return kind === 'always'
    ? { valueSql: `CAST(${columnSql} AS ${target})` }
    : checkedCast(columnSql, `${item}[]`, target)
}

/** A zoneless timestamp is taken as UTC, a date as its UTC midnight. */
export function timestampCast(columnSql: string, from: string): SourceCast | undefined {
  if (from === 'TIMESTAMP WITH TIME ZONE') return { valueSql: columnSql }
  if (LOCAL_TIMES.includes(from)) return { valueSql: `(CAST(${columnSql} AS TIMESTAMP) AT TIME ZONE 'UTC')` }
  return undefined
}

/** `to` is a DuckDB type name. */
export function scalarCast(columnSql: string, from: string, to: string): SourceCast | undefined {
  const kind = castKind(from, to)
  if (kind === 'never') return undefined
  return kind === 'always' ? { valueSql: `CAST(${columnSql} AS ${to})` } : checkedCast(columnSql, from, to)
}

function checkedCast(columnSql: string, from: string, to: string): SourceCast {
  const valueSql = `TRY_CAST(${columnSql} AS ${to})`
  return { valueSql, lossSql: `TRY_CAST(${valueSql} AS ${from}) IS DISTINCT FROM ${columnSql}` }
}

function castKind(from: string, to: string): 'always' | 'checked' | 'never' {
  if (from === to) return 'always'
  if (to === 'VARCHAR') return from.startsWith('ENUM(') ? 'always' : 'never'
  if (to === 'DOUBLE' && from === 'FLOAT') return 'always'
  if (INTEGERS.includes(from)) return ['INTEGER', 'BIGINT', 'FLOAT', 'DOUBLE'].includes(to) ? 'checked' : 'never'
  if (from.startsWith('DECIMAL(') && to === 'DOUBLE') return 'checked'
  return 'never'
}
