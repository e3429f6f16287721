/**
 * The online store in Redis or a Redis Cluster, shared by any number of instances.
 *
 * Every change that must hold together is one script on one shard (docs/decisions/011); everything is decided inside Redis,
 * so instances need not know of each other. What instances may miss of each other they hear by `watch`.
 */
import { randomUUID } from 'node:crypto'
import { TwinstoreError } from '../../domain/errors.ts'
import type { OnlineStore } from '../online-store.ts'
import { RedisCalls, script } from './redis-calls.ts'
import { openHeader, readHeader } from './redis-header.ts'
import { RedisKeyScan } from './redis-key-scan.ts'
import { rowKeyOf, type ShardKeys, storeKeys } from './redis-keys.ts'
import type { RedisReply } from './redis-link.ts'
import { outboxDepth, primaryPages, readOutboxEntries, replicatedPages } from './redis-outbox.ts'
import { lastPosition, raiseHorizon, raisePosition, reservePosition } from './redis-positions.ts'
import { readRows } from './redis-reader.ts'
import { removeRows } from './redis-remover.ts'
import type { RedisStoreOptions } from './redis-store-options.ts'
import { mendRows, seedRows, writeRows } from './redis-writer.ts'
import { CLAIM_SCRIPT, TRIM_SCRIPT } from './scripts/position-scripts.ts'

export type { RedisStoreOptions } from './redis-store-options.ts'

const TRIM = script(TRIM_SCRIPT)
const CLAIM = script(CLAIM_SCRIPT)
/** What a row costs in flight beyond its bytes: its key, its arguments, the reply. */
const PENDING_ROW_BYTES = 256

/** Rejects with FAILED_PRECONDITION if the data there is not what the options say; the link is then still open. */
export async function openRedisStore(options: RedisStoreOptions): Promise<OnlineStore> {
  const { link } = options
  const keys = storeKeys(options.project)
  const calls = new RedisCalls(options)
  const header = await openHeader(calls, keys, link.location, {
    storeId: randomUUID(),
    shardCount: options.shardCount,
  })
  const { storeId, shardCount, shards } = header
  const writer = { calls, storeId, shards, options }
  const reader = { link, shards, readTimeoutMs: options.readTimeoutMs }
  const pages = options.replicas.count > 0 ? replicatedPages(calls) : primaryPages(calls)
  const keyScan = new RedisKeyScan(calls, shards, link)
  let pendingBytes = 0
  let closing: Promise<void> | undefined

  function checkOpen(): void {
    if (closing !== undefined) throw closed()
  }

  function closed(): TwinstoreError {
    return new TwinstoreError('UNAVAILABLE', `the online store at ${link.location} is closed`)
  }

  /** Bounds the bytes of writes that wait for Redis. */
  async function counted<T>(rows: readonly { readonly row: Buffer }[], send: () => Promise<T>): Promise<T> {
    checkOpen()
    const bytes = rows.reduce((sum, { row }) => sum + row.length + PENDING_ROW_BYTES, 0)
    if (pendingBytes > 0 && pendingBytes + bytes > options.pendingBytesMax) {
      throw new TwinstoreError(
        'RESOURCE_EXHAUSTED',
        `${pendingBytes} bytes of writes wait for Redis and ${bytes} more would pass redis-pending-bytes-max (${options.pendingBytesMax}); nothing was written: try again later`,
      )
    }
    pendingBytes += bytes
    try {
      return await send()
    } finally {
      pendingBytes -= bytes
    }
  }

  function shardOf(shard: number): ShardKeys {
    checkOpen()
    return shards[shard]!
  }

  return {
    storeId,
    shardCount,

    readMany: (rowKeys, readOptions = {}) =>
      closing === undefined ? readRows(reader, rowKeys, readOptions) : Promise.reject(closed()),

    write: (rows, writeOptions = {}) => counted(rows, () => writeRows(writer, rows, writeOptions)),

    seed: (rows) => counted(rows, () => seedRows(writer, rows)),

    mend: (rows) => counted(rows, () => mendRows(writer, rows)),

    async scanKeys(storageId, cursor, limit) {
      checkOpen()
      return await keyScan.page(storageId, cursor, limit)
    },

    async remove(rowKeys, before) {
      checkOpen()
      return await removeRows(writer, rowKeys, before)
    },

    async raiseHorizon(storageId, eventMicros) {
      checkOpen()
      await raiseHorizon(calls, shards, storageId, eventMicros)
    },

    async readOutbox(shard, after, limits) {
      return await readOutboxEntries(pages, shardOf(shard), after, limits)
    },

    async trimOutbox(shard, through) {
      const { tag, state, outbox } = shardOf(shard)
      await calls.run(tag, TRIM, [state, outbox], [String(through)])
    },

    async outboxDepth() {
      checkOpen()
      return await outboxDepth(calls, shards)
    },

    async reservePosition() {
      checkOpen()
      return await reservePosition(calls, keys, shards)
    },

    async raisePositions(shard, floor) {
      await raisePosition(calls, shardOf(shard), floor)
    },

    async lastPosition(shard) {
      return await lastPosition(calls, shardOf(shard))
    },

    async claimShards({ owner, ttlMs }) {
      checkOpen()
      const held = await calls.run(keys.tag, CLAIM, [keys.claims], [owner, ttlMs, shardCount])
      return (held as readonly number[]).map((shard) => shards[shard]!.shard)
    },

    async releaseShards(owner) {
      checkOpen()
      await calls.change(keys.tag, 'HDEL', keys.claims, owner)
    },

    async readMark(name) {
      checkOpen()
      return text(await calls.command(keys.tag, 'HGET', keys.marks, name))
    },

    async writeMark(name, value) {
      checkOpen()
      await calls.change(keys.tag, 'HSET', keys.marks, name, value)
    },

    async claimMark(name, value) {
      checkOpen()
      const read = async () => text(await calls.command(keys.tag, 'HGET', keys.marks, name))
      // First, because at its memory limit Redis refuses HSETNX of what is there as well.
      const known = await read()
      if (known !== undefined) return known
      await calls.change(keys.tag, 'HSETNX', keys.marks, name, value)
      return (await read()) ?? value
    },

    watch: (listener) => link.watch((changed) => listener(changed === 'all' ? 'all' : changed.map(rowKeyOf))),

    async health() {
      checkOpen()
      await link.sendToPrimaries({ name: 'PING', args: [] }, options.readTimeoutMs)
      const found = await readHeader(calls, keys, link.location)
      if (found?.storeId === storeId) return
      throw new TwinstoreError(
        'FAILED_PRECONDITION',
        `the online store at ${link.location} is not the one this instance opened: its header is ${found === undefined ? 'gone' : `of store ${found.storeId}`}; restart the instances`,
      )
    },

    async close() {
      closing ??= link.close()
      await closing
    },
  }
}

function text(reply: RedisReply): string | undefined {
  return Buffer.isBuffer(reply) ? reply.toString('utf8') : undefined
}
