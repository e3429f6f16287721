/** What is Redis' own beyond the contract of every online store: creation, limits of the server, damage, and other programs. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RowKey, Shard } from '../../src/domain/entity-key.ts'
import { NO_POSITION } from '../../src/domain/version.ts'
import type { OnlineStore } from '../../src/online/online-store.ts'
import { shardKeys, valueKey } from '../../src/online/redis/redis-keys.ts'
import type { RedisStoreOptions } from '../../src/online/redis/redis-store-options.ts'
import { type RedisProcess, startRedis } from '../support/redis/redis-process.mjs'
import { until } from '../support/redis/until.mjs'
import { contentOf, emptyOutbox, keyOf, outboxOf, rowOf, wholeOutbox, write } from './online-store-fixture.ts'
import { loopback, openStore } from './redis-fixture.ts'

const SHARD = 0 as Shard

let redis: RedisProcess
const opened: OnlineStore[] = []
let projects = 0
let project: string

beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.dispose())
beforeEach(() => {
  project = `own-${projects++}`
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  await redis.command('CONFIG', 'SET', 'maxmemory', 0)
})

/** One shard, so that a test can name its keys. */
async function open(options: Partial<RedisStoreOptions> = {}): Promise<OnlineStore> {
  const store = await openStore(loopback('standalone', [redis.port]), { project, shardCount: 1, ...options })
  opened.push(store)
  return store
}

const keys = () => shardKeys(project, 1)[0]!

function refused(code: string, message: RegExp) {
  return expect.objectContaining({ code, message: expect.stringMatching(message) })
}

describe('creation', () => {
  test('of many instances that create a store at once, all have the same', async () => {
    const stores = await Promise.all(Array.from({ length: 8 }, () => open({ shardCount: 5 })))
    expect(new Set(stores.map(({ storeId }) => storeId)).size).toBe(1)
    await Promise.all(stores.map((store, index) => store.write([write(keyOf(`airport-${index}`), 1, 'x')])))
    expect(await wholeOutbox(stores[0]!)).toHaveLength(8)
  })

  test('a new store has 16 shards unless told otherwise, and keeps what it has', async () => {
    expect((await open({ shardCount: 0 })).shardCount).toBe(16)
    expect((await open({ shardCount: 16 })).shardCount).toBe(16)
    await expect(open({ shardCount: 4 })).rejects.toEqual(refused('FAILED_PRECONDITION', /16 shards.*4.*shard-count/))
  })

  test('projects are kept apart; a name that could break the keys is refused', async () => {
    const first = await open()
    await first.write([write(keyOf('ATL'), 1, 'x')])
    project = `${project}.b`
    const second = await open()
    expect(second.storeId).not.toBe(first.storeId)
    expect(await second.readMany([keyOf('ATL')])).toEqual([null])
    for (const name of ['a:1', '{a}', 'a}', '', 'ä', 'x'.repeat(65)]) {
      project = name
      await expect(open(), name).rejects.toEqual(refused('INVALID_ARGUMENT', /project.*letters/))
    }
  })

  test('a newer format, and a header that is none, are refused', async () => {
    await redis.command('SET', `header:{${project}}`, '{"format":2,"storeId":"x","shardCount":1}')
    await expect(open()).rejects.toEqual(refused('FAILED_PRECONDITION', /format 2.*writes 1/))
    await redis.command('SET', `header:{${project}}`, 'not ours')
    await expect(open()).rejects.toEqual(refused('DATA_LOSS', new RegExp(`header:{${project}}`)))
  })

  test('a shard that carries the id of another store is refused', async () => {
    await open({ shardCount: 2 })
    await redis.command('HSET', `state:{${project}:1}`, 'id', 'another')
    await expect(open({ shardCount: 2 })).rejects.toEqual(refused('FAILED_PRECONDITION', /shard 1.*another/))
  })
})

