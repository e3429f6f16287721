/**
 * Definition and repetition levels, in Parquet's hybrid of runs and packed bits: one run where all are the same, else
 * packed bits for all.
 * Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/
 */
import { varint64Bytes } from '../../lib/wire.ts'
import { GrowingBytes } from './growing-bytes.ts'

/** Levels, one after the other. As long as all are the same, which they are in most columns, only their number is kept. */
export class Levels {
  #runLevel = 0
  #runCount = 0
  readonly #varied = new GrowingBytes()

  get count(): number {
    return this.#runCount + this.#varied.length
  }

  get bytes(): number {
    return this.#varied.length
  }

  push(level: number): void {
    if (this.#varied.length === 0) {
      if (this.#runCount === 0) this.#runLevel = level
      if (level === this.#runLevel) {
        this.#runCount++
        return
      }
      this.#varied.pushRun(this.#runLevel, this.#runCount)
      this.#runCount = 0
    }
    this.#varied.push(level)
  }

  /** With the length before it, as a data page has it. `bitWidth` is at most 8. */
  encoded(bitWidth: number): Buffer {
    const body = this.#varied.length === 0 ? this.#run() : packedBits(this.#varied.written(), bitWidth)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(body.length)
    return Buffer.concat([length, body])
  }

  clear(): void {
    this.#runCount = 0
    this.#varied.clear()
  }

  #run(): Buffer {
    return Buffer.concat([varint64Bytes(BigInt(this.#runCount) << 1n), Buffer.from([this.#runLevel])])
  }
}

/** Groups of eight, the last one filled up; the first level is in the lowest bits. */
function packedBits(levels: Uint8Array, bitWidth: number): Buffer {
  const groups = Math.ceil(levels.length / 8)
  const bits = Buffer.alloc(groups * bitWidth)
  for (let index = 0; index < levels.length; index++) {
    const bit = index * bitWidth
    const shifted = levels[index]! << (bit & 7)
    bits[bit >> 3]! |= shifted
    if (shifted > 0xff) bits[(bit >> 3) + 1]! |= shifted >> 8
  }
  return Buffer.concat([varint64Bytes((BigInt(groups) << 1n) | 1n), bits])
}
