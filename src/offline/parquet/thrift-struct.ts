/**
 * Structs of Thrift's compact protocol as data that can be changed and written again: the metadata of a Parquet file, whoever
 * wrote it and whatever fields it has. What is read and not changed is written as it was.
 * Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
import assert from 'node:assert/strict'

/** Type codes of the protocol. Both bools are values in themselves. */
const TRUE = 1
const FALSE = 2
const BYTE = 3
const INT16 = 4
const INT64 = 6
const DOUBLE = 7
const BINARY = 8
const LIST = 9
const SET = 10
const STRUCT = 12

/** Integers are bigints, doubles and binaries their bytes. Maps do not occur in Parquet. */
export type ThriftValue = boolean | bigint | Buffer | ThriftList | ThriftStruct

export interface ThriftList {
  readonly itemType: number
  readonly items: readonly ThriftValue[]
}

export interface ThriftField {
  readonly type: number
  readonly value: ThriftValue
}

/** By field number, in ascending order as they are written. */
export type ThriftStruct = ReadonlyMap<number, ThriftField>

/** Throws a RangeError where the bytes end too early and an AssertionError where they are no struct. */
export function readStruct(bytes: Buffer): ThriftStruct {
  return new StructReader(bytes).struct()
}

export function writeStruct(struct: ThriftStruct): Buffer {
  const parts: Buffer[] = []
  pushStruct(parts, struct)
  return Buffer.concat(parts)
}

/** The struct with the fields of `changes` in place of its own. */
export function changed(
  struct: ThriftStruct,
  changes: readonly (readonly [number, ThriftValue | undefined])[],
): ThriftStruct {
  const fields = new Map(struct)
  for (const [id, value] of changes) {
    const field = fields.get(id)
    if (field !== undefined && value !== undefined) fields.set(id, { ...field, value })
  }
  return fields
}

class StructReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  struct(): ThriftStruct {
    const fields = new Map<number, ThriftField>()
    let id = 0
    for (;;) {
      const head = this.#byte()
      if (head === 0) return fields
      const delta = head >> 4
      id = delta === 0 ? Number(this.#zigzag()) : id + delta
      const type = head & 15
      fields.set(id, { type, value: type === TRUE || type === FALSE ? type === TRUE : this.#value(type) })
    }
  }

  #value(type: number): ThriftValue {
    if (type === TRUE || type === FALSE) return this.#byte() === TRUE
    if (type === BYTE) return BigInt(this.#byte())
    if (type >= INT16 && type <= INT64) return this.#zigzag()
    if (type === DOUBLE) return this.#take(8)
    if (type === BINARY) return this.#take(Number(this.#varint()))
    if (type === LIST || type === SET) return this.#list()
    assert.equal(type, STRUCT, 'an unknown type of the compact protocol')
    return this.struct()
  }

  #list(): ThriftList {
    const head = this.#byte()
    const count = head >> 4 === 15 ? Number(this.#varint()) : head >> 4
    const itemType = head & 15
    return { itemType, items: Array.from({ length: count }, () => this.#value(itemType)) }
  }

  #byte(): number {
    return this.#bytes.readUInt8(this.#at++)
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError('the bytes end within a value')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  #varint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  #zigzag(): bigint {
    const value = this.#varint()
    return (value >> 1n) ^ -(value & 1n)
  }
}

function pushStruct(parts: Buffer[], struct: ThriftStruct): void {
  let previous = 0
  for (const [id, { type, value }] of struct) {
    const delta = id - previous
    const isShort = delta > 0 && delta < 16
    const fieldType = typeof value === 'boolean' ? (value ? TRUE : FALSE) : type
    parts.push(Buffer.from([(isShort ? delta << 4 : 0) | fieldType]))
    if (!isShort) parts.push(zigzag(BigInt(id)))
    if (typeof value !== 'boolean') pushValue(parts, type, value)
    previous = id
  }
  parts.push(Buffer.from([0]))
}

function pushValue(parts: Buffer[], type: number, value: ThriftValue): void {
  if (typeof value === 'boolean') parts.push(Buffer.from([value ? TRUE : FALSE]))
  else if (typeof value === 'bigint') parts.push(type === BYTE ? Buffer.from([Number(value)]) : zigzag(value))
  else if (Buffer.isBuffer(value)) {
    if (type === BINARY) parts.push(varint(BigInt(value.length)))
    parts.push(value)
  } else if ('items' in value) pushList(parts, value)
  else pushStruct(parts, value)
}

function pushList(parts: Buffer[], { itemType, items }: ThriftList): void {
  parts.push(Buffer.from([(Math.min(items.length, 15) << 4) | itemType]))
  if (items.length >= 15) parts.push(varint(BigInt(items.length)))
  for (const item of items) pushValue(parts, itemType, item)
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

function zigzag(value: bigint): Buffer {
  return varint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)))
}
