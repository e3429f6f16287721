/** Reads rows: one MGET per shard, all nodes in parallel; a shard that does not answer is an error for its own keys. */
import type { RowKey } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { RowResult } from '../../domain/outcome.ts'
import { rowFault } from '../../domain/row-codec.ts'
import { keyName } from '../key-name.ts'
import type { ReadOptions } from '../online-store.ts'
import { readAborted } from '../read-aborted.ts'
import { redisError } from './redis-errors.ts'
import { byShard, encodeMget, type ShardKeys, valueKey } from './redis-keys.ts'
import { type RedisLink, type RedisReply, RedisReplyError, type SendOptions } from './redis-link.ts'

/** Keys of one MGET: half a megabyte of rows of 2 KB, which takes Redis some 0.2 ms, in which it answers nobody else. */
const SLICE_KEYS = 256

export interface ReaderParts {
  readonly link: RedisLink
  readonly shards: readonly ShardKeys[]
  readonly readTimeoutMs: number
}

export function readRows(
  { link, shards, readTimeoutMs }: ReaderParts,
  keys: readonly RowKey[],
  { signal, mayLag = false, shard }: ReadOptions,
): Promise<readonly RowResult[]> {
  if (signal?.aborted) return Promise.reject(readAborted(signal))
  const options: SendOptions = {
    timeoutMs: readTimeoutMs,
    attempts: 'once',
    mayLag,
    ...(signal === undefined ? {} : { signal }),
  }
  // As the read path asks: shard by shard, sixteen times for a request, so that each promise and each hash is felt.
  return shard === undefined ? readSeveral(link, shards, keys, options) : readSound(link, shards[shard]!, keys, options)
}

async function readSeveral(
  link: RedisLink,
  shards: readonly ShardKeys[],
  keys: readonly RowKey[],
  options: SendOptions,
): Promise<readonly RowResult[]> {
  const results = new Array<RowResult>(keys.length)
  const reads = [...byShard(keys, shards.length)].map(async ([shard, indexes]) => {
    const ofShard = indexes.map((index) => keys[index]!)
    const found = await readSound(link, shards[shard]!, ofShard, options)
    for (let at = 0; at < indexes.length; at++) results[indexes[at]!] = found[at]!
  })
  await Promise.all(reads)
  return results
}

/** Rejects only when the signal aborts; any other fault is that of each key. */
function readSound(
  link: RedisLink,
  shard: ShardKeys,
  keys: readonly RowKey[],
  options: SendOptions,
): Promise<readonly RowResult[]> {
  const { signal } = options
  const read = keys.length <= SLICE_KEYS ? readSlice : readSlices
  return read(link, shard, keys, options).then(
    (found) => {
      if (signal?.aborted) throw readAborted(signal)
      const results = new Array<RowResult>(keys.length)
      for (let at = 0; at < keys.length; at++) results[at] = soundRow(keys[at]!, found[at])
      return results
    },
    (error) => {
      if (signal?.aborted) throw readAborted(signal)
      return new Array<RowResult>(keys.length).fill(redisError(error))
    },
  )
}

/** One after another: what is asked for when the signal aborts still has to be taken in. */
async function readSlices(
  link: RedisLink,
  shard: ShardKeys,
  keys: readonly RowKey[],
  options: SendOptions,
): Promise<readonly RedisReply[]> {
  const found: RedisReply[] = []
  while (found.length < keys.length) {
    found.push(...(await readSlice(link, shard, keys.slice(found.length, found.length + SLICE_KEYS), options)))
  }
  return found
}

function readSlice(
  link: RedisLink,
  shard: ShardKeys,
  keys: readonly RowKey[],
  options: SendOptions,
): Promise<readonly RedisReply[]> {
  const command = { name: 'MGET', args: [], encoded: encodeMget(shard, keys) }
  const reply = link.send(shard.tag, command, options) as Promise<readonly RedisReply[]>
  return reply.catch((error) => {
    if (!(error instanceof RedisReplyError) || error.code !== 'TRYAGAIN') throw error
    // The slot is being moved, some keys are here and some there: each can be asked for alone.
    return Promise.all(keys.map((key) => link.send(shard.tag, { name: 'GET', args: [valueKey(shard, key)] }, options)))
  })
}

function soundRow(key: RowKey, row: RedisReply | undefined): RowResult {
  if (!Buffer.isBuffer(row)) return null
  const fault = rowFault(row)
  if (fault === undefined) return row
  return new TwinstoreError('DATA_LOSS', `${fault.message} (${keyName(key)}): write the row again`)
}
