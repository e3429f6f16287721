/** The archiver of several instances over a real Redis: takeover of a killed one's shards, and the end of the writes lost. */
import { expect, onTestFinished, test } from 'vitest'
import { type RowKey, type Shard, shardOf, splitRowKey } from '../../src/domain/entity-key.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { OnlineStore, RowOutcome, RowWrite } from '../../src/online/online-store.ts'
import { createSyncer } from '../../src/writing/syncer.ts'
import { loopback, openStore } from '../contract/redis-fixture.ts'
import { type RedisProcess, startRedis } from '../support/redis/redis-process.mjs'
import { definitions, historyOf, startInstance, temporaryDir, views } from './archiver-instances-fixture.ts'
import { rowOf } from './offline-store-fixtures.ts'

const SHARDS = 16
const LEASE_MS = 1000
const WAIT_MS = 60_000
const limits = { intervalMs: 100, batchRows: 5000, leaseMs: LEASE_MS }

async function openRedis(...args: readonly (string | number)[]): Promise<RedisProcess> {
  const redis = await startRedis({ args })
  onTestFinished(() => redis.dispose())
  return redis
}

/** Each instance has connections of its own. */
async function openOnline(redis: RedisProcess): Promise<OnlineStore> {
  const online = await openStore(loopback('standalone', [redis.port]), { shardCount: SHARDS })
  onTestFinished(() => online.close())
  return online
}

function keysOf(count: number, prefix = 'k'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`)
}

function rowsOf(keys: readonly string[], event: number): RowWrite[] {
  return keys.map((key) => rowOf(views[0]!, { key: [key], event, position: 0, values: [BigInt(event)] }))
}

function shardsOf(rows: readonly RowWrite[]): Set<Shard> {
  return new Set(rows.map(({ key }) => shardOf(splitRowKey(key).entityKey, SHARDS)))
}

test('two instances share 16 shards; those of a killed one are taken over, and every row is there once', {
  timeout: 120_000,
}, async () => {
  const redis = await openRedis()
  const dir = await temporaryDir()
  const online = await openOnline(redis)
  const instances = [
    await startInstance({ dir, online: await openOnline(redis), limits }),
    await startInstance({ dir, online: await openOnline(redis), limits }),
  ]
  const keys = keysOf(60)
  const acknowledged = new Map<string, number[]>(keys.map((key) => [key, []]))
  let event = 0
  const writeAll = async () => {
    const outcomes = await online.write(rowsOf(keys, ++event))
    for (const [index, { position }] of outcomes.entries()) acknowledged.get(keys[index]!)!.push(position)
  }
  const emptied = () => expect.poll(async () => (await online.outboxDepth()).rows, { timeout: WAIT_MS }).toBe(0)

  for (let batch = 0; batch < 20; batch++) {
    await writeAll()
    if (batch % 5 === 4) await Promise.all(instances.map(({ archiver }) => archiver.flush()))
  }
  await emptied()
  // No flush, which would take any shard: only who has claimed the shards archives what comes now.
  await writeAll()
  await instances[1]!.kill()
  const killedMs = performance.now()
  for (let batch = 0; batch < 5; batch++) await writeAll()
  await emptied()
  const takenOverMs = performance.now() - killedMs
  console.log(`taken over and archived ${Math.round(takenOverMs)} ms after the kill, lease ${LEASE_MS} ms`)
  expect(takenOverMs).toBeLessThan(30_000)
  const { offline, archiver } = instances[0]!
  for (const key of keys) expect(await historyOf(offline, key)).toEqual(acknowledged.get(key))
  expect(await archiver.stop(10_000)).toBe(true)
})

test('one commit holds the rows of all shards', async () => {
  const redis = await openRedis()
  const online = await openOnline(redis)
  const { archiver, offline } = await startInstance({
    dir: await temporaryDir(),
    online,
    limits: { ...limits, intervalMs: 3_600_000 },
  })
  // The pass of the start is over when a row is archived.
  await online.write(rowsOf(['first'], 1))
  await archiver.flush()
  const { tableVersion } = await offline.status(views[0]!)
  const rows = rowsOf(keysOf(500), 1)
  expect(shardsOf(rows).size).toBe(SHARDS)
  await online.write(rows)
  await archiver.flush()
  expect(await offline.status(views[0]!)).toMatchObject({ rows: 501, tableVersion: tableVersion + 1 })
  await archiver.stop(10_000)
})

test('a Redis that comes back without the end of its writes gets what was archived of them again', {
  timeout: 120_000,
}, async () => {
  const redis = await openRedis('--dbfilename', 'kept.rdb')
  const online = await openOnline(redis)
  const tailsLost = new Set<Shard>()
  const onTailLost = (shard: Shard) => void tailsLost.add(shard)
  const { archiver, offline } = await startInstance({ dir: await temporaryDir(), online, limits, onTailLost })
  const changed: RowKey[] = []
  const syncer = createSyncer({
    online,
    offline,
    definitions,
    changes: { applied: () => {}, changed: (keys) => void changed.push(...keys) },
    clock: systemClock,
    flush: async () => {},
    seedRows: 100,
    passRows: 1000,
  })
  const kept = rowsOf(keysOf(100), 1)
  await online.write(kept)
  await archiver.flush()
  await redis.command('SAVE')
  const late = rowsOf([...keysOf(100), ...keysOf(20, 'new')], 2)
  const outcomes = await online.write(late)
  await archiver.flush()
  const keys = late.map(({ key }) => key)
  const expected = await online.readMany(keys)

  await redis.kill()
  await redis.restart()
  // Writers go on at once, so that positions alone would not show the loss.
  const other = keysOf(100, 'other')
  const since = await untilWritten(online, rowsOf(other, 1))
  expect(await online.readMany(keys)).not.toEqual(expected)
  await expect.poll(() => tailsLost, { timeout: WAIT_MS }).toEqual(shardsOf(late))
  expect(await syncer.restore()).toContainEqual({ view: 'a', rowsOnline: 120 })
  expect(new Set(changed)).toEqual(new Set(keys))
  expect(await online.readMany(keys)).toEqual(expected)
  await archiver.flush()
  for (const [index, { position }] of outcomes.slice(100).entries())
    expect(await historyOf(offline, `new${index}`)).toEqual([position])
  for (const [index, { position }] of since.slice(0, 20).entries())
    expect(await historyOf(offline, other[index]!)).toEqual([position])
  await archiver.stop(10_000)
})

/** The connections of the store come back by themselves; until then a write is refused. */
async function untilWritten(online: OnlineStore, rows: readonly RowWrite[]): Promise<readonly RowOutcome[]> {
  let outcomes: readonly RowOutcome[] = []
  const write = async () => {
    outcomes = await online.write(rows, { writeId: 'after the restart' })
    return outcomes.length
  }
  await expect.poll(() => write().catch(() => 0), { timeout: WAIT_MS }).toBe(rows.length)
  return outcomes
}
