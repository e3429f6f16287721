/**
 * Whether a serialized value already is in canonical form, decided on its bytes.
 *
 * Every client library sends canonical bytes for nearly every value, and those are spliced into the row as they are:
 * no decode, no allocation. `isCanonical` may say no to bytes that are canonical after all (they take the slow path
 * through `canonicalValue`, with the same result), never yes to bytes that are not; a property test holds it to that.
 */
import { isUtf8 } from 'node:buffer'
import type { ScalarType, ValueType } from '../domain/value-type.ts'

const TAG_BYTES = 0x0a
const TAG_STRING = 0x12
const TAG_INT32 = 0x18
const TAG_INT64 = 0x20
const TAG_DOUBLE = 0x29
const TAG_FLOAT = 0x35
const TAG_BOOL = 0x38
const TAG_TIMESTAMP = 0x40
/** The two bytes of the tag of `float_list_val`. */
const TAG_FLOAT_LIST = [0x82, 0x01] as const
const TAG_PACKED = 0x0a

/** True if the bytes `start` to `end` are a valid, canonical value of the type: not null, not missing, finite. */
export function isCanonical(type: ValueType, buffer: Buffer, start: number, end: number): boolean {
  if (type.kind === 'list') return false
  if (type.kind === 'vector') return isVector(type.length, buffer, start, end)
  return isScalar(type.kind, buffer, start, end)
}

function isScalar(kind: ScalarType, buffer: Buffer, start: number, end: number): boolean {
  const tag = buffer[start]
  switch (kind) {
    case 'double':
      // NaN has many bit patterns and one canonical form, so every non-finite number takes the slow path.
      return tag === TAG_DOUBLE && end - start === 9 && isFiniteDouble(buffer, start + 1)
    case 'float':
      return tag === TAG_FLOAT && end - start === 5 && isFiniteFloat(buffer, start + 1)
    case 'bool':
      return tag === TAG_BOOL && end - start === 2 && buffer[start + 1]! <= 1
    case 'int32':
      // Four varint bytes hold 28 bits; larger and negative numbers take the slow path.
      return tag === TAG_INT32 && isShortVarint(buffer, start + 1, end, 4)
    case 'int64':
      return tag === TAG_INT64 && isShortVarint(buffer, start + 1, end, 9)
    case 'timestamp':
      // Five bytes with the last at most 0x1f hold 33 bits, below the greatest timestamp (the year 2255).
      return (
        tag === TAG_TIMESTAMP &&
        isShortVarint(buffer, start + 1, end, 5) &&
        (end - start < 6 || buffer[end - 1]! <= 0x1f)
      )
    case 'string': {
      const at = tag === TAG_STRING ? payloadStart(buffer, start + 1, end) : 0
      return at !== 0 && isText(buffer, at, end)
    }
    case 'bytes':
      return tag === TAG_BYTES && payloadStart(buffer, start + 1, end) !== 0
  }
}

function isFiniteDouble(buffer: Buffer, at: number): boolean {
  return (buffer[at + 7]! & 0x7f) !== 0x7f || (buffer[at + 6]! & 0xf0) !== 0xf0
}

function isFiniteFloat(buffer: Buffer, at: number): boolean {
  return (buffer[at + 3]! & 0x7f) !== 0x7f || buffer[at + 2]! < 0x80
}

/** A varint of at most `bytesMax` bytes that fills the range and has no needless last byte. */
function isShortVarint(buffer: Buffer, start: number, end: number, bytesMax: number): boolean {
  const length = end - start
  if (length < 1 || length > bytesMax) return false
  for (let at = start; at < end - 1; at++) if (buffer[at]! < 0x80) return false
  const last = buffer[end - 1]!
  return last < 0x80 && (last !== 0 || length === 1)
}

/** Where the payload after a minimal length varint begins, if it reaches exactly to `end`; else 0. */
export function payloadStart(buffer: Buffer, start: number, end: number): number {
  let length = 0
  let at = start
  for (let shift = 0; ; shift += 7) {
    if (at >= end || shift > 21) return 0
    const byte = buffer[at++]!
    length |= (byte & 0x7f) << shift
    if (byte >= 0x80) continue
    if (byte === 0 && shift > 0) return 0
    return at + length === end ? at : 0
  }
}

/** Short ASCII strings, the usual case, are checked here: a call to `isUtf8` costs more than such a string. */
function isText(buffer: Buffer, start: number, end: number): boolean {
  if (end - start <= 32) {
    let at = start
    while (at < end && buffer[at]! < 0x80) at++
    if (at === end) return true
  }
  return isUtf8(buffer.subarray(start, end))
}

function isVector(length: number, buffer: Buffer, start: number, end: number): boolean {
  if (end - start < 3 || buffer[start] !== TAG_FLOAT_LIST[0] || buffer[start + 1] !== TAG_FLOAT_LIST[1]) return false
  const list = payloadStart(buffer, start + 2, end)
  if (list === 0 || buffer[list] !== TAG_PACKED) return false
  const first = payloadStart(buffer, list + 1, end)
  if (first === 0 || end - first !== 4 * length) return false
  for (let at = first; at < end; at += 4) if (!isFiniteFloat(buffer, at)) return false
  return true
}
