/** A spine in an Arrow IPC file or stream as a DuckDB table, batch by batch. */
import { createReadStream } from 'node:fs'
import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBDataChunk,
  DuckDBDateValue,
  DuckDBListValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  type DuckDBValue,
  FLOAT,
  INTEGER,
  LIST,
  TIMESTAMP,
  TIMESTAMPTZ,
  UBIGINT,
  VARCHAR,
} from '@duckdb/node-api'
import { DataType, type Field, Precision, RecordBatchReader, type Schema, type Vector } from 'apache-arrow'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Session } from './session.ts'
import { identifier } from './sql.ts'

/** The most rows a DuckDB data chunk holds. */
const CHUNK_ROWS = 2048

interface ArrowInput {
  readonly duckdbType: DuckDBType
  /** A value as apache-arrow gives it, never null. */
  convert(value: unknown): DuckDBValue
}

/** Loads the file, or one column of it, and returns the name of the table; undefined if there is no such column. */
export async function loadArrowSpine(session: Session, file: string, only?: string): Promise<string | undefined> {
  const reader = await openReader(file)
  const wanted = reader.schema.fields.flatMap((field: Field, index: number) =>
    only === undefined || field.name === only ? [{ field, index, ...arrowInput(field) }] : [],
  )
  if (wanted.length === 0) {
    await reader.cancel()
    return undefined
  }
  const columns = wanted.map(({ field, duckdbType }) => `${identifier(field.name)} ${duckdbType}`)
  await session.run(`CREATE TEMP TABLE arrow_spine (${columns.join(', ')})`, { subject: 'the spine' })
  const appender = await session.connection.createAppender('arrow_spine')
  const types = wanted.map((input) => input.duckdbType)
  for await (const batch of reader) {
    for (let from = 0; from < batch.numRows; from += CHUNK_ROWS) {
      const rows = Math.min(CHUNK_ROWS, batch.numRows - from)
      const chunk = DuckDBDataChunk.create(types, rows)
      wanted.forEach((input, place) => {
        chunk.setColumnValues(place, columnValues(batch.getChildAt(input.index)!, input, from, rows))
      })
      appender.appendDataChunk(chunk)
    }
    appender.flushSync()
  }
  appender.closeSync()
  return 'arrow_spine'
}

async function openReader(file: string) {
  try {
    const reader = await RecordBatchReader.from(createReadStream(file))
    await reader.open()
    if ((reader.schema as Schema | undefined) === undefined) throw new Error('no schema')
    return reader
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    throw new TwinstoreError('INVALID_ARGUMENT', `the spine is not an Arrow IPC file or stream: ${detail}`, {
      cause: error,
    })
  }
}

function columnValues(vector: Vector, input: ArrowInput, from: number, rows: number): DuckDBValue[] {
  return Array.from({ length: rows }, (_, row) => {
    const value: unknown = vector.get(from + row)
    return value === null || value === undefined ? null : input.convert(value)
  })
}

function arrowInput(field: Field): ArrowInput {
  const { type } = field
  const input = DataType.isDictionary(type) ? scalarInput(type.dictionary) : scalarInput(type)
  if (input !== undefined) return input
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) {
    const item = scalarInput(type.children[0]!.type)
    if (item !== undefined) return listInput(item)
  }
  throw new TwinstoreError(
    'INVALID_ARGUMENT',
    `the spine's column ${field.name} has the Arrow type ${type}, which is not supported: cast it, or send Parquet`,
  )
}

function listInput(item: ArrowInput): ArrowInput {
  return {
    duckdbType: LIST(item.duckdbType),
    convert: (value) =>
      new DuckDBListValue(
        [...(value as Iterable<unknown>)].map((entry) => (entry === null ? null : item.convert(entry))),
      ),
  }
}

function scalarInput(type: DataType): ArrowInput | undefined {
  if (DataType.isInt(type)) return integerInput(type.bitWidth, type.isSigned)
  if (DataType.isFloat(type)) {
    return { duckdbType: type.precision === Precision.DOUBLE ? DOUBLE : FLOAT, convert: Number }
  }
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return { duckdbType: VARCHAR, convert: String }
  if (DataType.isBool(type)) return { duckdbType: BOOLEAN, convert: Boolean }
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) {
    return { duckdbType: BLOB, convert: (value) => new DuckDBBlobValue(value as Uint8Array) }
  }
  // apache-arrow gives dates and timestamps as milliseconds.
  if (DataType.isDate(type)) {
    return { duckdbType: DATE, convert: (value) => new DuckDBDateValue(Math.floor(Number(value) / 86_400_000)) }
  }
  if (!DataType.isTimestamp(type)) return undefined
  const micros = (value: unknown) => BigInt(Math.round(Number(value) * 1000))
  return type.timezone
    ? { duckdbType: TIMESTAMPTZ, convert: (value) => new DuckDBTimestampTZValue(micros(value)) }
    : { duckdbType: TIMESTAMP, convert: (value) => new DuckDBTimestampValue(micros(value)) }
}

function integerInput(bits: number, signed: boolean): ArrowInput {
  if (bits === 64) return { duckdbType: signed ? BIGINT : UBIGINT, convert: (value) => BigInt(value as bigint) }
  if (bits === 32 && !signed) return { duckdbType: BIGINT, convert: (value) => BigInt(value as number) }
  return { duckdbType: INTEGER, convert: Number }
}
