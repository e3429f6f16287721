/** Data sets in the Arrow IPC stream format, in record batches of a fixed number of rows. */
import { rm } from 'node:fs/promises'
import { AsyncByteQueue, Field, makeData, RecordBatch, RecordBatchStreamWriter, Schema, Struct } from 'apache-arrow'
import { type ArrowColumn, arrowColumn } from './arrow-columns.ts'
import { createDigestedFile } from './dataset-file.ts'
import { type DatasetTarget, type DatasetWriter, datasetColumns } from './dataset-output.ts'
import { type QueryColumn, selectSql } from './dataset-query.ts'
import { itemType, portableColumn } from './portable-columns.ts'
import type { Session } from './session.ts'

/**
 * Rows of a record batch: about 5 MB of 20 columns, enough that a reader's cost per batch does not count. Fixed, because
 * DuckDB's own chunks differ from run to run.
 */
const BATCH_ROWS = 32_768

export async function openArrowWriter(session: Session, target: DatasetTarget): Promise<DatasetWriter> {
  const declared = target.columns.map(portableColumn)
  const columns = declared.map((column) => arrowColumn(column.type))
  const fields = declared.map((column, index) => new Field(column.name, columns[index]!.type, true))
  const schema = new Schema(fields)
  const file = await createDigestedFile(target.outputFile)
  const ipc = createIpcStream(schema)
  let rows = 0
  let batchRows = 0
  const flush = async () => {
    if (batchRows > 0) await file.write(ipc.encode(recordBatch(schema, columns, batchRows)))
    batchRows = 0
  }
  return {
    async write(query) {
      for await (const chunk of session.stream(selectSql(query, query.columns.map(portableColumn).map(arrowInput)))) {
        for (let from = 0; from < chunk.rowCount; ) {
          const until = Math.min(chunk.rowCount, from + BATCH_ROWS - batchRows)
          for (let index = 0; index < columns.length; index++) {
            const vector = chunk.getColumnVector(index)
            const column = columns[index]!
            for (let row = from; row < until; row++) column.push(vector.getItem(row))
          }
          batchRows += until - from
          rows += until - from
          from = until
          if (batchRows === BATCH_ROWS) await flush()
        }
      }
    },
    async finish() {
      await flush()
      await file.write(ipc.end())
      return { path: target.outputFile, rows, columns: datasetColumns(declared), ...(await file.close()) }
    },
    async discard() {
      await file.close()
      await rm(target.outputFile, { force: true })
    },
  }
}

/** What `arrowColumn` wants: timestamps as microseconds, dates as days. */
function arrowInput(column: QueryColumn): QueryColumn {
  const item = itemType(column.type)
  if (item === undefined) return { ...column, sql: inputSql(column.type, column.sql) }
  const itemSql = inputSql(item, 'item')
  return itemSql === 'item' ? column : { ...column, sql: `list_transform(${column.sql}, lambda item: ${itemSql})` }
}

function inputSql(type: string, sql: string): string {
  if (type.startsWith('TIMESTAMP')) return `epoch_us(${sql})`
  return type === 'DATE' ? `CAST(${sql} - DATE '1970-01-01' AS INTEGER)` : sql
}

function recordBatch(schema: Schema, columns: readonly ArrowColumn[], rows: number): RecordBatch {
  const children = columns.map((column) => column.take())
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children }))
}

/** The library's writer over a sink that hands its bytes out at once: the sink it comes with is a queue without a bound. */
function createIpcStream(schema: Schema) {
  let pending: Uint8Array[] = []
  const sink = new AsyncByteQueue()
  sink.write = (bytes: Uint8Array) => {
    pending.push(bytes)
  }
  const taken = () => {
    const bytes = Buffer.concat(pending)
    pending = []
    return bytes
  }
  const writer = new RecordBatchStreamWriter({ autoDestroy: false })
  writer.reset(sink, schema)
  return {
    encode(batch: RecordBatch): Uint8Array {
      writer.write(batch)
      return taken()
    },
    end(): Uint8Array {
      writer.finish()
      return taken()
    },
  }
}
