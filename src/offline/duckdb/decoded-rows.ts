/**
 * Encoded rows as a relation of SQL with the columns of the view's table: decoded into one plain Parquet file, which DuckDB then
 * reads as it does any file. Memory is bounded by a row group, whatever the number of rows.
 */
import { rm } from 'node:fs/promises'
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { ParquetFile } from '../parquet/parquet-file.ts'
import { RowColumns } from '../parquet/row-columns.ts'
import { growingRowSpoolPieces } from '../row-spool.ts'
import { identifier, literal } from './sql.ts'
import { tableColumns } from './table-sql.ts'

/** Larger row groups are not read faster. */
const ROW_GROUP_BYTES = 16 << 20
const ROW_GROUP_ROWS = 122_880
/** Of every row that was in an outbox. */
const ORIGIN = "'write'"

export interface DecodedRows {
  readonly rows: number
  /** A SELECT of the table's columns. */
  readonly sql: string
  /** Those of them that have one value in all rows; see `FileLayout`. */
  readonly constants: Readonly<Record<string, string>>
}

/** Gives `work` the rows of a row spool, which may still be written; what they are decoded into is beside it, and gone afterwards. */
export async function withDecodedRows<T>(
  { view, rowsFile }: { readonly view: FeatureView; readonly rowsFile: string },
  signal: AbortSignal,
  work: (decoded: DecodedRows) => Promise<T>,
): Promise<T> {
  const plainFile = `${rowsFile}.parquet`
  try {
    const columns = new RowColumns(view)
    const rows = await decode(columns, rowsFile, plainFile, signal)
    return await work({ rows, sql: rowsSql(view, plainFile), constants: constantsOf(columns) })
  } finally {
    await rm(plainFile, { force: true })
  }
}

async function decode(columns: RowColumns, rowsFile: string, plainFile: string, signal: AbortSignal): Promise<number> {
  const parquet = await ParquetFile.create(plainFile, columns.all)
  try {
    let total = 0
    let held = 0
    for await (const piece of growingRowSpoolPieces(rowsFile, signal)) {
      if (signal.aborted) throw new TwinstoreError('CANCELLED', 'the work was cancelled')
      held += columns.takePiece(piece)
      if (held < ROW_GROUP_ROWS && columns.bytes < ROW_GROUP_BYTES) continue
      await parquet.writeRowGroup(held)
      total += held
      held = 0
    }
    if (held > 0) await parquet.writeRowGroup(held)
    await parquet.finish()
    return total + held
  } finally {
    await parquet.close()
  }
}

function constantsOf({ schemaOfAll, areComplete }: RowColumns): Readonly<Record<string, string>> {
  return {
    write_origin: ORIGIN,
    ...(schemaOfAll === undefined ? {} : { schema_id: `CAST(${schemaOfAll} AS INTEGER)` }),
    ...(areComplete ? { missing_features: 'CAST(NULL AS VARCHAR[])' } : {}),
  }
}

/** The plain file has all columns but the origin. */
function rowsSql(view: FeatureView, plainFile: string): string {
  const columns = tableColumns(view).map(({ name }) =>
    name === 'write_origin' ? `${ORIGIN} AS write_origin` : identifier(name),
  )
  return `SELECT ${columns.join(', ')} FROM read_parquet(${literal(plainFile)}, hive_partitioning = false)`
}
