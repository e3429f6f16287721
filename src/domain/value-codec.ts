/**
 * Values as serialized `Value` messages (the field numbers of `feast.types.Value`), and back.
 *
 * In JavaScript a value is: bool boolean; int32, float, double number; int64 bigint; string string; bytes Uint8Array;
 * timestamp number of whole seconds; a list or vector an array of these. `null` is null, `undefined` is missing.
 * Encoding is canonical: one value has one byte string, so that stores can be compared byte by byte.
 */
import { isUtf8 } from 'node:buffer'
import {
  lengthField,
  varint64Bytes,
  varintField,
  WIRE_FIXED32,
  WIRE_FIXED64,
  WIRE_LENGTH,
  WIRE_VARINT,
  WireError,
  WireReader,
} from '../lib/wire.ts'
import { TwinstoreError } from './errors.ts'
import { isNull, isNullAt, MISSING_VALUE, NULL_VALUE } from './row-codec.ts'
import { fieldTypeName, type ScalarType, typeName, type ValueType, valueField } from './value-type.ts'

export type ScalarValue = boolean | number | bigint | string | Uint8Array
export type FeatureValue = ScalarValue | readonly ScalarValue[]

const INT32_MIN = -0x80000000
const INT32_MAX = 0x7fffffff
const INT64_MIN = -0x8000000000000000n
const INT64_MAX = 0x7fffffffffffffffn
/** Whole seconds whose microseconds are exact as a JavaScript number. */
export const SECONDS_MAX = 9_007_199_254

/** The bytes of a value of this type; a string that says what is wrong if the value is not of the type. */
export function encodeValue(type: ValueType, value: FeatureValue | null | undefined): Buffer | string {
  if (value === undefined) return MISSING_VALUE
  if (value === null) return NULL_VALUE
  const field = valueField(type)
  if (type.kind !== 'list' && type.kind !== 'vector') {
    if (Array.isArray(value)) return `expected ${typeName(type)}, got a list`
    return encodeScalarField(type.kind, field, value as ScalarValue)
  }
  if (!Array.isArray(value)) return `expected ${typeName(type)}, got ${describe(value as ScalarValue)}`
  if (type.kind === 'vector' && value.length !== type.length) {
    return `expected ${type.length} numbers, got ${value.length}`
  }
  const list = encodeList(type.kind === 'list' ? type.of : 'float', value)
  return typeof list === 'string' ? list : lengthField(field, list)
}

/** The body of a `<T>List` message: `1: repeated T val`, packed for numbers. */
function encodeList(of: ScalarType, values: readonly ScalarValue[]): Buffer | string {
  const parts: Buffer[] = []
  for (let index = 0; index < values.length; index++) {
    const part =
      of === 'string' || of === 'bytes' ? encodeScalarField(of, 1, values[index]!) : encodeBare(of, values[index]!)
    if (typeof part === 'string') return `item ${index}: ${part}`
    parts.push(part)
  }
  const body = Buffer.concat(parts)
  return of === 'string' || of === 'bytes' || body.length === 0 ? body : lengthField(1, body)
}

function encodeScalarField(kind: ScalarType, field: number, value: ScalarValue): Buffer | string {
  const bytes = encodeBare(kind, value)
  if (typeof bytes === 'string') return bytes
  if (kind === 'string' || kind === 'bytes') return lengthField(field, bytes)
  return Buffer.concat([varintTag(field, wireTypeOf(kind)), bytes])
}

function varintTag(field: number, wireType: number): Buffer {
  // A field of number 0 written as a varint leaves a zero byte at the end; only the tag is wanted.
  const tagged = varintField(field, 0)
  const tag = tagged.subarray(0, tagged.length - 1)
  tag[0] = tag[0]! | wireType
  return tag
}

/** How a scalar of this kind is written: the wire type of its field, or of a packed list's items if they stood alone. */
export function wireTypeOf(kind: ScalarType): number {
  if (kind === 'double') return WIRE_FIXED64
  if (kind === 'float') return WIRE_FIXED32
  return kind === 'string' || kind === 'bytes' ? WIRE_LENGTH : WIRE_VARINT
}

/** A scalar without tag: varint, fixed bytes, or the raw bytes of a string. */
function encodeBare(kind: ScalarType, value: ScalarValue): Buffer | string {
  switch (kind) {
    case 'bool':
      return typeof value === 'boolean' ? Buffer.from([value ? 1 : 0]) : mismatch(kind, value)
    case 'int32':
      if (typeof value !== 'number' || !Number.isInteger(value)) return mismatch(kind, value)
      return value < INT32_MIN || value > INT32_MAX ? `${value} is outside int32` : varint64Bytes(BigInt(value))
    case 'int64': {
      if (typeof value === 'number' ? !Number.isSafeInteger(value) : typeof value !== 'bigint')
        return mismatch(kind, value)
      const wide = BigInt(value as number | bigint)
      return wide < INT64_MIN || wide > INT64_MAX ? `${wide} is outside int64` : varint64Bytes(wide)
    }
    case 'timestamp':
      if (typeof value !== 'number' || !Number.isInteger(value)) return mismatch('timestamp (whole seconds)', value)
      return Math.abs(value) > SECONDS_MAX
        ? `${value} seconds is outside the supported range`
        : varint64Bytes(BigInt(value))
    case 'float':
    case 'double': {
      if (typeof value !== 'number') return mismatch(kind, value)
      const bytes = Buffer.allocUnsafe(kind === 'float' ? 4 : 8)
      if (kind === 'float') bytes.writeFloatLE(value)
      else bytes.writeDoubleLE(value)
      return bytes
    }
    case 'string':
      if (typeof value !== 'string') return mismatch(kind, value)
      return value.isWellFormed() ? Buffer.from(value, 'utf8') : 'not well-formed Unicode (a lone surrogate)'
    case 'bytes':
      return value instanceof Uint8Array ? Buffer.from(value) : mismatch(kind, value)
  }
}

