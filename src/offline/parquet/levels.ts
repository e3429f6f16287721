/**
 * Definition and repetition levels, in Parquet's hybrid of runs and packed bits: one run where all are the same, else
 * packed bits for all.
 * Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/
 */
import { varint64Bytes } from '../../lib/wire.ts'

/** With its length before it, as a data page has it. `bitWidth` is at most 8. */
export function encodeLevels(levels: Uint8Array, bitWidth: number): Buffer {
  const body = isOneRun(levels) ? run(levels) : packedBits(levels, bitWidth)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(body.length)
  return Buffer.concat([length, body])
}

function isOneRun(levels: Uint8Array): boolean {
  const first = levels[0]
  return levels.every((level) => level === first)
}

function run(levels: Uint8Array): Buffer {
  if (levels.length === 0) return Buffer.alloc(0)
  return Buffer.concat([varint64Bytes(BigInt(levels.length) << 1n), Buffer.from([levels[0]!])])
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
