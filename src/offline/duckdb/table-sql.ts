/**
 * A view's offline table as SQL: its columns, and a relation over the Parquet files of a snapshot.
 *
 * Every file is read with the view's own schema, given in the query: a file written before a feature was added gives null
 * for it, and no file's footer has to be opened to find out. `union_by_name` was rejected because it opens all of them
 * first and knows no column that none of the files has.
 */
import type { FeatureView } from '../../domain/registry.ts'
import type { TableScan } from '../table-jobs.ts'
import { duckdbKeyType, duckdbType, identifier, listLiteral, literal } from './sql.ts'

export interface TableColumn {
  readonly name: string
  /** A DuckDB type name. */
  readonly type: string
}

/** The columns that every table has after the join keys and features. */
export const SYSTEM_COLUMNS: readonly TableColumn[] = [
  { name: 'event_timestamp', type: 'TIMESTAMPTZ' },
  { name: 'created_timestamp', type: 'TIMESTAMPTZ' },
  { name: 'write_position', type: 'BIGINT' },
  { name: 'write_origin', type: 'VARCHAR' },
  { name: 'schema_id', type: 'INTEGER' },
  { name: 'missing_features', type: 'VARCHAR[]' },
]

/** All columns of the view's table, in order. */
export function tableColumns(view: FeatureView): readonly TableColumn[] {
  return [
    ...view.joinKeys.map((key) => ({ name: key.name, type: duckdbKeyType(key.type) })),
    ...view.features.map((feature) => ({ name: feature.name, type: duckdbType(feature.type) })),
    ...SYSTEM_COLUMNS,
  ]
}

/** A SELECT of exactly `tableColumns`, in order, over the scan's files; an empty relation of these types if there are none. */
export function tableSql(scan: TableScan): string {
  const columns = tableColumns(scan.view)
  if (scan.files.length === 0) {
    const nulls = columns.map((column) => `NULL::${column.type} AS ${identifier(column.name)}`)
    return `SELECT ${nulls.join(', ')} WHERE false`
  }
  const schema = columns.map(
    (column) =>
      `${literal(column.name)}: {name: ${literal(column.name)}, type: ${literal(column.type)}, default_value: NULL}`,
  )
  const files = listLiteral(scan.files.map((file) => file.path))
  return `SELECT * FROM read_parquet(${files}, schema = MAP {${schema.join(', ')}}, hive_partitioning = false)`
}
