/**
 * The Huffman code of header strings (RFC 7541, section 5.2 and appendix B).
 *
 * The code is canonical: codes of one length count up in the order of their symbols, and a longer code begins where the shorter
 * ones end. So the lengths are the whole code. Decoding takes eight bits at a step through tables of 256 entries; codes have
 * 5 to 30 bits, so a symbol costs one to four steps.
 */
import { ConnectionFault, ERROR } from '../protocol.ts'

/** Bits of the code of each byte, and of the end of string (symbol 256). */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
]
const END_OF_STRING = 256
const LENGTH_MIN = 5
const LENGTH_MAX = 30
const STEP_BITS = 8
const STEP_ENTRIES = 1 << STEP_BITS

/** An entry is `LEAF | symbol << 4 | bits used of the step`, or the number of the table that goes on. */
const LEAF = 1 << 15
const codes = makeCodes()
const tables = makeTables()

function makeCodes(): Uint32Array {
  const made = new Uint32Array(LENGTHS.length)
  let code = 0
  for (let length = LENGTH_MIN; length <= LENGTH_MAX; length++) {
    for (let symbol = 0; symbol < LENGTHS.length; symbol++) if (LENGTHS[symbol] === length) made[symbol] = code++
    code *= 2
  }
  return made
}

function makeTables(): Uint16Array {
  const entries: number[] = new Array(STEP_ENTRIES).fill(0)
  for (let symbol = 0; symbol < END_OF_STRING; symbol++) {
    let table = 0
    let left = LENGTHS[symbol]!
    while (left > STEP_BITS) {
      left -= STEP_BITS
      const at = table * STEP_ENTRIES + ((codes[symbol]! >>> left) & 0xff)
      if (entries[at] === 0) {
        entries[at] = entries.length / STEP_ENTRIES
        entries.push(...new Array(STEP_ENTRIES).fill(0))
      }
      table = entries[at]!
    }
    const shift = STEP_BITS - left
    const first = table * STEP_ENTRIES + ((codes[symbol]! << shift) & 0xff)
    entries.fill(LEAF | (symbol << 4) | left, first, first + (1 << shift))
  }
  return Uint16Array.from(entries)
}

/** The most bytes that `encodedBytes` of Huffman code may stand for: the shortest codes have five bits. */
export function decodedBytesMax(encodedBytes: number): number {
  return Math.floor((encodedBytes * 8) / LENGTH_MIN)
}

/**
 * Decodes `bytes[from, to)` into `into`, which must have room for `decodedBytesMax`; returns how many bytes it wrote. A
 * `ConnectionFault` if the bytes hold the end of string, or end with more than seven bits or with other bits than those of
 * the end of string.
 */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number, into: Uint8Array): number {
  let written = 0
  let bits = 0
  let bitCount = 0
  let table = 0
  /** Bits since the last whole symbol. */
  let pending = 0
  for (let at = from; at < to; at++) {
    bits = (bits << 8) | bytes[at]!
    bitCount += 8
    pending += 8
    while (bitCount >= STEP_BITS) {
      const entry = tables[table * STEP_ENTRIES + ((bits >>> (bitCount - STEP_BITS)) & 0xff)]!
      if (entry >= LEAF) {
        into[written++] = (entry >>> 4) & 0xff
        bitCount -= entry & 0xf
        pending = bitCount
        table = 0
      } else if (entry === 0) throw invalid()
      else {
        table = entry
        bitCount -= STEP_BITS
      }
    }
    bits &= 0xff
  }
  // What is left is less than a step: whole symbols of few bits, then padding.
  while (bitCount > 0) {
    const entry = tables[table * STEP_ENTRIES + ((bits << (STEP_BITS - bitCount)) & 0xff)]!
    if (entry < LEAF || (entry & 0xf) > bitCount) break
    into[written++] = (entry >>> 4) & 0xff
    bitCount -= entry & 0xf
    pending = bitCount
    table = 0
  }
  const padding = (1 << bitCount) - 1
  if (pending > 7 || (bits & padding) !== padding) throw invalid()
  return written
}

function invalid(): ConnectionFault {
  return new ConnectionFault(
    ERROR.compressionError,
    'a header string is not valid Huffman code (RFC 7541, section 5.2)',
  )
}

export function huffmanBytes(bytes: Uint8Array): number {
  let bits = 0
  for (const byte of bytes) bits += LENGTHS[byte]!
  return (bits + 7) >>> 3
}

/** Writes the code of `bytes` at `position`; returns the position after it. */
export function encodeHuffman(bytes: Uint8Array, into: Uint8Array, position: number): number {
  let at = position
  let bits = 0
  let bitCount = 0
  for (const byte of bytes) {
    let left = LENGTHS[byte]!
    const code = codes[byte]!
    // At most eight bits at a step: `bits` then never holds more than fifteen.
    while (left > 0) {
      const take = Math.min(left, STEP_BITS)
      left -= take
      bits = (bits << take) | ((code >>> left) & ((1 << take) - 1))
      bitCount += take
      if (bitCount >= 8) {
        bitCount -= 8
        into[at++] = bits >>> bitCount
        bits &= (1 << bitCount) - 1
      }
    }
  }
  if (bitCount > 0) into[at++] = (bits << (8 - bitCount)) | ((1 << (8 - bitCount)) - 1)
  return at
}
