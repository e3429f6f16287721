/** Outbox rows, decoded and written as Parquet files of the view's table. */
import { DuckDBDataChunk, DuckDBListValue, type DuckDBValue } from '@duckdb/node-api'
import { decodeEntityKey, type RowKey, splitRowKey } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import {
  rowCreatedMicros,
  rowEventMicros,
  rowFault,
  rowPosition,
  rowSchemaId,
  rowValues,
} from '../../domain/row-codec.ts'
import { decodeValue } from '../../domain/value-codec.ts'
import type { AppendJob } from '../table-jobs.ts'
import { mapDuckdbError } from './duckdb-errors.ts'
import { timestampValue, toDuckdb } from './duckdb-values.ts'
import type { JobContext } from './job.ts'
import type { Session } from './session.ts'
import { identifier } from './sql.ts'
import { tableColumns } from './table-sql.ts'
import { viewLayout, writeFiles } from './table-writer.ts'

/** The most rows a DuckDB data chunk holds. */
const CHUNK_ROWS = 2048

export async function runAppend(
  session: Session,
  input: AppendJob['input'],
  context: JobContext,
): Promise<AppendJob['output']> {
  if (input.rows.length === 0) return { files: [] }
  await makeAppended(session, input)
  context.progress('writing', 0.5)
  return { files: await writeFiles(session, viewLayout(input.view), 'appended', input.outputDir) }
}

/** Makes the temporary table `appended`: the rows with the table's columns. */
export async function makeAppended(session: Session, input: Pick<AppendJob['input'], 'view' | 'rows'>): Promise<void> {
  const columns = tableColumns(input.view).map((column) => `${identifier(column.name)} ${column.type}`)
  await session.run(`CREATE TEMP TABLE appended (${columns.join(', ')})`)
  await fill(session, input)
}

async function fill(session: Session, { view, rows }: Pick<AppendJob['input'], 'view' | 'rows'>): Promise<void> {
  try {
    const appender = await session.connection.createAppender('appended')
    const types = Array.from({ length: appender.columnCount }, (_, index) => appender.columnType(index))
    for (let from = 0; from < rows.length; from += CHUNK_ROWS) {
      const chunk = DuckDBDataChunk.create(types)
      chunk.setRows(rows.slice(from, from + CHUNK_ROWS).map(({ key, row }) => tableRow(view, key as RowKey, row)))
      appender.appendDataChunk(chunk)
    }
    appender.flushSync()
    appender.closeSync()
  } catch (error) {
    throw mapDuckdbError(error)
  }
}

/** The cells of one row, in the order of `tableColumns`. */
function tableRow(view: FeatureView, key: RowKey, bytes: Uint8Array): DuckDBValue[] {
  const row = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fault = rowFault(row)
  if (fault !== undefined) throw corruptRow(view, row, fault)
  const schemaId = rowSchemaId(row)
  if (schemaId > view.schemaId) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `a row of view ${view.name} has schema ${schemaId}, these definitions end at ${view.schemaId}: apply the newer definitions here too`,
    )
  }
  const values = rowValues(row)
  const missing: string[] = []
  const cells = view.features.map((feature, ordinal) => {
    const value = decodeValue(feature.type, values[ordinal] ?? Buffer.alloc(0))
    if (value === undefined && ordinal < values.length) missing.push(feature.name)
    return toDuckdb(feature.type, value)
  })
  return [
    ...decodeEntityKey(
      view.joinKeys.map((joinKey) => joinKey.type),
      splitRowKey(key).entityKey,
    ),
    ...cells,
    timestampValue(rowEventMicros(row)),
    timestampValue(rowCreatedMicros(row)),
    BigInt(rowPosition(row)),
    'write',
    schemaId,
    missing.length === 0 ? null : new DuckDBListValue(missing),
  ]
}

function corruptRow(view: FeatureView, row: Buffer, fault: TwinstoreError): TwinstoreError {
  const where = row.length >= 26 ? ` at position ${rowPosition(row)}` : ''
  return new TwinstoreError('DATA_LOSS', `view ${view.name}, outbox row${where}: ${fault.message}`, { cause: fault })
}
