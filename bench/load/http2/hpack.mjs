/**
 * As much of HPACK (RFC 7541) as a client needs that lets nobody use a dynamic table: it writes literals that are not indexed, and
 * tells its peer that its own table has no room. Every block then means the same wherever it stands, so that one of ours is
 * made once, and one of the peer's is decoded once and then known by its bytes.
 */
import { decodeHuffman } from './huffman.mjs'

/** RFC 7541, appendix A, without the values that no answer of a gRPC server has. Counted from 1. */
// biome-ignore format: a table
const STATIC_TABLE = [
  [':authority', ''], [':method', 'GET'], [':method', 'POST'], [':path', '/'], [':path', '/index.html'],
  [':scheme', 'http'], [':scheme', 'https'], [':status', '200'], [':status', '204'], [':status', '206'],
  [':status', '304'], [':status', '400'], [':status', '404'], [':status', '500'], ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'], ['accept-language', ''], ['accept-ranges', ''], ['accept', ''],
  ['access-control-allow-origin', ''], ['age', ''], ['allow', ''], ['authorization', ''], ['cache-control', ''],
  ['content-disposition', ''], ['content-encoding', ''], ['content-language', ''], ['content-length', ''],
  ['content-location', ''], ['content-range', ''], ['content-type', ''], ['cookie', ''], ['date', ''], ['etag', ''],
  ['expect', ''], ['expires', ''], ['from', ''], ['host', ''], ['if-match', ''], ['if-modified-since', ''],
  ['if-none-match', ''], ['if-range', ''], ['if-unmodified-since', ''], ['last-modified', ''], ['link', ''],
  ['location', ''], ['max-forwards', ''], ['proxy-authenticate', ''], ['proxy-authorization', ''], ['range', ''],
  ['referer', ''], ['refresh', ''], ['retry-after', ''], ['server', ''], ['set-cookie', ''],
  ['strict-transport-security', ''], ['transfer-encoding', ''], ['user-agent', ''], ['vary', ''], ['via', ''],
  ['www-authenticate', ''],
]

/** The block of a request: each field a literal without indexing, its name from the static table where it is there. */
export function encodeBlock(fields) {
  return Buffer.concat(fields.flatMap(([name, value]) => encodeField(name, value)))
}

/**
 * Blocks of one connection as the clients of gRPC write them, for a peer that has a dynamic table: what has come before is an index,
 * everything else but the path enters the table. They are few enough that nothing has to leave it.
 */
export class IndexingEncoder {
  #table = []

  block(fields) {
    return Buffer.concat(fields.flatMap((field) => this.#field(field)))
  }

  #field([name, value]) {
    const index = [...STATIC_TABLE, ...this.#table].findIndex((known) => known[0] === name && known[1] === value) + 1
    if (index > 0) return [encodeInteger(0x80, 7, index)]
    if (name === ':path') return encodeField(name, value)
    this.#table.unshift([name, value])
    return encodeField(name, value, 0x40, 6)
  }
}

/** A literal; `head` and `prefixBits` say whether it enters the dynamic table. */
function encodeField(name, value, head = 0, prefixBits = 4) {
  const index = STATIC_TABLE.findIndex(([known]) => known === name) + 1
  const nameBytes = encodeInteger(head, prefixBits, index)
  return [nameBytes, ...(index > 0 ? [] : encodeString(name)), ...encodeString(value)]
}

function encodeString(text) {
  const bytes = Buffer.from(text, 'latin1')
  return [encodeInteger(0, 7, bytes.length), bytes]
}

/** `head` has the bits above those `prefixBits` that begin the integer. */
function encodeInteger(head, prefixBits, value) {
  const most = (1 << prefixBits) - 1
  if (value < most) return Buffer.from([head | value])
  const bytes = [head | most]
  let rest = value - most
  while (rest >= 128) {
    bytes.push((rest & 127) | 128)
    rest >>>= 7
  }
  return Buffer.from([...bytes, rest])
}

/** The fields of a block as [name, value]. Fails on a reference to a dynamic table, which its sender was told not to have. */
export function decodeBlock(block) {
  const input = { block, at: 0 }
  const fields = []
  while (input.at < block.length) {
    const first = block[input.at]
    if (first & 0x80) fields.push(known(takeInteger(input, 7)))
    else if (first & 0x40) fields.push(takeLiteral(input, 6))
    else if (first & 0x20) expectNoTable(takeInteger(input, 5))
    else fields.push(takeLiteral(input, 4))
  }
  return fields
}

function takeLiteral(input, prefixBits) {
  const index = takeInteger(input, prefixBits)
  const name = index === 0 ? takeString(input) : known(index)[0]
  return [name, takeString(input)]
}

function known(index) {
  const field = STATIC_TABLE[index - 1]
  if (field === undefined)
    throw new Error(`a header block refers to entry ${index} of a dynamic table that has no room`)
  return field
}

function expectNoTable(size) {
  if (size > 0) throw new Error(`a header block has a dynamic table of ${size} bytes, and was allowed none`)
}

function takeString(input) {
  const huffman = (input.block[input.at] & 0x80) !== 0
  const length = takeInteger(input, 7)
  const bytes = input.block.subarray(input.at, input.at + length)
  if (bytes.length < length) throw new Error('a header block ends within a string')
  input.at += length
  return huffman ? decodeHuffman(bytes) : bytes.toString('latin1')
}

function takeInteger(input, prefixBits) {
  const most = (1 << prefixBits) - 1
  let value = takeByte(input) & most
  if (value < most) return value
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = takeByte(input)
    value += (byte & 127) << shift
    if (byte < 128) return value
  }
  throw new Error('an integer of a header block is too long')
}

function takeByte(input) {
  if (input.at >= input.block.length) throw new Error('a header block ends within a field')
  return input.block[input.at++]
}
