/**
 * The names of the store's keys. All keys of a shard have the tag `{project:shard}`, so that one script may touch them; see
 * docs/decisions/011. Only values begin with the tag: that prefix is what connections track.
 */
import { type RowKey, type Shard, shardOfRow } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { HashTag } from './redis-link.ts'
import { digitsOf, writeLineEnd, writeNumber } from './resp-bytes.ts'

const PROJECT = /^[A-Za-z0-9_.-]{1,64}$/

/** What the keys of every value of a project begin with. */
export function valuePrefix(project: string): string {
  return `{${project}:`
}

/** Keys that exist once per store. */
export interface StoreKeys {
  readonly tag: HashTag
  readonly header: string
  readonly marks: string
  readonly claims: string
  /** The last reserved position. */
  readonly reserved: string
}

export interface ShardKeys {
  readonly shard: Shard
  readonly tag: HashTag
  readonly state: string
  readonly outbox: string
  /** The write ids the shard remembers, by age. */
  readonly ids: string
  /** Followed by a write id: what became of that write here. */
  readonly recordPrefix: string
  /** Followed by a row key: the value. */
  readonly valuePrefix: string
}

export function storeKeys(project: string): StoreKeys {
  if (!PROJECT.test(project)) {
    const allowed = 'letters, digits, dots, hyphens and underscores, up to 64'
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      `project ${JSON.stringify(project)} cannot name keys in Redis: use ${allowed}`,
    )
  }
  const of = (kind: string): string => `${kind}:{${project}}`
  return { tag: project, header: of('header'), marks: of('marks'), claims: of('claims'), reserved: of('reserved') }
}

export function shardKeys(project: string, shardCount: number): readonly ShardKeys[] {
  return Array.from({ length: shardCount }, (_, shard) => {
    const tag = `${project}:${shard}`
    return {
      shard: shard as Shard,
      tag,
      state: `state:{${tag}}`,
      outbox: `outbox:{${tag}}`,
      ids: `ids:{${tag}}`,
      recordPrefix: `id:{${tag}}`,
      valuePrefix: `{${tag}}`,
    }
  })
}

/** A row key may hold any byte; its characters are its bytes. */
export function valueKey(keys: ShardKeys, key: RowKey): Buffer {
  return Buffer.from(keys.valuePrefix + key, 'latin1')
}

/**
 * An MGET of the values of rows as Redis reads it. Character by character into one buffer: a buffer per key was a tenth of what
 * reading 100 rows costs, and strings put together piece by piece half of that.
 */
export function encodeMget({ valuePrefix }: ShardKeys, keys: readonly RowKey[]): Buffer {
  const head = `*${keys.length + 1}\r\n$4\r\nMGET\r\n`
  let length = head.length
  for (let index = 0; index < keys.length; index++) {
    const nameLength = valuePrefix.length + keys[index]!.length
    length += 1 + digitsOf(nameLength) + 2 + nameLength + 2
  }
  const bytes = Buffer.allocUnsafe(length)
  let at = writeLatin1(bytes, 0, head)
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index]!
    bytes[at++] = 0x24
    at = writeNumber(bytes, at, valuePrefix.length + key.length)
    at = writeLineEnd(bytes, at)
    at = writeLatin1(bytes, at, valuePrefix)
    at = writeLatin1(bytes, at, key)
    at = writeLineEnd(bytes, at)
  }
  return bytes
}

function writeLatin1(bytes: Buffer, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index)
  return at + text.length
}

export function rowKeyOf(valueKey: Buffer): RowKey {
  return valueKey.toString('latin1', valueKey.indexOf(0x7d) + 1) as RowKey
}

/** The indexes of items by the shard of their key, in the order of the items. */
export function byShard(keys: readonly RowKey[], shardCount: number): ReadonlyMap<Shard, readonly number[]> {
  const groups = new Map<Shard, number[]>()
  for (const [index, key] of keys.entries()) {
    const shard = shardOfRow(key, shardCount)
    const group = groups.get(shard)
    if (group === undefined) groups.set(shard, [index])
    else group.push(index)
  }
  return groups
}
