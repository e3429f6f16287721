/** What a data set is made of before it has a format: named, typed SQL columns over an ordered relation. */
import { identifier } from './sql.ts'

export interface QueryColumn {
  readonly name: string
  /** A DuckDB type name, as DESCRIBE gives it. */
  readonly type: string
  readonly sql: string
  /** True for a timestamp that holds whole seconds, as features of type timestamp do. */
  readonly wholeSeconds?: boolean
}

export interface DatasetQuery {
  readonly columns: readonly QueryColumn[]
  readonly from: string
  /** Must order the rows totally: the bytes of a file follow from it. */
  readonly orderBy: string
}

export function selectSql(query: DatasetQuery, columns: readonly QueryColumn[] = query.columns): string {
  const list = columns.map((column) => `${column.sql} AS ${identifier(column.name)}`).join(', ')
  return `SELECT ${list} FROM ${query.from} ORDER BY ${query.orderBy}`
}
