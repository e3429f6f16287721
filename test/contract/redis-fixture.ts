/** Makes stores in a real Redis for the contract suite, each with a project of its own. */
import { randomUUID } from 'node:crypto'
import { shardOf, splitRowKey } from '../../src/domain/entity-key.ts'
import type { OnlineStore } from '../../src/online/online-store.ts'
import type { RedisLocation } from '../../src/online/redis/connect/link-options.ts'
import { shardKeys, valueKey, valuePrefix } from '../../src/online/redis/redis-keys.ts'
import type { RedisLink } from '../../src/online/redis/redis-link.ts'
import { openRedisStore, type RedisStoreOptions } from '../../src/online/redis/redis-store.ts'
import { linkTo } from '../integration/redis-link-fixture.ts'
import type { RedisProcess } from '../support/redis/redis-process.mjs'
import type { ContractLimits, MakeStore } from './online-store-fixture.ts'

const SHARDS = 4

/** A location that begins with 127.0.0.1 and needs no password. */
export function loopback(kind: RedisLocation['kind'], ports: readonly number[]): RedisLocation {
  return { kind, nodes: ports.map((port) => ({ host: '127.0.0.1', port })), database: 0, tls: false }
}

export async function openStore(
  location: RedisLocation,
  options: Partial<Omit<RedisStoreOptions, 'link'>> = {},
  /** What stands between the store and its link. */
  wrap: (link: RedisLink) => RedisLink = (link) => link,
): Promise<OnlineStore> {
  const project = options.project ?? 'default'
  const link = await linkTo(location, { trackedPrefix: valuePrefix(project) })
  try {
    return await openRedisStore({
      link: wrap(link),
      project,
      shardCount: SHARDS,
      outboxRowsMax: 1_000_000,
      outboxBytesMax: 2 ** 30,
      writeIdRetentionSeconds: 3600,
      writeIdsMax: 100_000,
      readTimeoutMs: 5000,
      writeTimeoutMs: 10_000,
      replicas: { count: 0, timeoutMs: 1000 },
      pendingBytesMax: 2 ** 28,
      ...options,
    })
  } catch (error) {
    await link.close()
    throw error
  }
}

/** `nodeOf` says which process holds a key. */
export function redisMaker(
  location: () => RedisLocation,
  nodeOf: (key: string) => Promise<RedisProcess>,
  replicas?: RedisStoreOptions['replicas'],
): MakeStore {
  return async ({ outboxRowsMax, outboxBytesMax }: ContractLimits) => {
    const project = `p${randomUUID().slice(0, 8)}`
    const options = {
      project,
      // The suite speaks of what one shard may hold.
      ...(outboxRowsMax === undefined ? {} : { outboxRowsMax: outboxRowsMax * SHARDS }),
      ...(outboxBytesMax === undefined ? {} : { outboxBytesMax: outboxBytesMax * SHARDS }),
      ...(replicas === undefined ? {} : { replicas }),
    }
    const opened: OnlineStore[] = []
    const open = async (): Promise<OnlineStore> => {
      const store = await openStore(location(), options)
      opened.push(store)
      return store
    }
    return {
      store: await open(),
      reopen: open,
      async damage(key) {
        const keys = shardKeys(project, SHARDS)[shardOf(splitRowKey(key).entityKey, SHARDS)]!
        const node = await nodeOf(keys.state)
        const name = valueKey(keys, key)
        const row = (await node.request('GET', name)) as Buffer
        row[row.length - 1]! ^= 1
        await node.request('SET', name, row)
      },
      async dispose() {
        for (const store of opened) await store.close()
      },
    }
  }
}
