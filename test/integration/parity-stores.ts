/** An online store, and a hand on its rows that goes past the store, as a fault would. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, open } from 'lmdb'
import { onTestFinished } from 'vitest'
import { type RowKey, shardOfRow } from '../../src/domain/entity-key.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts'
import type { OnlineStore } from '../../src/online/online-store.ts'
import { shardKeys, valueKey } from '../../src/online/redis/redis-keys.ts'
import type { RedisStoreOptions } from '../../src/online/redis/redis-store-options.ts'
import { loopback, openStore } from '../contract/redis-fixture.ts'
import { LMDB_LIMITS } from '../support/lmdb-limits.mjs'
import { type RedisProcess, startRedis } from '../support/redis/redis-process.mjs'

const SHARDS = 4
const PROJECT = 'parity'

export interface Tampered {
  readonly online: OnlineStore
  /** The stored bytes; undefined if there are none. */
  read(key: RowKey): Promise<Buffer | undefined>
  put(key: RowKey, row: Buffer): Promise<void>
  remove(key: RowKey): Promise<void>
}

export async function temporaryDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-parity-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export async function tamperedLmdb(shardCount = SHARDS): Promise<Tampered> {
  const dir = await temporaryDir()
  const online = await openLmdbStore({
    ...LMDB_LIMITS,
    durability: 'process',
    dir,
    shardCount,
    clock: systemClock,
  })
  onTestFinished(() => online.close())
  const bytes = (key: RowKey): Buffer => Buffer.from(key, 'latin1')
  return {
    online,
    read: (key) =>
      inValues(dir, (table) => {
        const row = table.get(bytes(key))
        return row === undefined ? undefined : Buffer.from(row)
      }),
    put: (key, row) => inValues(dir, (table) => void table.putSync(bytes(key), row)),
    remove: (key) => inValues(dir, (table) => void table.removeSync(bytes(key))),
  }
}

/** Also on the folder of a server that is running: LMDB is made for several processes. */
export async function inValues<T>(dir: string, use: (table: Database<Buffer, Buffer>) => T): Promise<T> {
  const encodings = { encoding: 'binary', keyEncoding: 'binary' } as const
  const root = open<Buffer, Buffer>({ path: dir, noSubdir: false, overlappingSync: false, ...encodings })
  try {
    return use(root.openDB<Buffer, Buffer>('values', encodings))
  } finally {
    await root.close()
  }
}

export async function tamperedRedis(
  args: readonly string[] = [],
  options: Partial<Omit<RedisStoreOptions, 'link'>> = {},
): Promise<Tampered & { readonly redis: RedisProcess }> {
  const redis = await startRedis({ args })
  onTestFinished(() => redis.dispose())
  const online = await openStore(loopback('standalone', [redis.port]), {
    ...options,
    project: PROJECT,
    shardCount: SHARDS,
  })
  onTestFinished(() => online.close())
  const name = (key: RowKey): Buffer => valueKey(shardKeys(PROJECT, SHARDS)[shardOfRow(key, SHARDS)]!, key)
  return {
    redis,
    online,
    read: async (key) => ((await redis.request('GET', name(key))) as Buffer | null) ?? undefined,
    put: async (key, row) => void (await redis.request('SET', name(key), row)),
    remove: async (key) => void (await redis.request('DEL', name(key))),
  }
}
