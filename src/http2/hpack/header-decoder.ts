/**
 * Header blocks to header lists (RFC 7541).
 *
 * A client sends the same headers with every call, and its blocks soon consist of the same few indexes. Those blocks are recognised
 * by their bytes: a block that left the dynamic table as it was, for the second time, is remembered with its list until the table
 * changes. So a usual block costs one comparison of its bytes, and equal blocks give the same list.
 *
 * Not the first time, because most connections of a server that has ten thousand have hardly any calls: what is remembered of a block
 * takes a kilobyte. `rest` forgets it all.
 */
import { ConnectionFault, ERROR } from '../protocol.ts'
import { DynamicTable } from './dynamic-table.ts'
import { FIELD_OVERHEAD, type HeaderList } from './header-list.ts'
import { decodedBytesMax, decodeHuffman } from './huffman.ts'
import { STATIC_TABLE } from './static-table.ts'

export interface HeaderDecoderLimits {
  /** What SETTINGS_HEADER_TABLE_SIZE told the peer, bytes. */
  readonly tableBytesMax: number
  /** What SETTINGS_MAX_HEADER_LIST_SIZE told the peer, bytes. */
  readonly listBytesMax: number
}

/** A power of two, at most the bits of an integer. A client with more kinds of calls than this on one connection has them decoded. */
const REMEMBERED_BLOCKS = 32
/**
 * Longer blocks, and lists, are hardly those of a usual call, and remembering them would cost memory: a block of 512 indexes can stand for
 * 16 KiB of headers. Lists are measured as SETTINGS_MAX_HEADER_LIST_SIZE is.
 */
const REMEMBERED_BYTES_MAX = 512
const REMEMBERED_LIST_BYTES_MAX = 2048

interface RememberedBlock {
  readonly bytes: Buffer
  readonly tableVersion: number
  readonly list: HeaderList
}

export class HeaderDecoder {
  readonly #tableBytesMax: number
  readonly #listBytesMax: number
  readonly #table: DynamicTable
  /** By slot. Made for the first block that came again. */
  #remembered: (RememberedBlock | undefined)[] | undefined
  /** A bit for each slot that a block which could be remembered has fallen into. */
  #seen = 0
  #block: Buffer = EMPTY
  #at = 0
  #end = 0

  constructor({ tableBytesMax, listBytesMax }: HeaderDecoderLimits) {
    this.#tableBytesMax = tableBytesMax
    this.#listBytesMax = listBytesMax
    this.#table = new DynamicTable(tableBytesMax)
  }

