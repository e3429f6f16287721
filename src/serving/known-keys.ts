/**
 * Row keys that were asked for lately, by the bytes of the request that they are made of, so that a string which exists is not made
 * again.
 *
 * Cutting a key out of a request, putting its view before it, hashing and comparing what comes out cost 160 ns, the half of a
 * row that is answered from L1; a hash of the bytes, a comparison with the key in its place, and a look-up by a string that is its own
 * key cost 60 ns and make no garbage (Node 20).
 *
 * Bound: 65,536 places, a key each, which the next key with the same place replaces. A key has at most 127 bytes after its view.
 */
import type { RowKey } from '../domain/entity-key.ts'

const PLACES = 2 ** 16
const FNV_PRIME = 0x01000193
const FNV_BASIS = 0x811c9dc5

export class KnownKeys {
  readonly #keys = new Array<string>(PLACES).fill('')

  /**
   * Keys of one view whose join key is a string: `prefix`, then of each string `S`, its length in one byte, and its bytes. `starts` has
   * where each length is in `bytes`.
   */
  of(prefix: string, bytes: Buffer, starts: readonly number[]): RowKey[] {
    const seed = hashOf(prefix)
    const keys = new Array<RowKey>(starts.length)
    for (let index = 0; index < starts.length; index++) {
      const start = starts[index]!
      keys[index] = this.#key(prefix, seed, bytes, start, start + 1 + bytes[start]!) as RowKey
    }
    return keys
  }

  #key(prefix: string, seed: number, bytes: Buffer, start: number, end: number): string {
    let hash = seed
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME)
    const place = (hash ^ (hash >>> 15)) & (PLACES - 1)
    const known = this.#keys[place]!
    if (isKey(known, prefix, bytes, start, end)) return known
    // Through bytes, so that it is one flat string: what V8 puts together from pieces is taken apart at each comparison.
    const made = Buffer.from(`${prefix}S${bytes.toString('latin1', start, end)}`, 'latin1').toString('latin1')
    this.#keys[place] = made
    return made
  }
}

/** A prefix ends with the first `/` of a key, so that no two prefixes begin one key. */
function isKey(known: string, prefix: string, bytes: Buffer, start: number, end: number): boolean {
  const first = prefix.length + 1
  if (known.length !== first + end - start || !known.startsWith(prefix)) return false
  for (let at = start, to = first; at < end; at++, to++) if (known.charCodeAt(to) !== bytes[at]) return false
  return true
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = FNV_BASIS
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME)
  return hash
}