function mismatch(expected: string, value: ScalarValue): string {
  return `expected ${expected}, got ${describe(value)}`
}

function describe(value: ScalarValue): string {
  if (value instanceof Uint8Array) return 'bytes'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return `${typeof value} ${text.length > 40 ? `${text.slice(0, 40)}...` : text}`
}

/**
 * The value in these bytes: `null` for null, `undefined` for missing. DATA_LOSS if they are not one value of the type.
 * Packed and unpacked lists are both read.
 */
export function decodeValue(type: ValueType, bytes: Buffer): FeatureValue | null | undefined {
  return readValue(type, new WireReader(bytes))
}

/** The same of what is left of the reader's message, without a view of it for every value. */
export function readValue(type: ValueType, reader: WireReader): FeatureValue | null | undefined {
  const { buffer, position, end } = reader
  if (position === end) return undefined
  if (end - position === NULL_VALUE.length && isNullAt(buffer, position)) {
    reader.position = end
    return null
  }
  const field = valueField(type)
  if (!reader.next() || reader.field !== field) throw notA(type, `got ${fieldTypeName(reader.field)}`)
  let value: FeatureValue
  if (type.kind === 'list' || type.kind === 'vector') {
    const length = reader.readLength()
    value = decodeList(
      type.kind === 'list' ? type.of : 'float',
      buffer.subarray(reader.position, reader.position + length),
    )
    reader.position += length
  } else value = readBare(type.kind, reader)
  if (reader.position !== end) throw notA(type, 'bytes left over')
  return value
}

function decodeList(of: ScalarType, bytes: Buffer): ScalarValue[] {
  const values: ScalarValue[] = []
  const reader = new WireReader(bytes)
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip()
    } else if (of === 'string' || of === 'bytes' || reader.wireType !== WIRE_LENGTH) {
      values.push(readBare(of, reader))
    } else {
      const length = reader.readLength()
      const packed = new WireReader(bytes, reader.position, reader.position + length)
      packed.wireType = wireTypeOf(of)
      while (packed.position < packed.end) values.push(readBare(of, packed))
      reader.position = packed.end
    }
  }
  return values
}

function readBare(kind: ScalarType, reader: WireReader): ScalarValue {
  if (reader.wireType !== wireTypeOf(kind)) throw new WireError(`wire type ${reader.wireType} for ${kind}`)
  switch (kind) {
    case 'bool':
      reader.readVarint64()
      return (reader.low | reader.high) !== 0
    case 'int32':
      reader.readVarint64()
      return reader.low | 0
    case 'int64':
      reader.readVarint64()
      return reader.signedBigInt()
    case 'timestamp':
      reader.readVarint64()
      return reader.signedNumber()
    case 'float':
      return reader.readFloat()
    case 'double':
      return reader.readDouble()
    case 'string': {
      const bytes = reader.readBytes()
      if (!isUtf8(bytes)) throw new WireError('string is not UTF-8')
      return bytes.toString('utf8')
    }
    case 'bytes':
      return Buffer.from(reader.readBytes())
  }
}

/**
 * The canonical bytes of a value that a client sent, or a string that says what is wrong with it. `allowNaN` admits NaN
 * and infinities in float, double and vector features.
 */
export function canonicalValue(type: ValueType, bytes: Buffer, allowNaN: boolean): Buffer | string {
  if (bytes.length === 0 || isNull(bytes)) return bytes
  try {
    const reader = new WireReader(bytes)
    if (reader.next() && reader.field !== valueField(type))
      return `expected ${typeName(type)}, got ${fieldTypeName(reader.field)}`
    const value = decodeValue(type, bytes)
    if (!allowNaN && hasNaN(value))
      return 'NaN and infinity are not allowed (declare the feature with allowNaN to accept them)'
    return encodeValue(type, value)
  } catch (error) {
    if (error instanceof TwinstoreError || error instanceof WireError)
      return `expected ${typeName(type)}: ${error.message}`
    throw error
  }
}

function hasNaN(value: FeatureValue | null | undefined): boolean {
  if (typeof value === 'number') return !Number.isFinite(value)
  return Array.isArray(value) && value.some((item) => typeof item === 'number' && !Number.isFinite(item))
}

/** Bytes that are not one value of the type. */
export function notA(type: ValueType, detail: string): TwinstoreError {
  return new TwinstoreError('DATA_LOSS', `not a ${typeName(type)} value: ${detail}`)
}
