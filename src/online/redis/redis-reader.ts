/** Reads rows: one MGET per shard, all nodes in parallel; a shard that does not answer is an error for its own keys. */
import type { RowKey } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { RowResult } from '../../domain/outcome.ts'
import { rowFault } from '../../domain/row-codec.ts'
import { keyName } from '../key-name.ts'
import type { ReadOptions } from '../online-store.ts'
import { readAborted } from '../read-aborted.ts'
import { redisError } from './redis-errors.ts'
import { byShard, commonShard, encodeMget, type ShardKeys, valueKey } from './redis-keys.ts'
import { type RedisLink, type RedisReply, RedisReplyError, type SendOptions } from './redis-link.ts'

/** Keys of one MGET: half a megabyte of rows of 2 KB, which takes Redis some 0.2 ms, in which it answers nobody else. */
const SLICE_KEYS = 256

export interface ReaderParts {
  readonly link: RedisLink
  readonly shards: readonly ShardKeys[]
  readonly readTimeoutMs: number
}

export async function readRows(
  parts: ReaderParts,
  keys: readonly RowKey[],
  { signal, mayLag = false }: ReadOptions,
): Promise<readonly RowResult[]> {
  if (signal?.aborted) throw readAborted(signal)
  const options: SendOptions = {
    timeoutMs: parts.readTimeoutMs,
    attempts: 'once',
    mayLag,
    ...(signal === undefined ? {} : { signal }),
  }
  const results = await readShards(parts, keys, options)
  if (signal?.aborted) throw readAborted(signal)
  return results
}

function readShards(
  { link, shards }: ReaderParts,
  keys: readonly RowKey[],
  options: SendOptions,
): Promise<readonly RowResult[]> {
  // As the read path asks: shard by shard, sixteen times for a request, so that a promise less is felt.
  const only = commonShard(keys, shards.length)
  return only === undefined ? readSeveral(link, shards, keys, options) : readSound(link, shards[only]!, keys, options)
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

async function readSound(
  link: RedisLink,
  shard: ShardKeys,
  keys: readonly RowKey[],
  options: SendOptions,
): Promise<readonly RowResult[]> {
  const found = await readShard(link, shard, keys, options).catch(redisError)
  const results = new Array<RowResult>(keys.length)
  for (let at = 0; at < keys.length; at++) {
    results[at] = found instanceof TwinstoreError ? found : soundRow(keys[at]!, found[at])
  }
  return results
}

function readShard(
  link: RedisLink,
  shard: ShardKeys,
  keys: readonly RowKey[],
  options: SendOptions,
): Promise<readonly RedisReply[]> {
  const read = keys.length <= SLICE_KEYS ? readSlice : readSlices
  return read(link, shard, keys, options)
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

async function readSlice(
  link: RedisLink,
  shard: ShardKeys,
  keys: readonly RowKey[],
  options: SendOptions,
): Promise<readonly RedisReply[]> {
  const { tag } = shard
  try {
    const command = { name: 'MGET', args: [], encoded: encodeMget(shard, keys) }
    return (await link.send(tag, command, options)) as readonly RedisReply[]
  } catch (error) {
    if (!(error instanceof RedisReplyError) || error.code !== 'TRYAGAIN') throw error
    // The slot is being moved, some keys are here and some there: each can be asked for alone.
    const gets = keys.map((key) => link.send(tag, { name: 'GET', args: [valueKey(shard, key)] }, options))
    return await Promise.all(gets)
  }
}

function soundRow(key: RowKey, row: RedisReply | undefined): RowResult {
  if (!Buffer.isBuffer(row)) return null
  const fault = rowFault(row)
  if (fault === undefined) return row
  return new TwinstoreError('DATA_LOSS', `${fault.message} (${keyName(key)}): write the row again`)
}