describe('at its memory limit', () => {
  const full = refused('RESOURCE_EXHAUSTED', /maxmemory/)

  test.each([0, 1])(
    'writes are refused and named; what makes room goes on, with %d replicas to wait for',
    async (count) => {
      const replica = count === 0 ? undefined : await startRedis({ args: ['--replicaof', '127.0.0.1', redis.port] })
      try {
        const store = await open({ replicas: { count, timeoutMs: 10_000 } })
        const batch = Array.from({ length: 50 }, (_, index) =>
          write(keyOf(`airport-${index}`), 1, Buffer.alloc(2_000, 1)),
        )
        const outcomes = await store.write(batch)
        await store.claimMark('pairing', 'one')
        await redis.command('CONFIG', 'SET', 'maxmemory', 1)
        await expect(store.write(batch)).rejects.toEqual(full)
        await expect(store.seed(batch)).rejects.toEqual(full)
        expect((await store.readMany([keyOf('airport-1')])).map(contentOf)).toEqual([Buffer.alloc(2_000, 1).toString()])
        // An instance that starts, and all that archiving needs.
        await open({ replicas: { count, timeoutMs: 10_000 } })
        expect(await store.claimShards({ owner: 'one', ttlMs: 60_000 })).toEqual([SHARD])
        await store.raisePositions(SHARD, outcomes[0]!.position)
        const entries = await outboxOf(store, SHARD)
        expect(entries.map(({ position }) => position)).toEqual(outcomes.map(({ position }) => position))
        await store.trimOutbox(SHARD, entries.at(-1)!.position)
        await store.releaseShards('one')
        await store.raiseHorizon('airport_daily', 1)
        expect(await store.remove([keyOf('airport-1')], await store.lastPosition(SHARD))).toEqual([true])
        await redis.command('CONFIG', 'SET', 'maxmemory', 0)
        expect(await store.outboxDepth()).toEqual({ rows: 0, bytes: 0 })
        expect(await store.write(batch)).toHaveLength(50)
        expect((await store.outboxDepth()).rows).toBe(50)
      } finally {
        await replica?.dispose()
      }
    },
  )
})

describe('a key that another program put there', () => {
  test('refuses the batch and leaves nothing of it behind', async () => {
    const store = await open()
    const batch = ['ATL', 'ORD', 'LAX'].map((name) => write(keyOf(name), 1, name))
    await redis.command('SADD', valueKey(keys(), keyOf('ORD')), 'a set')
    await expect(store.write(batch)).rejects.toEqual(refused('FAILED_PRECONDITION', /something else/))
    await expect(store.seed(batch.map(({ key }) => ({ key, row: rowOf(1, 'seed', 5) })))).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    })
    expect(await wholeOutbox(store)).toEqual([])
    expect(await store.readMany([keyOf('ATL'), keyOf('LAX')])).toEqual([null, null])
    expect(await store.outboxDepth()).toEqual({ rows: 0, bytes: 0 })
    await redis.command('DEL', valueKey(keys(), keyOf('ORD')))
    await store.write(batch)
    expect((await store.readMany(batch.map(({ key }) => key))).map(contentOf)).toEqual(['ATL', 'ORD', 'LAX'])
  })
})

describe('the outbox', () => {
  test('an entry that cannot be read stops its shard there and is named', async () => {
    const store = await open()
    const [first] = await store.write([write(keyOf('ATL'), 1, 'sound')])
    const id = `${Math.floor(first!.position / 1000) + 1}-0`
    await redis.command('XADD', keys().outbox, id, 'key', 'ORD')
    expect((await outboxOf(store, SHARD)).map(({ position }) => position)).toEqual([first!.position])
    await expect(store.readOutbox(SHARD, first!.position, { rows: 10, bytes: 1_000 })).rejects.toEqual(
      refused('DATA_LOSS', new RegExp(`${id}.*${keys().outbox.replace(/[{}]/g, '.')}`)),
    )
  })

  test('a part of the outbox limit is a shard’s, and named with the whole', async () => {
    const store = await open({ shardCount: 3, outboxRowsMax: 10 })
    const batch = Array.from({ length: 30 }, (_, index) => write(keyOf(`airport-${index}`), 1, 'x'))
    await expect(store.write(batch)).rejects.toEqual(
      refused('RESOURCE_EXHAUSTED', /outbox-rows-max.*10.*3 shards.*4.*raise the limit/s),
    )
    const small = await Promise.allSettled(batch.map((row) => store.write([row])))
    expect(small.filter(({ status }) => status === 'fulfilled')).toHaveLength(12)
  })
})

