/** What a store is, written once when it is created, and its running counters. */
import { TwinstoreError } from '../../domain/errors.ts'
import type { Environment } from './environment.ts'
import { REBUILD } from './lmdb-error.ts'
import { readUint64, writeUint64 } from './uint64.ts'

const FORMAT = 1
/** One disk serves all shards of an embedded store: more would only mean more, smaller offline commits. */
const DEFAULT_SHARDS = 1
const HEADER_KEY = Buffer.from('header')
const COUNTERS_KEY = Buffer.from('counters')

export interface StoreHeader {
  readonly format: number
  readonly storeId: string
  readonly shardCount: number
}

/**
 * `wanted.shardCount` 0 takes what there is. Must run in a transaction: of two processes that create a store, one's header is the
 * store's.
 */
export function readOrCreateHeader(
  env: Environment,
  dir: string,
  wanted: { readonly storeId: string; readonly shardCount: number },
): StoreHeader {
  const bytes = env.meta.get(HEADER_KEY)
  if (bytes === undefined) {
    const header: StoreHeader = { format: FORMAT, ...wanted, shardCount: wanted.shardCount || DEFAULT_SHARDS }
    env.meta.put(HEADER_KEY, Buffer.from(JSON.stringify(header)))
    return header
  }
  const header = parseHeader(dir, bytes)
  if (wanted.shardCount !== 0 && header.shardCount !== wanted.shardCount) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `the online store in ${dir} was created with ${header.shardCount} shards and cannot be opened with ${wanted.shardCount}: the shard count is fixed at creation, leave out option shard-count, set it to ${header.shardCount}, or give another folder`,
    )
  }
  return header
}

function parseHeader(dir: string, bytes: Buffer): StoreHeader {
  let header: Partial<StoreHeader>
  try {
    header = JSON.parse(bytes.toString('utf8')) as Partial<StoreHeader>
  } catch (cause) {
    throw new TwinstoreError('DATA_LOSS', `the header of the online store in ${dir} is damaged: ${REBUILD}`, { cause })
  }
  const { format, storeId, shardCount } = header
  if (format !== FORMAT) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `the online store in ${dir} has format ${format}, this program reads and writes ${FORMAT}: use the program version that made it, or give another folder (--online lmdb:<dir>)`,
    )
  }
  if (typeof storeId !== 'string' || typeof shardCount !== 'number') {
    throw new TwinstoreError('DATA_LOSS', `the header of the online store in ${dir} is damaged: ${REBUILD}`)
  }
  return { format, storeId, shardCount }
}

/**
 * One position counter for all shards: LMDB has one writer at a time, so the stronger order (across shards too) costs
 * nothing, and `reservePosition` needs no look at every shard.
 */
export interface Counters {
  /** The greatest position given or seen so far. */
  readonly position: number
  /** Bytes of keys and rows in the outbox. */
  readonly outboxBytes: number
}

export function readCounters(env: Environment): Counters {
  const bytes = env.meta.get(COUNTERS_KEY)
  if (bytes === undefined) return { position: 0, outboxBytes: 0 }
  return { position: readUint64(bytes, 0), outboxBytes: readUint64(bytes, 8) }
}

export function writeCounters(env: Environment, counters: Counters): void {
  const bytes = Buffer.allocUnsafeSlow(16)
  writeUint64(bytes, counters.position, 0)
  writeUint64(bytes, counters.outboxBytes, 8)
  env.meta.put(COUNTERS_KEY, bytes)
}
