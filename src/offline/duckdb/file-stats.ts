/**
 * Delta's statistics of a written file, from what DuckDB's COPY returns about its columns.
 *
 * A minimum or maximum is exact or left out: for types that JSON cannot carry exactly (bytes, int64 beyond 2^53, NaN and
 * infinities), for lists, and for long strings, which would swell the log more than they help to skip files.
 */
import type { DuckDBMapValue, DuckDBValue } from '@duckdb/node-api'
import type { FileStats } from '../table-jobs.ts'
import type { TableColumn } from './table-sql.ts'

/** DuckDB shortens what is longer than 256 bytes to a bound that is not exact. Join keys are rarely near half of that. */
const STRING_STATS_BYTES_MAX = 128

/** `statistics` is the `column_statistics` cell: per quoted column name, properties by name, all of them text. */
export function fileStats(columns: readonly TableColumn[], numRecords: number, statistics: DuckDBMapValue): FileStats {
  const byColumn = new Map(statistics.entries.map(({ key, value }) => [key as string, value as DuckDBMapValue]))
  const minValues: Record<string, unknown> = {}
  const maxValues: Record<string, unknown> = {}
  const nullCount: Record<string, number> = {}
  for (const { name, type } of columns) {
    const found = byColumn.get(`"${name.replaceAll('"', '""')}"`)
    if (found === undefined) continue
    const properties = new Map<DuckDBValue, string>(found.entries.map(({ key, value }) => [key, value as string]))
    nullCount[name] = Number(properties.get('null_count') ?? 0)
    if (properties.get('has_nan') === 'true') continue
    const min = boundary(type, properties.get('min'))
    const max = boundary(type, properties.get('max'))
    if (min === undefined || max === undefined) continue
    minValues[name] = min
    maxValues[name] = max
  }
  return { numRecords, minValues, maxValues, nullCount }
}

function boundary(type: string, text: string | undefined): string | number | undefined {
  if (text === undefined) return undefined
  switch (type) {
    case 'VARCHAR':
      return Buffer.byteLength(text) <= STRING_STATS_BYTES_MAX ? text : undefined
    case 'TIMESTAMPTZ':
      return `${text.slice(0, -'+00'.length).replace(' ', 'T')}Z`
    case 'FLOAT':
      return finite(Math.fround(Number(text)))
    case 'DOUBLE':
      return finite(Number(text))
    case 'INTEGER':
    case 'BIGINT':
      return Number.isSafeInteger(Number(text)) ? Number(text) : undefined
    default:
      return undefined
  }
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}