  /** The list of the whole block `block[from, to)`. A `ConnectionFault` if it is malformed: the table is then lost. */
  decode(block: Buffer, from: number, to: number): HeaderList {
    const slot = slotOf(block, from, to)
    const known = this.#remembered?.[slot]
    if (known !== undefined && known.tableVersion === this.#table.version && isSame(known.bytes, block, from, to)) {
      return known.list
    }
    const before = this.#table.version
    const list = this.#decodeFields(block, from, to)
    const isUsual = to - from <= REMEMBERED_BYTES_MAX && list.bytes <= REMEMBERED_LIST_BYTES_MAX
    if (this.#table.version === before && isUsual) {
      if ((this.#seen & (1 << slot)) !== 0) {
        this.#remembered ??= new Array(REMEMBERED_BLOCKS).fill(undefined)
        this.#remembered[slot] = { bytes: Buffer.from(block.subarray(from, to)), tableVersion: before, list }
      }
      this.#seen |= 1 << slot
    }
    return list
  }

  /** No call is under way, and may not be for a while. */
  rest(): void {
    this.#remembered = undefined
    this.#seen = 0
  }

  #decodeFields(block: Buffer, from: number, to: number): HeaderList {
    this.#block = block
    this.#at = from
    this.#end = to
    const fields: string[] = []
    let bytes = 0
    let hasField = false
    while (this.#at < to) {
      const first = block[this.#at]!
      let name: string
      let value: string
      if (first >= 0x80) {
        // Section 6.1: an indexed field.
        const index = this.#integer(7)
        name = this.#nameAt(index)
        value = this.#valueAt(index)
      } else if (first >= 0x20 && first < 0x40) {
        // Section 6.3: a new size of the table, only before the first field (section 4.2).
        if (hasField) throw malformed('a table size update follows a field')
        const bytesMax = this.#integer(5)
        if (bytesMax > this.#tableBytesMax) throw malformed(`a table of ${bytesMax} bytes was not offered`)
        this.#table.resize(bytesMax)
        continue
      } else {
        // Section 6.2: a literal, which is added to the table, or not, or never.
        const isAdded = first >= 0x40
        const index = this.#integer(isAdded ? 6 : 4)
        name = index === 0 ? this.#string() : this.#nameAt(index)
        value = this.#string()
        if (isAdded) this.#table.add(name, value)
      }
      hasField = true
      bytes += name.length + value.length + FIELD_OVERHEAD
      // The block is read to its end all the same: later blocks refer to what it adds to the table.
      if (bytes <= this.#listBytesMax) fields.push(name, value)
    }
    this.#block = EMPTY
    return { fields, bytes, isTooLarge: bytes > this.#listBytesMax, memo: undefined }
  }

  #nameAt(index: number): string {
    if (index <= STATIC_TABLE.length && index > 0) return STATIC_TABLE[index - 1]![0]
    return this.#table.name(this.#dynamic(index))
  }

  #valueAt(index: number): string {
    if (index <= STATIC_TABLE.length && index > 0) return STATIC_TABLE[index - 1]![1]
    return this.#table.value(this.#dynamic(index))
  }

  #dynamic(index: number): number {
    const dynamic = index - STATIC_TABLE.length - 1
    if (index === 0 || dynamic >= this.#table.count) throw malformed(`there is no field with index ${index}`)
    return dynamic
  }

  /** Section 5.1. What does not fit in 28 bits is no length or index of ours. */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1
    let value = this.#byte() & mask
    if (value < mask) return value
    for (let shift = 0; ; shift += 7) {
      if (shift > 21) throw malformed('an integer is too large')
      const byte = this.#byte()
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  #byte(): number {
    if (this.#at >= this.#end) throw malformed('a header block ends within a field')
    return this.#block[this.#at++]!
  }

  /** Section 5.2. */
  #string(): string {
    const isHuffman = this.#at < this.#end && this.#block[this.#at]! >= 0x80
    const length = this.#integer(7)
    const from = this.#at
    const to = from + length
    if (to > this.#end) throw malformed('a header block ends within a string')
    this.#at = to
    if (!isHuffman) return this.#block.toString('latin1', from, to)
    const room = decodedBytesMax(length)
    if (room > scratch.length) scratch = Buffer.allocUnsafeSlow(room)
    return scratch.toString('latin1', 0, decodeHuffman(this.#block, from, to, scratch))
  }
}

const EMPTY = Buffer.alloc(0)
/** Of all decoders: a string is out of it before the next is decoded. */
let scratch = Buffer.allocUnsafeSlow(4096)

function slotOf(block: Buffer, from: number, to: number): number {
  // Blocks of different calls differ in length, or in the last fields, where grpc-timeout and the like stand.
  const last = to > from ? block[to - 1]! : 0
  const middle = to > from ? block[(from + to) >>> 1]! : 0
  return ((to - from) * 31 + last * 7 + middle) & (REMEMBERED_BLOCKS - 1)
}

function isSame(known: Buffer, block: Buffer, from: number, to: number): boolean {
  if (known.length !== to - from) return false
  for (let index = 0; index < known.length; index++) if (known[index] !== block[from + index]) return false
  return true
}

function malformed(problem: string): ConnectionFault {
  return new ConnectionFault(ERROR.compressionError, `a header block is malformed: ${problem} (RFC 7541)`)
}
