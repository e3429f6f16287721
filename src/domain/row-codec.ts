/**
 * One row of a feature view as bytes, encoded once at write and never decoded on the way out.
 *
 *     offset  size  content
 *          0     1  format version, 1
 *          1     1  flags; bit 0: some value is null or missing; bit 1: looked up in the history, set in caches only
 *          2     4  schema id of the view, big-endian
 *          6     4  CRC-32 of the body, big-endian
 *         10     8  event timestamp, microseconds, big-endian, sign bit flipped
 *         18     8  write position, big-endian
 *         26     8  created timestamp, microseconds, big-endian, sign bit flipped
 *         34     -  body: for each feature, in ordinal order, 0x0a, the length, a serialized `Value`
 *
 * Bytes 10 to 26 are the version: comparing them as bytes orders versions, so a store can compare without decoding. The
 * body is the serialized form of `repeated Value values = 1`, so whole views are answered by one copy. A missing value has
 * length 0 (an unset `Value`); a null is `null_val`. The checksum leaves the header out, because the store that
 * accepts a row sets its position; it is verified when a row enters a cache, not at every read.
 */
import { crc32Between } from '../lib/crc32.ts'
import { TwinstoreError } from './errors.ts'
import type { Position, Version } from './version.ts'

const ROW_FORMAT = 1
export const ROW_HEADER_BYTES = 34
export const VERSION_OFFSET = 10
export const VERSION_END = 26
export const POSITION_OFFSET = 18
export const CREATED_OFFSET = 26

const FLAGS_OFFSET = 1
export const SCHEMA_OFFSET = 2
const CHECKSUM_OFFSET = 6
const HAS_GAPS = 1
const FROM_HISTORY = 2
/** Before the length of each value of a body. */
export const VALUE_TAG = 0x0a

/** A serialized `Value { null_val: NULL }`. */
export const NULL_VALUE = Buffer.from([0x98, 0x01, 0x00])
/** A missing value: the empty message. */
export const MISSING_VALUE = Buffer.alloc(0)

/** A row to encode: `values` are serialized `Value` messages in ordinal order. */
export interface RowInput extends RowHead {
  readonly values: readonly Uint8Array[]
}

export interface RowHead {
  readonly schemaId: number
  readonly eventMicros: number
  readonly createdMicros: number
  readonly position: Position
}

