/**
 * A view's offline table as SQL: its columns, and a relation over the Parquet files of a snapshot.
 *
 * Every file is read with the view's own schema, given in the query: a file written before a feature was added gives null
 * for it, and no file's footer has to be opened to find out. `union_by_name` was rejected because it opens all of them
 * first and knows no column that none of the files has.
 */
import type { FeatureView } from '../../domain/registry.ts'
import { type DataFile, ROW_VERSION_COLUMN, type TableScan } from '../table-jobs.ts'
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
  const byVersion = new Map<number | undefined, DataFile[]>()
  for (const file of scan.files) {
    const alike = byVersion.get(file.rowsUntilVersion) ?? []
    byVersion.set(file.rowsUntilVersion, alike)
    alike.push(file)
  }
  return [...byVersion].map(([version, files]) => filesSql(columns, files, version)).join(' UNION ALL ')
}

function filesSql(columns: readonly TableColumn[], files: readonly DataFile[], version: number | undefined): string {
  if (version === undefined) return `SELECT * FROM ${parquetSql(columns, files)}`
  const rows = parquetSql([...columns, ROW_VERSION], files)
  return `SELECT * EXCLUDE (${ROW_VERSION.name}) FROM ${rows} WHERE ${ROW_VERSION.name} <= ${version}`
}

/** The column of compacted files that is none of the table's. */
export const ROW_VERSION: TableColumn = { name: ROW_VERSION_COLUMN, type: 'BIGINT' }

/** A relation of these columns over Parquet files, null where a file does not have one; `filename` is there to be asked for. */
export function parquetSql(columns: readonly TableColumn[], files: readonly DataFile[]): string {
  const schema = columns.map(
    (column) =>
      `${literal(column.name)}: {name: ${literal(column.name)}, type: ${literal(column.type)}, default_value: NULL}`,
  )
  const paths = listLiteral(files.map((file) => file.path))
  return `read_parquet(${paths}, schema = MAP {${schema.join(', ')}}, hive_partitioning = false)`
}
