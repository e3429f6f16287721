/**
 * What a store is: `header:{project}`. Each shard's state carries the store's id, so that a lost shard shows.
 *
 * Of several instances that create a store at once, one's header is set, and all complete it: the id into every shard, then
 * `isComplete`. A complete store opens while a shard is down, and at the memory limit of Redis: nothing needs to be written.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { RedisCalls } from './redis-calls.ts'
import { type ShardKeys, type StoreKeys, shardKeys } from './redis-keys.ts'

const FORMAT = 1
/** Enough for a few primaries with several shards each, few enough for one offline commit to take rows of all. */
const DEFAULT_SHARDS = 16

export interface RedisHeader {
  readonly format: number
  readonly storeId: string
  readonly shardCount: number
  /** Whether every shard has got the store's id. */
  readonly isComplete: boolean
}

export interface OpenedHeader extends RedisHeader {
  readonly shards: readonly ShardKeys[]
}

/** `wanted.shardCount` 0 takes what there is. Of two instances that create a store, one's header is the store's. */
export async function openHeader(
  calls: RedisCalls,
  keys: StoreKeys,
  location: string,
  wanted: { readonly storeId: string; readonly shardCount: number },
): Promise<OpenedHeader> {
  const header = (await readHeader(calls, keys, location)) ?? (await createHeader(calls, keys, location, wanted))
  if (header === undefined) {
    throw new TwinstoreError(
      'UNAVAILABLE',
      `the online store at ${location} was emptied while it was opened; try again`,
    )
  }
  if (wanted.shardCount !== 0 && header.shardCount !== wanted.shardCount) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `the online store at ${location} was created with ${header.shardCount} shards and cannot be opened with ${wanted.shardCount}: the shard count is fixed at creation, leave out option shard-count, set it to ${header.shardCount}, or give another project`,
    )
  }
  const shards = shardKeys(keys.tag, header.shardCount)
  await Promise.all(shards.map((shard) => openShard(calls, shard, header, location)))
  if (!header.isComplete) await writeHeader(calls, keys, { ...header, isComplete: true })
  return { ...header, shards }
}

/** The header that is there then, whoever made it. */
async function createHeader(
  calls: RedisCalls,
  keys: StoreKeys,
  location: string,
  wanted: { readonly storeId: string; readonly shardCount: number },
): Promise<RedisHeader | undefined> {
  const shardCount = wanted.shardCount || DEFAULT_SHARDS
  await writeHeader(calls, keys, { format: FORMAT, storeId: wanted.storeId, shardCount, isComplete: false }, 'NX')
  return await readHeader(calls, keys, location)
}

async function writeHeader(calls: RedisCalls, keys: StoreKeys, header: RedisHeader, ...mode: string[]): Promise<void> {
  await calls.change(keys.tag, 'SET', keys.header, JSON.stringify(header), ...mode)
}

/** Undefined if there is none. */
export async function readHeader(
  calls: RedisCalls,
  keys: StoreKeys,
  location: string,
): Promise<RedisHeader | undefined> {
  const bytes = await calls.command(keys.tag, 'GET', keys.header)
  if (bytes === null) return undefined
  let header: Partial<RedisHeader> = {}
  try {
    header = JSON.parse(String(bytes)) as Partial<RedisHeader>
  } catch {
    // What it says is then unknown, as below.
  }
  const { format, storeId, shardCount, isComplete = false } = header
  if (format !== undefined && format !== FORMAT) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `the online store at ${location} has format ${format}, this program reads and writes ${FORMAT}: use the program version that made it, or give another project`,
    )
  }
  if (typeof storeId !== 'string' || typeof shardCount !== 'number' || !(shardCount > 0)) {
    throw new TwinstoreError(
      'DATA_LOSS',
      `the key ${keys.header} at ${location} is not the header of an online store: remove it if it is not Twinstore's, or give another project`,
    )
  }
  return { format: FORMAT, storeId, shardCount, isComplete }
}

/**
 * A shard whose state was lost is taken as new: the archiver finds its positions gone and has its rows restored. One that is down is
 * not looked at: its scripts check the id too.
 */
async function openShard(calls: RedisCalls, keys: ShardKeys, header: RedisHeader, location: string): Promise<void> {
  const { storeId, isComplete } = header
  const known = isComplete ? await readStoreId(calls, keys).catch(nothingIfDown) : null
  if (known === undefined) return
  if (known === null) await calls.change(keys.tag, 'HSETNX', keys.state, 'id', storeId)
  const found = known ?? (await readStoreId(calls, keys))
  if (found === storeId) return
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    `shard ${keys.shard} of the online store at ${location} belongs to store ${found}, not to ${storeId}: the data of two stores was mixed; restore one of them or begin with an empty Redis`,
  )
}

async function readStoreId(calls: RedisCalls, { tag, state }: ShardKeys): Promise<string | null> {
  const id = await calls.read(tag, 'HGET', state, 'id')
  return id === null ? null : String(id)
}

function nothingIfDown(error: TwinstoreError): undefined {
  if (error.code !== 'UNAVAILABLE') throw error
}
