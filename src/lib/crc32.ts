/**
 * CRC-32 of a part of a buffer (the polynomial of zlib and PNG).
 *
 * `node:zlib` has it too and is faster on long inputs, but a call into native code with a view made for it costs more than a short
 * row does here: 130 bytes take 0.1 us here and 0.5 us there; from about 1 KB on it is the other way round.
 * Method: eight bytes at a step with a table for each ("slicing by 8", Kounavis and Berry, 2005).
 */
import { crc32 } from 'node:zlib'

const NATIVE_FROM_BYTES = 1024
const POLYNOMIAL = 0xedb88320
const STEP_BYTES = 8
/** Eight tables of 256 in one array: entry `256 * n + b` is what byte `b` with `n` zero bytes after it does. */
const TABLES = makeTables()

export function crc32Between(bytes: Uint8Array, from: number, to: number): number {
  if (to - from >= NATIVE_FROM_BYTES) return crc32(bytes.subarray(from, to))
  let crc = -1
  let at = from
  for (const last = to - STEP_BYTES; at <= last; at += STEP_BYTES) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc =
      TABLES[1792 + (crc & 0xff)]! ^
      TABLES[1536 + ((crc >>> 8) & 0xff)]! ^
      TABLES[1280 + ((crc >>> 16) & 0xff)]! ^
      TABLES[1024 + (crc >>> 24)]! ^
      TABLES[768 + bytes[at + 4]!]! ^
      TABLES[512 + bytes[at + 5]!]! ^
      TABLES[256 + bytes[at + 6]!]! ^
      TABLES[bytes[at + 7]!]!
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[at]!) & 0xff]!
  return ~crc >>> 0
}

function makeTables(): Int32Array {
  const tables = new Int32Array(256 * STEP_BYTES)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    tables[byte] = crc
  }
  for (let index = 256; index < tables.length; index++) {
    const before = tables[index - 256]!
    tables[index] = (before >>> 8) ^ tables[before & 0xff]!
  }
  return tables
}
