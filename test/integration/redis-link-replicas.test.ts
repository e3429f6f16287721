/** Replicas: writes that wait for them, reads that may lag, and what is heard of changes there. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { RedisLink } from '../../src/online/redis/redis-link.ts'
import type { RedisCluster } from '../support/redis/redis-cluster.d.mts'
import { startCluster } from '../support/redis/redis-cluster.mjs'
import type { RedisProcess } from '../support/redis/redis-process.d.mts'
import { until } from '../support/redis/until.mjs'
import { at, get, Heard, linkTo, READ, set, text, WRITE } from './redis-link-fixture.ts'

const SLOT_KEY = '{t:1}'
let cluster: RedisCluster
let link: RedisLink
let primary: RedisProcess
let replica: RedisProcess

beforeAll(async () => {
  cluster = await startCluster({ nodeTimeoutMs: 20_000 })
  primary = await cluster.primaryOf(SLOT_KEY)
  replica = (await cluster.replicasOf(SLOT_KEY))[0]!
}, 120_000)
afterAll(() => cluster.dispose())
afterEach(async () => {
  if (replica.state === 'paused') replica.resume()
  if (primary.state === 'paused') primary.resume()
  await link.close()
})

async function countWaits(): Promise<number> {
  return Number(/cmdstat_wait:calls=(\d+)/.exec(await primary.command('INFO', 'commandstats'))?.[1] ?? 0)
}

test('commands of one turn share one WAIT', async () => {
  link = await linkTo(at(cluster.nodes, 'cluster'))
  const before = await countWaits()
  const replicas = { count: 1, timeoutMs: 5000 }
  const writes = Array.from({ length: 50 }, (_, n) => link.send('t:1', set(`{t:1}${n}`, n), { ...WRITE, replicas }))
  await Promise.all(writes)
  expect((await countWaits()) - before).toBe(1)
})

test('too few replicas: UNAVAILABLE with how many, the fate unknown; reads are not held up', async () => {
  link = await linkTo(at(cluster.nodes, 'cluster'))
  await link.send('t:1', set('{t:1}a', 'before'), WRITE)
  replica.pause()
  const replicas = { count: 1, timeoutMs: 300 }
  const write = link.send('t:1', set('{t:1}a', 'during'), { ...WRITE, timeoutMs: 1000, replicas })
  let readsMeanwhile = 0
  const rejected = expect(write).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(/0 of 1 replicas \(redis-wait-replicas\).*whether it was executed is unknown/),
  })
  let isOver = false
  void rejected.finally(() => {
    isOver = true
  })
  while (!isOver) {
    await link.send('t:1', get('{t:1}a'), READ)
    readsMeanwhile += 1
  }
  await rejected
  expect(readsMeanwhile).toBeGreaterThan(10)
  const patient = link.send('t:1', set('{t:1}a', 'after'), { ...WRITE, replicas })
  replica.resume()
  expect(text(await patient)).toBe('OK')
})

test('a WAIT longer than the silence that is allowed does not make the node a silent one', async () => {
  link = await linkTo(at(cluster.nodes, 'cluster'), { silenceMaxMs: 300, heartbeatMs: 100 })
  replica.pause()
  const replicas = { count: 1, timeoutMs: 1500 }
  const write = link.send('t:1', set('{t:1}a', 'x'), { ...WRITE, timeoutMs: 10_000, replicas })
  const endAt = performance.now() + 800
  while (performance.now() < endAt) await link.send('t:1', get('{t:1}a'), READ)
  await until('the WAIT still waits', 5000, async () =>
    (await primary.command('INFO', 'clients')).includes('blocked_clients:1'),
  )
  replica.resume()
  expect(text(await write)).toBe('OK')
})

test('reads that may lag go to a replica, and to the primary when it hangs', async () => {
  link = await linkTo(at(cluster.nodes, 'cluster'), { replicaReads: true, silenceMaxMs: 500 })
  await link.send('t:1', set('{t:1}a', 'x'), { ...WRITE, replicas: { count: 1, timeoutMs: 5000 } })
  const gets = async (node: RedisProcess): Promise<number> =>
    Number(/cmdstat_get:calls=(\d+)/.exec(await node.command('INFO', 'commandstats'))?.[1] ?? 0)
  await until('the replica is connected', 5000, async () => {
    const before = await gets(replica)
    await link.send('t:1', get('{t:1}a'), { ...READ, mayLag: true })
    return (await gets(replica)) > before
  })
  const before = await gets(primary)
  for (let n = 0; n < 20; n++) expect(text(await link.send('t:1', get('{t:1}a'), { ...READ, mayLag: true }))).toBe('x')
  expect(await gets(primary)).toBe(before)
  replica.pause()
  expect(text(await link.send('t:1', get('{t:1}a'), { ...READ, timeoutMs: 10_000, mayLag: true }))).toBe('x')
  expect(text(await link.send('t:1', get('{t:1}a'), { ...READ, mayLag: true }))).toBe('x')
  expect(await gets(primary)).toBe(before + 2)
})

test('with reads from replicas, what a replica applies late is heard late too', async () => {
  link = await linkTo(at(cluster.nodes, 'cluster'), { replicaReads: true, silenceMaxMs: 10_000 })
  const heard = new Heard(link)
  await primary.command('SET', '{t:1}late', '1')
  await until('news from both', 10_000, () => heard.keys.filter((key) => key === '{t:1}late').length === 2)
})
