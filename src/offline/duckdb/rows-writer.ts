/**
 * Data sets as serialized `DatasetRows` messages (proto/twinstore/v1/offline.proto), each after its length as a big-endian
 * u32. The digest is that of the messages without the lengths, which is what a client of the stream can compute.
 *
 * A timestamp that is a feature is a `unix_timestamp_val`; any other one is an int64 of microseconds, because whole seconds
 * would make versions alike. A date is a timestamp. Null is `null_val`.
 */
import { rm } from 'node:fs/promises'
import type { ValueType } from '../../domain/value-type.ts'
import { SCALAR_OF_COLUMN_TYPE } from '../dataset-jobs.ts'
import { createDigestedFile } from './dataset-file.ts'
import { type DatasetTarget, type DatasetWriter, datasetColumns } from './dataset-output.ts'
import { type QueryColumn, selectSql } from './dataset-query.ts'
import { isTimestamp, itemType, portableColumn } from './portable-columns.ts'
import { createRowEncoder } from './row-encoder.ts'
import type { Session } from './session.ts'

/** A message ends with the row that takes it past this: far below gRPC's 4 MB, large enough that framing costs nothing. */
const MESSAGE_BYTES = 256 * 1024

export async function openRowsWriter(session: Session, target: DatasetTarget): Promise<DatasetWriter> {
  const declared = target.columns.map(rowsColumn)
  const encoder = createRowEncoder(declared.map(({ name, type }) => ({ name, type: valueTypeOf(type) })))
  const file = await createDigestedFile(target.outputFile)
  let rows = 0
  const flush = async () => {
    const message = encoder.take()
    if (message.length === 0) return
    const length = Buffer.alloc(4)
    length.writeUInt32BE(message.length)
    await file.write(length, { hashed: false })
    await file.write(message)
  }
  return {
    async write(query) {
      for await (const chunk of session.stream(selectSql(query, query.columns.map(rowsColumn)))) {
        const columns = declared.map((_, index) => chunk.getColumnVector(index))
        for (let row = 0; row < chunk.rowCount; row++) {
          encoder.begin()
          for (let index = 0; index < columns.length; index++) encoder.cell(index, columns[index]!.getItem(row))
          encoder.end()
          if (encoder.bytes >= MESSAGE_BYTES) await flush()
        }
        rows += chunk.rowCount
      }
    },
    async finish() {
      await flush()
      return { path: target.outputFile, rows, columns: datasetColumns(declared), ...(await file.close()) }
    },
    async discard() {
      await file.close()
      await rm(target.outputFile, { force: true })
    },
  }
}

function rowsColumn(column: QueryColumn): QueryColumn {
  const portable = portableColumn(column)
  const item = itemType(portable.type)
  const type = rowsType(item ?? portable.type, column.wholeSeconds === true)
  if (item === undefined) return { ...portable, type, sql: rowsSql(portable.type, type, portable.sql) }
  const sql = `list_transform(${portable.sql}, lambda item: ${rowsSql(item, type, 'item')})`
  return { ...portable, type: `${type}[]`, sql }
}

function rowsType(type: string, wholeSeconds: boolean): string {
  if (type === 'DATE') return 'TIMESTAMP WITH TIME ZONE'
  return isTimestamp(type) && !wholeSeconds ? 'BIGINT' : type
}

function rowsSql(from: string, to: string, sql: string): string {
  if (from === to) return sql
  return to === 'BIGINT' ? `epoch_us(${sql})` : `CAST(${sql} AS ${to})`
}

function valueTypeOf(type: string): ValueType {
  const item = itemType(type)
  return item === undefined
    ? { kind: SCALAR_OF_COLUMN_TYPE[type]! }
    : { kind: 'list', of: SCALAR_OF_COLUMN_TYPE[item]! }
}
