/**
 * The compact protocol of Thrift, as far as the metadata of a Parquet file needs it.
 * Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
import { varint64Bytes } from '../../lib/wire.ts'

/** A value with its Thrift type. */
export type Thrift =
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'i32' | 'i64'; readonly value: number }
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'list'; readonly items: readonly Thrift[] }
  | { readonly type: 'struct'; readonly fields: Fields }

/** By field number, in ascending order. */
type Fields = readonly (readonly [number, Thrift])[]

export const bool = (value: boolean): Thrift => ({ type: 'bool', value })
export const i32 = (value: number): Thrift => ({ type: 'i32', value })
export const i64 = (value: number): Thrift => ({ type: 'i64', value })
export const text = (value: string): Thrift => ({ type: 'text', value })
export const list = (items: readonly Thrift[]): Thrift => ({ type: 'list', items })
export const struct = (...fields: Fields): Thrift => ({ type: 'struct', fields })

export function encodeThrift(value: Thrift): Buffer {
  switch (value.type) {
    case 'bool':
      throw new Error('a bool is part of the head of its field')
    case 'i32':
    case 'i64':
      return zigzag(value.value)
    case 'text': {
      const bytes = Buffer.from(value.value)
      return Buffer.concat([varint(bytes.length), bytes])
    }
    case 'list':
      return Buffer.concat([listHead(value.items), ...value.items.map(encodeThrift)])
    case 'struct':
      return encodeFields(value.fields)
  }
}

function encodeFields(fields: Fields): Buffer {
  const parts: Buffer[] = []
  let previous = 0
  for (const [field, value] of fields) {
    // All field numbers of Parquet are so close to each other that the short form of a head does.
    parts.push(Buffer.from([((field - previous) << 4) | typeCode(value)]))
    if (value.type !== 'bool') parts.push(encodeThrift(value))
    previous = field
  }
  return Buffer.concat([...parts, Buffer.from([0])])
}

function listHead(items: readonly Thrift[]): Buffer {
  const of = items.length === 0 ? 0 : typeCode(items[0]!)
  if (items.length < 15) return Buffer.from([(items.length << 4) | of])
  return Buffer.concat([Buffer.from([0xf0 | of]), varint(items.length)])
}

function typeCode(value: Thrift): number {
  if (value.type === 'bool') return value.value ? 1 : 2
  return { i32: 5, i64: 6, text: 8, list: 9, struct: 12 }[value.type]
}

function varint(value: number): Buffer {
  return varint64Bytes(BigInt(value))
}

/** Of a value that is not negative; Parquet's metadata has no others. */
function zigzag(value: number): Buffer {
  return varint64Bytes(2n * BigInt(value))
}
