/** Reads rows: one MGET per shard, all nodes in parallel; a shard that does not answer is an error for its own keys. */
import type { RowKey } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { RowResult } from '../../domain/outcome.ts'
import { rowFault } from '../../domain/row-codec.ts'
import { keyName } from '../key-name.ts'
import type { ReadOptions } from '../online-store.ts'
import { readAborted } from '../read-aborted.ts'
import { redisError } from './redis-errors.ts'
import { byShard, rowKeyOf, type ShardKeys, valueKey } from './redis-keys.ts'
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
  const results = new Array<RowResult>(keys.length)
  const options: SendOptions = {
    timeoutMs: parts.readTimeoutMs,
    attempts: 'once',
    mayLag,
    ...(signal === undefined ? {} : { signal }),
  }
  const reads = [...byShard(keys, parts.shards.length)].map(async ([shard, indexes]) => {
    const shardKeys = parts.shards[shard]!
    const names = indexes.map((index) => valueKey(shardKeys, keys[index]!))
    const found = await readShard(parts.link, shardKeys, names, options).catch(redisError)
    for (const [at, index] of indexes.entries()) {
      results[index] = found instanceof TwinstoreError ? found : soundRow(names[at]!, found[at])
    }
  })
  await Promise.all(reads)
  if (signal?.aborted) throw readAborted(signal)
  return results
}

/** In slices, one after another: what is asked for when the signal aborts still has to be taken in. */
async function readShard(
  link: RedisLink,
  keys: ShardKeys,
  names: readonly Buffer[],
  options: SendOptions,
): Promise<readonly RedisReply[]> {
  if (names.length <= SLICE_KEYS) return await readSlice(link, keys, names, options)
  const found: RedisReply[] = []
  while (found.length < names.length) {
    found.push(...(await readSlice(link, keys, names.slice(found.length, found.length + SLICE_KEYS), options)))
  }
  return found
}

async function readSlice(
  link: RedisLink,
  { tag }: ShardKeys,
  names: readonly Buffer[],
  options: SendOptions,
): Promise<readonly RedisReply[]> {
  try {
    return (await link.send(tag, { name: 'MGET', args: names }, options)) as readonly RedisReply[]
  } catch (error) {
    if (!(error instanceof RedisReplyError) || error.code !== 'TRYAGAIN') throw error
    // The slot is being moved, some keys are here and some there: each can be asked for alone.
    return await Promise.all(names.map((name) => link.send(tag, { name: 'GET', args: [name] }, options)))
  }
}

function soundRow(name: Buffer, row: RedisReply | undefined): RowResult {
  if (!Buffer.isBuffer(row)) return null
  const fault = rowFault(row)
  if (fault === undefined) return row
  return new TwinstoreError('DATA_LOSS', `${fault.message} (${keyName(rowKeyOf(name))}): write the row again`)
}
