/**
 * Serialized `Value`s into the columns of a Parquet file, without a JavaScript value in between: when one was made for each and
 * handed to DuckDB, an append took eight times as long as DuckDB alone takes to sort and write the rows.
 *
 * What is accepted and refused is what `decodeValue` accepts and refuses; a property test holds the two against each other.
 */
import { notA, SECONDS_MAX, wireTypeOf } from '../../domain/value-codec.ts'
import { type ScalarType, type ValueType, valueField } from '../../domain/value-type.ts'
import { WireError, type WireReader } from '../../lib/wire.ts'
import type { Column } from './column.ts'
import type { GrowingBytes } from './growing-bytes.ts'

/**
 * Takes the value that lies between the reader's position and its end as the column's next row. Throws a `WireError` or DATA_LOSS,
 * after which the column is of no more use.
 */
export type TakeValue = (reader: WireReader, column: Column) => void

export function valueTaker(type: ValueType): TakeValue {
  const field = valueField(type)
  const takeBody =
    type.kind === 'list' ? listTaker(type.of) : type.kind === 'vector' ? listTaker('float') : takeScalarOf(type.kind)
  return (reader, column) => {
    const { position, end } = reader
    if (position === end || isNullAt(reader.buffer, position, end)) {
      column.absent()
      return
    }
    if (!reader.next() || reader.field !== field) throw notA(type, `got field ${reader.field}`)
    takeBody(reader, column)
    if (reader.position !== end) throw notA(type, 'bytes left over')
  }
}

function isNullAt(bytes: Buffer, from: number, to: number): boolean {
  return to - from === 3 && bytes[from] === 0x98 && bytes[from + 1] === 0x01 && bytes[from + 2] === 0x00
}

function takeScalarOf(kind: ScalarType): TakeValue {
  const take = TAKE_BARE[kind]
  const wireType = wireTypeOf(kind)
  return (reader, column) => {
    if (reader.wireType !== wireType) throw new WireError(`wire type ${reader.wireType} for ${kind}`)
    take(reader, column.values)
    column.scalar()
  }
}

/** A `<T>List` message: `1: repeated T val`, packed or not. */
function listTaker(of: ScalarType): TakeValue {
  const take = TAKE_BARE[of]
  const wireType = wireTypeOf(of)
  return (reader, column) => {
    const { end } = reader
    const length = reader.readLength()
    const listEnd = reader.position + length
    reader.end = listEnd
    let items = 0
    while (reader.next()) {
      if (reader.field !== 1) {
        reader.skip()
      } else if (reader.wireType === wireType) {
        take(reader, column.values)
        items++
      } else {
        const packedLength = reader.readLength()
        reader.end = reader.position + packedLength
        reader.wireType = wireType
        for (; reader.position < reader.end; items++) take(reader, column.values)
        reader.end = listEnd
      }
    }
    reader.end = end
    column.list(items)
  }
}

/** Without tag; the reader's wire type is that of the kind. */
const TAKE_BARE: Readonly<Record<ScalarType, (reader: WireReader, values: GrowingBytes) => void>> = {
  bool(reader, values) {
    reader.readVarint64()
    values.push((reader.low | reader.high) === 0 ? 0 : 1)
  },
  int32(reader, values) {
    reader.readVarint64()
    values.pushInt32(reader.low)
  },
  int64(reader, values) {
    reader.readVarint64()
    values.pushInt32(reader.low)
    values.pushInt32(reader.high)
  },
  timestamp(reader, values) {
    reader.readVarint64()
    const seconds = reader.signedNumber()
    if (Math.abs(seconds) > SECONDS_MAX) throw new WireError(`${seconds} seconds is outside the supported range`)
    pushMicros(values, seconds * 1_000_000)
  },
  float(reader, values) {
    takeFixed(reader, values, 4)
  },
  double(reader, values) {
    takeFixed(reader, values, 8)
  },
  string(reader, values) {
    const length = reader.readLength()
    const { buffer, position } = reader
    if (!values.pushText(buffer, position, position + length)) throw new WireError('string is not UTF-8')
    reader.position += length
  },
  bytes(reader, values) {
    const length = reader.readLength()
    values.pushInt32(length)
    values.pushBytes(reader.buffer, reader.position, reader.position + length)
    reader.position += length
  },
}

function takeFixed(reader: WireReader, values: GrowingBytes, bytes: number): void {
  const end = reader.position + bytes
  if (end > reader.end) throw new WireError(`truncated number of ${bytes} bytes`)
  values.pushBytes(reader.buffer, reader.position, end)
  reader.position = end
}

/** Microseconds that are exact as a JavaScript number. */
function pushMicros(values: GrowingBytes, micros: number): void {
  const high = Math.floor(micros / 4294967296)
  values.pushInt32(micros - high * 4294967296)
  values.pushInt32(high)
}
