/**
 * Reading and writing the protobuf wire format without generated code.
 *
 * The hot path reads only the fields it needs from a request's bytes and writes its answer into one buffer of a size
 * computed beforehand, so a general message library (an object per message, a copy per field) is not used there.
 * Source: the protobuf encoding specification (https://protobuf.dev/programming-guides/encoding/).
 */
export const WIRE_VARINT = 0
export const WIRE_FIXED64 = 1
export const WIRE_LENGTH = 2
export const WIRE_FIXED32 = 5

/** Thrown for bytes that are not a message; the edge turns it into INVALID_ARGUMENT. */
export class WireError extends Error {}

/**
 * A cursor over one message. `next()` moves to the next field and sets `field` and `wireType`; exactly one read method
 * (or `skip`) must follow. Reads never pass `end`.
 */
export class WireReader {
  readonly buffer: Buffer
  position: number
  end: number
  field = 0
  wireType = 0
  /** The halves of the last `readVarint64` or `readFixed64`. */
  low = 0
  high = 0

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.buffer = buffer
    this.position = start
    this.end = end
  }

  /** False at the end of the message. */
  next(): boolean {
    if (this.position >= this.end) return false
    const tag = this.readUint32()
    this.field = tag >>> 3
    this.wireType = tag & 7
    if (this.field === 0) throw new WireError('field number 0')
    return true
  }

  /** A varint of up to 32 significant bits; higher bits are dropped, as protobuf does for 32-bit fields. */
  readUint32(): number {
    const buffer = this.buffer
    if (this.position < this.end) {
      const first = buffer[this.position]!
      if (first < 0x80) {
        this.position++
        return first
      }
    }
    this.readVarint64()
    return this.low >>> 0
  }

  /** A varint of up to 64 bits into `low` and `high` (both unsigned 32 bits). */
  readVarint64(): void {
    let low = 0
    let high = 0
    let shift = 0
    for (;;) {
      if (this.position >= this.end) throw new WireError('truncated varint')
      const byte = this.buffer[this.position++]!
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (shift - 32)
      if (byte < 0x80) break
      shift += 7
      if (shift > 63) throw new WireError('varint longer than 10 bytes')
    }
    this.low = low >>> 0
    this.high = high >>> 0
  }

  readFixed64(): void {
    if (this.position + 8 > this.end) throw new WireError('truncated fixed64')
    this.low = this.buffer.readUInt32LE(this.position)
    this.high = this.buffer.readUInt32LE(this.position + 4)
    this.position += 8
  }

  readFloat(): number {
    if (this.position + 4 > this.end) throw new WireError('truncated float')
    this.position += 4
    return this.buffer.readFloatLE(this.position - 4)
  }

  readDouble(): number {
    if (this.position + 8 > this.end) throw new WireError('truncated double')
    this.position += 8
    return this.buffer.readDoubleLE(this.position - 8)
  }

  /** The last 64-bit read as a signed number; exact within +-2^53. */
  signedNumber(): number {
    return (this.high | 0) * 4294967296 + this.low
  }

  signedBigInt(): bigint {
    return (BigInt(this.high | 0) << 32n) | BigInt(this.low)
  }

  /** The length of a length-delimited field; `position` is then at its first byte. */
  readLength(): number {
    if (this.wireType !== WIRE_LENGTH) throw new WireError(`field ${this.field} has wire type ${this.wireType}`)
    const length = this.readUint32()
    if (this.position + length > this.end) throw new WireError(`field ${this.field} is longer than its message`)
    return length
  }

  readString(): string {
    const length = this.readLength()
    const start = this.position
    this.position += length
    return this.buffer.toString('utf8', start, this.position)
  }

  /** A view of the field's bytes, not a copy. */
  readBytes(): Buffer {
    const length = this.readLength()
    const start = this.position
    this.position += length
    return this.buffer.subarray(start, this.position)
  }

  skip(): void {
    switch (this.wireType) {
      case WIRE_VARINT:
        this.readVarint64()
        return
      case WIRE_FIXED64:
        this.advance(8)
        return
      case WIRE_LENGTH:
        this.advance(this.readLength())
        return
      case WIRE_FIXED32:
        this.advance(4)
        return
      default:
        throw new WireError(`wire type ${this.wireType} is not supported`)
    }
  }

  private advance(bytes: number): void {
    if (this.position + bytes > this.end) throw new WireError('truncated field')
    this.position += bytes
  }
}

export function varintLength(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x200000) return 3
  if (value < 0x10000000) return 4
  return 5
}

/** Writes an unsigned value below 2^32; returns the position after it. */
export function writeVarint(buffer: Uint8Array, position: number, value: number): number {
  let rest = value >>> 0
  let at = position
  while (rest >= 0x80) {
    buffer[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  buffer[at++] = rest
  return at
}

/** The bytes of a signed 64-bit varint (two's complement, so a negative value takes ten). */
export function varint64Bytes(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

/** One length-delimited field: tag, length, bytes. */
export function lengthField(field: number, bytes: Uint8Array): Buffer {
  const head = lengthHeadBytes(field, bytes.length)
  const out = Buffer.allocUnsafe(head + bytes.length)
  out.set(bytes, writeLengthHead(out, field, bytes.length))
  return out
}

/** How many bytes `writeLengthHead` writes. */
export function lengthHeadBytes(field: number, length: number): number {
  return varintLength(lengthTag(field)) + varintLength(length)
}

/** What stands before the `length` bytes of a field; gives where these begin. */
export function writeLengthHead(into: Uint8Array, field: number, length: number): number {
  return writeVarint(into, writeVarint(into, 0, lengthTag(field)), length)
}

function lengthTag(field: number): number {
  return ((field << 3) | WIRE_LENGTH) >>> 0
}

/** One varint field of an unsigned value below 2^32. */
export function varintField(field: number, value: number): Buffer {
  const tag = (field << 3) >>> 0
  const out = Buffer.allocUnsafe(varintLength(tag) + varintLength(value))
  writeVarint(out, writeVarint(out, 0, tag), value)
  return out
}
