/**
 * Samples of entities by the hash of their key: whole entities, the same ones in every run and in both stores, so that what a
 * comparison finds can be looked at again, and parts that together are everything.
 *
 * The hash is MurmurHash3 of the key's characters, as for the shard, with another seed: a sample then has its share of every
 * shard. Golden vectors in the tests hold it for ever, so that a fault keeps its part over versions of the program.
 */
import { murmur3 } from '../lib/murmur3.ts'
import type { EntityKey, RowKey } from './entity-key.ts'

/** Part `part`, from 0, of `parts` about equal ones. */
export interface KeySample {
  readonly parts: number
  readonly part: number
}

export const ALL_KEYS: KeySample = { parts: 1, part: 0 }

/** "twin" in ASCII. */
const SEED = 0x7477696e

export function isInSample(key: EntityKey, { parts, part }: KeySample): boolean {
  return parts === 1 || murmur3(key, SEED) % parts === part
}

/** The same of the row's entity, without cutting the key out of it. */
export function isRowInSample(key: RowKey, { parts, part }: KeySample): boolean {
  return parts === 1 || murmur3(key, SEED, key.indexOf('/') + 1) % parts === part
}