describe('writes', () => {
  test('a write id is forgotten after its retention, and the oldest above their number', async () => {
    const store = await open({ writeIdRetentionSeconds: 1, writeIdsMax: 10 })
    const send = (id: string): ReturnType<OnlineStore['write']> =>
      store.write([write(keyOf('ATL'), 1, 'x')], { writeId: id, contentHash: 'aa' })
    const first = await send('id')
    expect(await send('id')).toEqual(first)
    const repeated = async () => (await send('id'))[0]!.position !== first[0]!.position
    await until('the write id to be forgotten', 10_000, repeated)
    for (let id = 0; id < 40; id++) await send(`id-${id}`)
    expect(Number(await redis.command('ZCARD', keys().ids))).toBeLessThanOrEqual(10)
  })

  test('more bytes on their way than redis-pending-bytes-max are refused, and room comes back', async () => {
    const store = await open({ pendingBytesMax: 100_000 })
    const rows = (name: string) => [write(keyOf(name), 1, Buffer.alloc(60_000, 1))]
    const settled = await Promise.allSettled(['a', 'b', 'c'].map((name) => store.write(rows(name))))
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    expect((settled[1] as PromiseRejectedResult).reason).toEqual(
      refused('RESOURCE_EXHAUSTED', /redis-pending-bytes-max.*100000/),
    )
    await store.write(rows('b'))
    expect(await wholeOutbox(store)).toHaveLength(2)
  })

  test('a shard that was emptied takes no writes, seeds or positions, and health says so', async () => {
    const store = await open()
    const [outcome] = await store.write([write(keyOf('ATL'), 1, 'x')])
    await redis.command('DEL', keys().state, keys().outbox, `header:{${project}}`)
    const lost = refused('FAILED_PRECONDITION', /shard 0.*emptied.*restart/)
    await expect(store.write([write(keyOf('ATL'), 2, 'x')])).rejects.toEqual(lost)
    await expect(store.seed([{ key: keyOf('ATL'), row: rowOf(2, 'x', 7) }])).rejects.toEqual(lost)
    await expect(store.health()).rejects.toEqual(refused('FAILED_PRECONDITION', /restart the instances/))
    expect(await store.lastPosition(SHARD)).toBeLessThan(outcome!.position)
  })
})

test('scripts are loaded again after the server forgot them', async () => {
  const store = await open()
  await store.write([write(keyOf('ATL'), 1, 'before')])
  await redis.command('SCRIPT', 'FLUSH')
  await store.write([write(keyOf('ATL'), 2, 'after')])
  await emptyOutbox(store)
  expect((await store.readMany([keyOf('ATL')])).map(contentOf)).toEqual(['after'])
})

test('a user without rights is told which', async () => {
  const user = `user-${project}`
  await open()
  await redis.command('ACL', 'SETUSER', user, 'on', '>secret', '~*', '&*', '+@all')
  const location = { ...loopback('standalone', [redis.port]), username: user, password: 'secret' }
  const store = await openStore(location, { project, shardCount: 1 })
  opened.push(store)
  await redis.command('ACL', 'SETUSER', user, '-eval', '-evalsha')
  await expect(store.write([write('airport_daily/x' as RowKey, 1, 'x')])).rejects.toEqual(
    refused('FAILED_PRECONDITION', /may not run.*\+@/),
  )
  expect(await store.readOutbox(SHARD, NO_POSITION, { rows: 1, bytes: 1 })).toEqual([])
})

test('a large write goes to Redis in pieces, between which others have their turn', async () => {
  const bytesByTurn: number[] = [0]
  const store = await openStore(loopback('standalone', [redis.port]), { project, shardCount: 16 }, (link) => ({
    ...link,
    send(tag, command, options) {
      bytesByTurn[bytesByTurn.length - 1]! += command.encoded?.length ?? 0
      return link.send(tag, command, options)
    },
  }))
  opened.push(store)
  const value = 'x'.repeat(20_000)
  const rows = Array.from({ length: 320 }, (_, index) => write(keyOf(`large-${index}`), 1, value))
  let isWritten = false
  const written = store.write(rows).finally(() => {
    isWritten = true
  })
  await new Promise<void>((resolve) => {
    const nextTurn = (): void => {
      bytesByTurn.push(0)
      if (isWritten) resolve()
      else setImmediate(nextTurn)
    }
    setImmediate(nextTurn)
  })
  expect(await written).toHaveLength(320)
  const sent = bytesByTurn.reduce((sum, bytes) => sum + bytes, 0)
  expect(sent).toBeGreaterThan(6 * 1024 * 1024)
  // Pieces of a MiB: two, where one fell before the mark of its turn and the next one behind it.
  expect(Math.max(...bytesByTurn)).toBeLessThan(2.5 * 1024 * 1024)
})
