/**
 * Entity keys: the values of a view's join keys as canonical bytes, and the shard they belong to.
 *
 * Layout: for each join key, in byte order of the join keys' names, a string is `S`, its UTF-8 length as a varint and
 * its bytes; an int64 is `I` and eight big-endian bytes with the sign bit flipped (so that bytes sort as numbers do).
 * The lengths make the concatenation unambiguous. Golden vectors in the tests hold this layout and the hash for ever:
 * a change would strand every stored row.
 *
 * A key travels as a latin-1 string with one character a byte, because a string is what a cache can look up; the bytes
 * of a request's string are taken as they are, without decoding.
 */
import { isUtf8 } from 'node:buffer'
import { murmur3 } from '../lib/murmur3.ts'
import { TwinstoreError } from './errors.ts'

export const KEY_TYPES = ['string', 'int64'] as const
export type KeyType = (typeof KEY_TYPES)[number]
export type KeyValue = string | bigint

declare const entityKeyBrand: unique symbol
declare const rowKeyBrand: unique symbol
declare const shardBrand: unique symbol

/** Canonical bytes of one entity's join-key values, one latin-1 character a byte. */
export type EntityKey = string & { readonly [entityKeyBrand]: true }
/** What an online store is asked for: the view's storage id, `/`, and the entity key. */
export type RowKey = string & { readonly [rowKeyBrand]: true }
export type Shard = number & { readonly [shardBrand]: true }

/** One string join key from its UTF-8 bytes given as a latin-1 string. */
export function stringKeyPart(latin1Utf8: string): string {
  const length = latin1Utf8.length
  if (length < 0x80) return `S${String.fromCharCode(length)}${latin1Utf8}`
  let prefix = 'S'
  let rest = length
  while (rest >= 0x80) {
    prefix += String.fromCharCode((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return prefix + String.fromCharCode(rest) + latin1Utf8
}

/** One int64 join key from the two unsigned halves of its two's complement. */
export function int64KeyPart(high: number, low: number): string {
  const biased = (high ^ 0x80000000) >>> 0
  return String.fromCharCode(
    0x49,
    biased >>> 24,
    (biased >>> 16) & 0xff,
    (biased >>> 8) & 0xff,
    biased & 0xff,
    low >>> 24,
    (low >>> 16) & 0xff,
    (low >>> 8) & 0xff,
    low & 0xff,
  )
}

export function keyPart(type: KeyType, value: KeyValue): string {
  if (type === 'string') return stringKeyPart(Buffer.from(value as string, 'utf8').toString('latin1'))
  const bits = BigInt.asUintN(64, value as bigint)
  return int64KeyPart(Number(bits >> 32n), Number(bits & 0xffffffffn))
}

/** The key of join-key values in canonical order (`FeatureView.joinKeys` is in that order). */
export function entityKey(types: readonly KeyType[], values: readonly KeyValue[]): EntityKey {
  let key = ''
  for (let index = 0; index < types.length; index++) key += keyPart(types[index]!, values[index]!)
  return key as EntityKey
}

/** The join-key values of a key; DATA_LOSS if the bytes are not such a key. */
export function decodeEntityKey(types: readonly KeyType[], key: EntityKey): KeyValue[] {
  const bytes = Buffer.from(key, 'latin1')
  const values: KeyValue[] = []
  let at = 0
  for (const type of types) {
    const tag = bytes[at++]
    if (type === 'int64') {
      if (tag !== 0x49 || at + 8 > bytes.length) throw badKey(key)
      values.push(BigInt.asIntN(64, bytes.readBigUInt64BE(at) ^ 0x8000000000000000n))
      at += 8
      continue
    }
    if (tag !== 0x53) throw badKey(key)
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined || shift > 28) throw badKey(key)
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    if (at + length > bytes.length || !isUtf8(bytes.subarray(at, at + length))) throw badKey(key)
    values.push(bytes.toString('utf8', at, at + length))
    at += length
  }
  if (at !== bytes.length) throw badKey(key)
  return values
}

function badKey(key: string): TwinstoreError {
  return new TwinstoreError('DATA_LOSS', `corrupt entity key ${Buffer.from(key, 'latin1').toString('hex')}`)
}

export function rowKey(storageId: string, key: EntityKey): RowKey {
  return `${storageId}/${key}` as RowKey
}

/** Splits a row key; a storage id never contains `/`. */
export function splitRowKey(key: RowKey): { readonly storageId: string; readonly entityKey: EntityKey } {
  const slash = key.indexOf('/')
  return { storageId: key.slice(0, slash), entityKey: key.slice(slash + 1) as EntityKey }
}

/** The shard of an entity: MurmurHash3 (x86, 32 bits, seed 0) of the key's bytes, modulo the store's fixed count. */
export function shardOf(key: EntityKey, shardCount: number): Shard {
  return (shardCount === 1 ? 0 : murmur3(key) % shardCount) as Shard
}

/** The shard of the row's entity, without cutting the key out of it. */
export function shardOfRow(key: RowKey, shardCount: number): Shard {
  return (shardCount === 1 ? 0 : murmur3(key, 0, key.indexOf('/') + 1) % shardCount) as Shard
}
