/**
 * Row keys that were asked for lately, by the bytes of the request that they are made of, so that a string which exists is not made
 * again.
 *
 * Cutting a key out of a request, putting its view before it, hashing and comparing what comes out cost 160 ns, the half of a
 * row that is answered from L1. A hash of the bytes, a comparison with the bytes of what is in their place, and a look-up by a string
 * that is its own key make no garbage and cost a third (Node 20). Bytes are compared with bytes: V8 reads a character of a string
 * through its hidden class, of which there are too many kinds here, and needed three times as long for the whole.
 *
 * Where a key's hash points there is only a number: that of a slot, which are given out one after the other. So keys that are asked for
 * together are next to each other, and what few keys use is little.
 *
 * Bound: 65,536 places of a key each, 4 MiB of bytes (touched as they are used) and the strings. Two places next to each other are
 * one set: the newer key is in its own place, the one that was there moves beside it. A key has at most 127 bytes after its view.
 */
import type { RowKey } from '../domain/entity-key.ts'

const PLACE_BITS = 16
const PLACES = 2 ** PLACE_BITS
/** A cache line: the prefix in one byte, the string's length in one, and what fits of its bytes. */
const SLOT_BYTES = 64
/** Prefixes that are told apart; 0 is that of no key. When more come, everything is forgotten. */
const PREFIXES_MAX = 255
const FNV_PRIME = 0x01000193
const FNV_BASIS = 0x811c9dc5
/** Odd, half of its bits set: the multiplier of MurmurHash3's last step. */
const MIX = 0x85ebca6b | 0

export class KnownKeys {
  /** By place: the slot of the key that is there; slot 0 holds none. */
  readonly #slots = new Uint32Array(PLACES)
  /** By slot. */
  readonly #keys = new Array<string>(PLACES + 1).fill('')
  readonly #bytes = new Uint8Array((PLACES + 1) * SLOT_BYTES)
  #slotsUsed = 0
  readonly #prefixes = new Map<string, number>()

  /**
   * Keys of one view whose join key is a string: `prefix`, then of each string `S`, its length in one byte, and its bytes. `starts` has
   * where each length is in `bytes`.
   */
  of(prefix: string, bytes: Buffer, starts: readonly number[]): RowKey[] {
    const prefixNumber = this.#prefixes.get(prefix) ?? this.#newPrefix(prefix)
    const keys = new Array<RowKey>(starts.length)
    for (let index = 0; index < starts.length; index++) {
      const start = starts[index]!
      keys[index] = this.#key(prefix, prefixNumber, bytes, start, start + 1 + bytes[start]!) as RowKey
    }
    return keys
  }

  #key(prefix: string, prefixNumber: number, bytes: Buffer, start: number, end: number): string {
    const place = placeOf(prefixNumber, bytes, start, end)
    const slot = this.#slots[place]!
    if (this.#isIn(slot, prefixNumber, bytes, start, end)) return this.#keys[slot]!
    const beside = place ^ 1
    const other = this.#slots[beside]!
    if (this.#isIn(other, prefixNumber, bytes, start, end)) return this.#keys[other]!
    let free = slot
    if (slot !== 0) {
      this.#slots[beside] = slot
      free = other
    }
    if (free === 0) free = ++this.#slotsUsed
    this.#slots[place] = free
    // Through bytes, so that it is one flat string: what V8 puts together from pieces is taken apart at each comparison.
    const key = Buffer.from(`${prefix}S${bytes.toString('latin1', start, end)}`, 'latin1').toString('latin1')
    this.#keys[free] = key
    const from = free * SLOT_BYTES
    this.#bytes[from] = prefixNumber
    this.#bytes.set(bytes.subarray(start, Math.min(end, start + SLOT_BYTES - 1)), from + 1)
    return key
  }

  #isIn(slot: number, prefixNumber: number, bytes: Buffer, start: number, end: number): boolean {
    const known = this.#bytes
    let from = slot * SLOT_BYTES
    if (known[from++] !== prefixNumber) return false
    const inSlot = Math.min(end, start + SLOT_BYTES - 1)
    for (let at = start; at < inSlot; at++, from++) if (known[from] !== bytes[at]) return false
    if (inSlot === end) return true
    // The first byte is the length, so that the key ends where these bytes do.
    const key = this.#keys[slot]!
    for (let at = end - 1, to = key.length - 1; at >= inSlot; at--, to--)
      if (key.charCodeAt(to) !== bytes[at]) return false
    return true
  }

  #newPrefix(prefix: string): number {
    if (this.#prefixes.size === PREFIXES_MAX) {
      this.#prefixes.clear()
      this.#slots.fill(0)
      this.#keys.fill('')
      this.#slotsUsed = 0
    }
    this.#prefixes.set(prefix, this.#prefixes.size + 1)
    return this.#prefixes.size
  }
}

/** FNV-1a, and a multiplication that brings what differs only in the last byte to the bits that are used. */
function placeOf(prefixNumber: number, bytes: Buffer, start: number, end: number): number {
  let hash = Math.imul(FNV_BASIS ^ prefixNumber, FNV_PRIME)
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME)
  hash = Math.imul(hash ^ (hash >>> 15), MIX)
  return hash >>> (32 - PLACE_BITS)
}
