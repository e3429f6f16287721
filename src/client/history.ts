/** GetHistory: the versions of one entity's row, newest first. */

import type { ColumnSchema } from '../domain/description.ts'
import { decodeValue } from '../domain/value-codec.ts'
import { parseTypeName } from '../domain/value-type.ts'
import { lengthField, WireReader } from '../lib/wire.ts'
import { encodeColumns, rowsToColumns } from './columns.ts'
import { columnTypes, type DescriptionCache } from './description.ts'
import { micros } from './export.ts'
import { type PlainValue, toPlain } from './plain-value.ts'
import { decodeMessage, encodeMessage, methodPath, readingAnswer } from './protocol.ts'
import type { CallOptions, Transport } from './transport.ts'
import { type VersionMarks, versionMarks } from './version-marks.ts'

export interface HistoryOptions extends CallOptions {
  /** Only rows with an event timestamp up to this: a Date, or microseconds as a bigint. */
  readonly asOfEvent?: Date | bigint
  /** Only rows recorded up to this: what was known then. */
  readonly asOfRecorded?: Date | bigint
  /** 100 unless given. */
  readonly limit?: number
}

export interface History {
  readonly features: readonly ColumnSchema[]
  readonly rows: readonly HistoryRow[]
  /** More rows exist than the limit let through. */
  readonly truncated: boolean
  readonly tableVersion: number
  readonly fingerprint: string
}

export interface HistoryRow extends VersionMarks {
  /** When the values became true, and when they were recorded; microseconds. */
  readonly eventTimestampMicros: bigint
  readonly createdTimestampMicros: bigint
  readonly position: bigint
  readonly origin: string
  readonly values: Readonly<Record<string, PlainValue>>
  /** Features that were missing in the row, as opposed to null. */
  readonly missing: readonly string[]
}

interface HistoryMessage {
  readonly features: readonly ColumnSchema[]
  readonly truncated: boolean
  readonly tableVersion: string
  readonly fingerprint: string
}

interface HistoryRowMessage {
  readonly eventTimestampMicros: string
  readonly createdTimestampMicros: string
  readonly position: string
  readonly origin: string
}

const ROWS_FIELD = 2
const VALUES_FIELD = 5

export async function getHistory(
  transport: Transport,
  descriptions: DescriptionCache,
  viewName: string,
  entity: Readonly<Record<string, unknown>>,
  options: HistoryOptions = {},
): Promise<History> {
  const view = await descriptions.view(viewName)
  const columns = encodeColumns(rowsToColumns([entity]), columnTypes(view.joinKeys))
  const head = encodeMessage('GetHistoryRequest', {
    view: viewName,
    limit: options.limit ?? 0,
    ...(options.asOfEvent === undefined ? {} : { asOfEventMicros: micros(options.asOfEvent) }),
    ...(options.asOfRecorded === undefined ? {} : { asOfRecordedMicros: micros(options.asOfRecorded) }),
  })
  const request = Buffer.concat([head, ...columns.map((column) => lengthField(2, column))])
  const answer = await transport.unary(methodPath('Offline', 'GetHistory'), request, options)
  return readingAnswer(() => decodeHistory(answer))
}

function decodeHistory(bytes: Buffer): History {
  const message = decodeMessage<HistoryMessage>('GetHistoryResponse', bytes)
  const rows = fieldsOf(bytes, ROWS_FIELD).map((row) => decodeRow(row, message.features))
  const marks = versionMarks(rows)
  return {
    features: message.features,
    rows: rows.map((row, index) => ({ ...row, ...marks[index]! })),
    truncated: message.truncated,
    tableVersion: Number(message.tableVersion),
    fingerprint: message.fingerprint,
  }
}

function decodeRow(bytes: Buffer, features: readonly ColumnSchema[]): Omit<HistoryRow, keyof VersionMarks> {
  const message = decodeMessage<HistoryRowMessage>('HistoryRow', bytes)
  const values: Record<string, PlainValue> = {}
  const missing: string[] = []
  for (const [index, value] of fieldsOf(bytes, VALUES_FIELD).entries()) {
    const { name, type } = features[index]!
    const valueType = parseTypeName(type)!
    values[name] = toPlain(valueType, decodeValue(valueType, value))
    if (value.length === 0) missing.push(name)
  }
  return {
    eventTimestampMicros: BigInt(message.eventTimestampMicros),
    createdTimestampMicros: BigInt(message.createdTimestampMicros),
    position: BigInt(message.position),
    origin: message.origin,
    values,
    missing,
  }
}

/** The length-delimited fields with this number, in order. */
function fieldsOf(message: Buffer, field: number): Buffer[] {
  const found: Buffer[] = []
  const reader = new WireReader(message)
  while (reader.next()) {
    if (reader.field === field) found.push(reader.readBytes())
    else reader.skip()
  }
  return found
}
