/**
 * Header lists to header blocks that never touch the peer's dynamic table (RFC 7541, section 6.2.2): a block then means the same on
 * every connection and at any time, so the blocks of usual answers are made once.
 */
import { encodeHuffman, huffmanBytes } from './huffman.ts'
import { STATIC_FIELDS, STATIC_NAMES } from './static-table.ts'

/** An integer of 28 bits after its prefix, and one byte to spare. */
const INTEGER_BYTES_MAX = 6

/** Says that the peer's table is not used at all (section 6.3); due before the next block when the peer makes its table smaller. */
export const TABLE_SIZE_ZERO = Buffer.from([0x20])

/** `fields` is name, value, name, value; characters above 0xff must not occur. */
export function encodeHeaders(fields: readonly string[]): Buffer {
  let room = 0
  for (const text of fields) room += text.length + INTEGER_BYTES_MAX
  const block = Buffer.allocUnsafe(room + fields.length * INTEGER_BYTES_MAX)
  let at = 0
  for (let index = 0; index < fields.length; index += 2) {
    at = writeField(block, at, fields[index]!, fields[index + 1]!)
  }
  return Buffer.from(block.subarray(0, at))
}

function writeField(block: Buffer, position: number, name: string, value: string): number {
  const known = STATIC_FIELDS.get(`${name}\0${value}`)
  if (known !== undefined) return writeInteger(block, position, 0x80, 7, known)
  const nameIndex = STATIC_NAMES.get(name) ?? 0
  let at = writeInteger(block, position, 0, 4, nameIndex)
  if (nameIndex === 0) at = writeString(block, at, name)
  return writeString(block, at, value)
}

function writeString(block: Buffer, position: number, text: string): number {
  const bytes = Buffer.from(text, 'latin1')
  const coded = huffmanBytes(bytes)
  if (coded < bytes.length) return encodeHuffman(bytes, block, writeInteger(block, position, 0x80, 7, coded))
  const at = writeInteger(block, position, 0, 7, bytes.length)
  block.set(bytes, at)
  return at + bytes.length
}

/** Section 5.1; `flags` are the bits before the prefix. */
function writeInteger(block: Buffer, position: number, flags: number, prefixBits: number, value: number): number {
  const mask = (1 << prefixBits) - 1
  let at = position
  if (value < mask) {
    block[at++] = flags | value
    return at
  }
  block[at++] = flags | mask
  let rest = value - mask
  while (rest >= 0x80) {
    block[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  block[at++] = rest
  return at
}