export function encodeRow(input: RowInput): Buffer {
  let length = ROW_HEADER_BYTES
  for (const value of input.values) length += 1 + lengthBytes(value.length) + value.length
  const row = Buffer.allocUnsafeSlow(length)
  let hasGaps = false
  let at = ROW_HEADER_BYTES
  for (const value of input.values) {
    if (isGap(value)) hasGaps = true
    row[at++] = VALUE_TAG
    let rest = value.length
    while (rest >= 0x80) {
      row[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    row[at++] = rest
    row.set(value, at)
    at += value.length
  }
  writeRowHeader(row, input, hasGaps)
  return row
}

/** Puts the header before a body that is there already; `hasGaps`: some value of it is null or missing. */
export function writeRowHeader(row: Buffer, head: RowHead, hasGaps: boolean): void {
  row[0] = ROW_FORMAT
  row[FLAGS_OFFSET] = hasGaps ? HAS_GAPS : 0
  row.writeUInt32BE(head.schemaId, SCHEMA_OFFSET)
  row.writeUInt32BE(crc32Between(row, ROW_HEADER_BYTES, row.length), CHECKSUM_OFFSET)
  writeMicros(row, VERSION_OFFSET, head.eventMicros)
  writeUint64(row, POSITION_OFFSET, head.position)
  writeMicros(row, CREATED_OFFSET, head.createdMicros)
}

/** A copy of the row as accepted at `position`, which is also its recording time. */
export function acceptRow(row: Buffer, position: Position): Buffer {
  const accepted = Buffer.allocUnsafeSlow(row.length)
  accepted.set(row)
  markAccepted(accepted, position)
  return accepted
}

/** The same in place, for a row that nobody else has. */
export function markAccepted(row: Buffer, position: Position): void {
  writeUint64(row, POSITION_OFFSET, position)
  writeMicros(row, CREATED_OFFSET, position)
}

export function rowEventMicros(row: Buffer): number {
  return readMicros(row, VERSION_OFFSET)
}

export function rowPosition(row: Buffer): Position {
  return (row.readUInt32BE(POSITION_OFFSET) * 4294967296 + row.readUInt32BE(POSITION_OFFSET + 4)) as Position
}

export function rowCreatedMicros(row: Buffer): number {
  return readMicros(row, CREATED_OFFSET)
}

export function rowSchemaId(row: Buffer): number {
  return row.readUInt32BE(SCHEMA_OFFSET)
}

export function rowVersion(row: Buffer): Version {
  return { eventMicros: rowEventMicros(row), position: rowPosition(row) }
}

/** The bytes of a version as they stand in a header. */
export function versionBytes({ eventMicros, position }: Version): Buffer {
  const bytes = Buffer.allocUnsafeSlow(VERSION_END - VERSION_OFFSET)
  writeMicros(bytes, 0, eventMicros)
  writeUint64(bytes, POSITION_OFFSET - VERSION_OFFSET, position)
  return bytes
}

/** Whether some value is null or missing; if not, every slot of a fresh row is PRESENT without a look at the body. */
export function rowHasGaps(row: Buffer): boolean {
  return (row[FLAGS_OFFSET]! & HAS_GAPS) !== 0
}

/** Marks a row that was looked up in the history, in place. Stores never hold such a row. */
export function markFromHistory(row: Buffer): Buffer {
  row[FLAGS_OFFSET]! |= FROM_HISTORY
  return row
}

export function rowIsFromHistory(row: Buffer): boolean {
  return (row[FLAGS_OFFSET]! & FROM_HISTORY) !== 0
}

/** Negative, zero or positive, as row `a` is older than, equal to or newer than row `b`. */
export function compareRowVersions(a: Buffer, b: Buffer): number {
  return a.compare(b, VERSION_OFFSET, VERSION_END, VERSION_OFFSET, VERSION_END)
}

/** Undefined for a sound row, else a DATA_LOSS error that says what is wrong with it. */
export function rowFault(row: Buffer): TwinstoreError | undefined {
  return rowFaultAt(row, 0, row.length)
}

/** The same of a row that lies within other bytes. */
export function rowFaultAt(bytes: Buffer, from: number, to: number): TwinstoreError | undefined {
  if (to - from < ROW_HEADER_BYTES) return corrupt(`${to - from} bytes, shorter than a header`)
  if (bytes[from] !== ROW_FORMAT) return corrupt(`format version ${bytes[from]}, this program reads ${ROW_FORMAT}`)
  const checksum = crc32Between(bytes, from + ROW_HEADER_BYTES, to)
  return checksum === bytes.readUInt32BE(from + CHECKSUM_OFFSET) ? undefined : corrupt('checksum mismatch')
}

/** The serialized values of a row, as views into it; DATA_LOSS if the body is not a sequence of values. */
export function rowValues(row: Buffer): Buffer[] {
  const values: Buffer[] = []
  let at = ROW_HEADER_BYTES
  while (at < row.length) {
    if (row[at++] !== VALUE_TAG) throw corrupt(`no value at byte ${at - 1}`)
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = row[at++]
      if (byte === undefined || shift > 28) throw corrupt('truncated value length')
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    if (at + length > row.length) throw corrupt('truncated value')
    values.push(row.subarray(at, at + length))
    at += length
  }
  return values
}

/** Whether a serialized value is null or missing. */
export function isGap(value: Uint8Array): boolean {
  return value.length === 0 || isNull(value)
}

export function isNull(value: Uint8Array): boolean {
  return value.length === NULL_VALUE.length && isNullAt(value, 0)
}

/** Of a value of three bytes that begins there. */
export function isNullAt(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === 0x98 && bytes[start + 1] === 0x01 && bytes[start + 2] === 0x00
}

function corrupt(detail: string): TwinstoreError {
  return new TwinstoreError('DATA_LOSS', `corrupt row: ${detail}`)
}

function lengthBytes(length: number): number {
  let bytes = 1
  for (let rest = length; rest >= 0x80; rest >>>= 7) bytes++
  return bytes
}

function writeUint64(row: Buffer, offset: number, value: number): void {
  row.writeUInt32BE(Math.floor(value / 4294967296), offset)
  row.writeUInt32BE(value % 4294967296, offset + 4)
}

function writeMicros(row: Buffer, offset: number, micros: number): void {
  const high = Math.floor(micros / 4294967296)
  row.writeUInt32BE(high + 0x80000000, offset)
  row.writeUInt32BE(micros - high * 4294967296, offset + 4)
}

function readMicros(row: Buffer, offset: number): number {
  return (row.readUInt32BE(offset) - 0x80000000) * 4294967296 + row.readUInt32BE(offset + 4)
}
