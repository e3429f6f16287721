/**
 * Writes a message from its end to its beginning.
 *
 * A length stands before what it measures: written backwards, it is known when it is due. And a row's body can be
 * copied together with the header before it, because the bytes the header falls on are written afterwards: that saves
 * making a view of the body, 90 ns where the copy of 2 KB takes 55 (Node 20).
 */
import { ROW_HEADER_BYTES } from '../domain/row-codec.ts'
import { varintLength, writeVarint } from '../lib/wire.ts'

/** Up to this many bytes a loop is faster than the call that copies: measured on Node 20, they meet near 50. */
const LOOP_BYTES_MAX = 48

export class BackwardWriter {
  readonly buffer: Buffer
  /** Where what was written so far begins. */
  at: number

  constructor(buffer: Buffer, end: number) {
    this.buffer = buffer
    this.at = end
  }

  byte(value: number): void {
    this.buffer[--this.at] = value
  }

  varint(value: number): void {
    this.at -= varintLength(value)
    writeVarint(this.buffer, this.at, value)
  }

  bytes(source: Buffer): void {
    this.at -= source.length
    this.buffer.set(source, this.at)
  }

  range(source: Buffer, start: number, end: number): void {
    const { buffer } = this
    this.at -= end - start
    if (end - start > LOOP_BYTES_MAX) {
      buffer.set(source.subarray(start, end), this.at)
      return
    }
    for (let from = start, to = this.at; from < end; ) buffer[to++] = source[from++]!
  }

  rowBody(row: Buffer): void {
    this.at -= row.length - ROW_HEADER_BYTES
    if (this.at >= ROW_HEADER_BYTES) this.buffer.set(row, this.at - ROW_HEADER_BYTES)
    else this.buffer.set(row.subarray(ROW_HEADER_BYTES), this.at)
  }

  /** Leaves room to be written later; returns where it begins. */
  reserve(bytes: number): number {
    this.at -= bytes
    return this.at
  }
}
