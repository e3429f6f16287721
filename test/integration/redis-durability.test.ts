/**
 * What a failover costs when the replica that takes over lacks the end of the writes: with `redis-wait-replicas` 0 what was
 * acknowledged is lost if it was not archived yet; with 1 it was never acknowledged, and a repetition writes it once.
 */
import { afterEach, expect, test } from 'vitest'
import type { OnlineStore } from '../../src/online/online-store.ts'
import { keyOf, shardOfKey, wholeOutbox, write } from '../contract/online-store-fixture.ts'
import { loopback, openStore } from '../contract/redis-fixture.ts'
import { hashSlot } from '../support/redis/hash-slot.mjs'
import { type RedisCluster, startCluster } from '../support/redis/redis-cluster.mjs'
import type { RedisProcess } from '../support/redis/redis-process.mjs'
import { until } from '../support/redis/until.mjs'

const KEY = keyOf('kept-or-not')
const WAIT_MS = 30_000

let cluster: RedisCluster
let store: OnlineStore
afterEach(async () => {
  await store?.close()
  await cluster?.dispose()
})

/** A store with one row that all have, on a primary that no longer gets anything over to its replica. */
async function startCut(replicas: number): Promise<RedisProcess> {
  cluster = await startCluster()
  const ports = cluster.nodes.map(({ port }) => port)
  store = await openStore(loopback('cluster', ports), {
    replicas: { count: replicas, timeoutMs: 500 },
    writeTimeoutMs: 3000,
  })
  await store.write([write(KEY, 1, 'first')])
  const tag = `{default:${shardOfKey(store, KEY)}}`
  const primary = await cluster.primaryOf(tag)
  const [replica] = await cluster.replicasOf(tag)
  await until('the first row on the replica', WAIT_MS, async () => {
    const counts = [primary, replica!].map((node) => node.command('CLUSTER', 'COUNTKEYSINSLOT', hashSlot(tag)))
    return new Set(await Promise.all(counts)).size === 1
  })
  // Connections that are there stay; the replica, thrown out, does not get in again.
  await primary.command('CONFIG', 'SET', 'requirepass', 'unknown to the replica')
  await until('a replica without its primary', WAIT_MS, async () => {
    const info = await replica!.command('INFO', 'replication')
    if (info.includes('master_link_status:down')) return true
    await replica!.command('CLIENT', 'KILL', 'ADDR', `127.0.0.1:${primary.port}`)
    return false
  })
  return primary
}

async function failOver(primary: RedisProcess): Promise<void> {
  await primary.kill()
  await until('a new primary', WAIT_MS, async () => {
    return (await cluster.primaryOf(`{default:${shardOfKey(store, KEY)}}`)) !== primary
  })
}

async function rowText(): Promise<string | undefined> {
  const [row] = await store.readMany([KEY])
  return Buffer.isBuffer(row) ? row.toString('latin1') : undefined
}

test('redis-wait-replicas 0: a row that was acknowledged and not replicated is lost with its primary', {
  timeout: 90_000,
}, async () => {
  const primary = await startCut(0)
  await expect(store.write([write(KEY, 2, 'second')])).resolves.toHaveLength(1)
  expect(await rowText()).toContain('second')
  await failOver(primary)
  await until('a read of the row', WAIT_MS, async () => (await rowText())?.includes('first'))
  expect(await wholeOutbox(store)).toHaveLength(1)
})

test('redis-wait-replicas 1: such a row is not acknowledged; repeated after the failover it is written once', {
  timeout: 90_000,
}, async () => {
  const primary = await startCut(1)
  const options = { writeId: 'second', contentHash: 'h' }
  await expect(store.write([write(KEY, 2, 'second')], options)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await failOver(primary)
  await primary.restart()
  await cluster.waitHealthy(WAIT_MS)
  await expect
    .poll(() => store.write([write(KEY, 2, 'second')], options).catch(() => []), { timeout: WAIT_MS })
    .toHaveLength(1)
  expect(await rowText()).toContain('second')
  expect(await wholeOutbox(store)).toHaveLength(2)
})
