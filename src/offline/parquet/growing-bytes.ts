import { isUtf8 } from 'node:buffer'

/** Up to so many a loop is faster than a call into native code. */
const LOOP_BYTES_MAX = 48

/** Bytes that are written one after the other into memory that grows; emptied, it is used again. */
export class GrowingBytes {
  /** Of these the first `length` are written. Another array after `reserve`. */
  bytes = Buffer.allocUnsafeSlow(1 << 12)
  length = 0

  /** Makes room for so many more bytes. */
  reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }

  push(byte: number): void {
    if (this.length === this.bytes.length) this.reserve(1)
    this.bytes[this.length++] = byte
  }

  /** Four bytes, little-endian; the sign does not matter. */
  pushInt32(value: number): void {
    this.reserve(4)
    const { bytes, length } = this
    bytes[length] = value
    bytes[length + 1] = value >>> 8
    bytes[length + 2] = value >>> 16
    bytes[length + 3] = value >>> 24
    this.length += 4
  }

  pushRun(byte: number, count: number): void {
    this.reserve(count)
    this.bytes.fill(byte, this.length, this.length + count)
    this.length += count
  }

  /** A copy of `source` from `from` to `to`. */
  pushBytes(source: Buffer, from: number, to: number): void {
    this.reserve(to - from)
    if (to - from > LOOP_BYTES_MAX) source.copy(this.bytes, this.length, from, to)
    else for (let at = from, out = this.length; at < to; at++) this.bytes[out++] = source[at]!
    this.length += to - from
  }

  /**
   * Length and bytes of a text, as Parquet has them. False if the bytes are not UTF-8. Most texts are short and ASCII, for which one
   * loop that copies and looks is faster than calls into native code.
   */
  pushText(source: Buffer, from: number, to: number): boolean {
    this.pushInt32(to - from)
    if (to - from > LOOP_BYTES_MAX) {
      this.pushBytes(source, from, to)
      return isUtf8(source.subarray(from, to))
    }
    this.reserve(to - from)
    const { bytes } = this
    let out = this.length
    let seen = 0
    for (let at = from; at < to; at++) {
      const byte = source[at]!
      bytes[out++] = byte
      seen |= byte
    }
    this.length = out
    return seen < 0x80 || isUtf8(source.subarray(from, to))
  }

  /** What was written, as a view that the next write may change. */
  written(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  clear(): void {
    this.length = 0
  }
}
