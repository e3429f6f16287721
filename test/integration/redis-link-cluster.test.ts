/** The link to a Cluster: routing, moving slots, failover, and nodes that come back from the past. */
import { execFileSync } from 'node:child_process'
import { setImmediate as setImmediateAsync } from 'node:timers/promises'
import calculateSlot from 'cluster-key-slot'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { RedisLink, RedisReply } from '../../src/online/redis/redis-link.ts'
import type { RedisCluster } from '../support/redis/redis-cluster.d.mts'
import { startCluster } from '../support/redis/redis-cluster.mjs'
import { until } from '../support/redis/until.mjs'
import { at, get, Heard, linkTo, READ, set, text, WRITE } from './redis-link-fixture.ts'

let cluster: RedisCluster
let link: RedisLink

beforeAll(async () => {
  cluster = await startCluster({ nodeTimeoutMs: 1500 })
}, 120_000)
afterAll(() => cluster.dispose())
beforeEach(() => cluster.waitHealthy(60_000), 90_000)
afterEach(async () => {
  for (const node of cluster.nodes) {
    if (node.state === 'paused') node.resume()
    if (node.state === 'stopped') await node.restart()
  }
  await link.close()
})

const slotOf = (tag: string): number => calculateSlot(`{${tag}}`)

test('each tag goes to its node; every node is found from one', async () => {
  link = await linkTo(at(cluster.nodes.slice(5), 'cluster'))
  const tags = Array.from({ length: 60 }, (_, shard) => `t:${shard}`)
  await Promise.all(tags.map((tag) => link.send(tag, set(`{${tag}}k`, tag), WRITE)))
  expect(await Promise.all(tags.map(async (tag) => text(await link.send(tag, get(`{${tag}}k`), READ))))).toEqual(tags)
  const sizes = await link.sendToPrimaries({ name: 'DBSIZE', args: [] }, 1000)
  expect(sizes).toHaveLength(3)
  expect(sizes.reduce((sum, { reply }) => sum + Number(reply), 0)).toBe(60)
})

test('a moving slot is followed, also midway, and its readers hear of it', async () => {
  link = await linkTo(at(cluster.nodes, 'cluster'))
  const slot = slotOf('t:7')
  const keys = Array.from({ length: 40 }, (_, n) => `{t:7}${n}`)
  for (const key of keys) await link.send('t:7', set(key, key), WRITE)
  const from = await cluster.primaryOf(slot)
  const to = cluster.nodes.slice(0, 3).find((node) => node.port !== from.port)!
  const heard = new Heard(link)
  for await (const _ of cluster.moveSlotInSteps(slot, to.port, 10)) {
    for (const key of keys) expect(text(await link.send('t:7', get(key), READ))).toBe(key)
    await link.send('t:7', set('{t:7}new', 'x'), WRITE)
  }
  expect(await link.send('t:7', { name: 'MGET', args: keys }, READ)).toEqual(keys.map((key) => Buffer.from(key)))
  await heard.flush()
  await heard.keyWrittenAt(to, '{t:7}later')
})

test('keys of one command that are on both nodes: TRYAGAIN for a read, in the end an answer for the rest', async () => {
  link = await linkTo(at(cluster.nodes, 'cluster'))
  const slot = slotOf('t:8')
  const keys = ['{t:8}a', '{t:8}b', '{t:8}c']
  for (const key of keys) await link.send('t:8', set(key, key), WRITE)
  const from = await cluster.primaryOf(slot)
  const to = cluster.nodes.slice(0, 3).find((node) => node.port !== from.port)!
  const steps = cluster.moveSlotInSteps(slot, to.port, 1)
  await steps.next()
  await steps.next()
  const mget = { name: 'MGET', args: keys }
  await expect(link.send('t:8', mget, READ)).rejects.toMatchObject({ code: 'TRYAGAIN' })
  const patient = link.send('t:8', mget, WRITE)
  for await (const _ of cluster.moveSlotInSteps(slot, to.port)) {
    // To the end.
  }
  expect(await patient).toEqual(keys.map((key) => Buffer.from(key)))
})

test('a killed primary: its reads fail at once, writes go to its successor, and all is forgotten', async () => {
  link = await linkTo(at(cluster.nodes, 'cluster'))
  const primary = await cluster.primaryOf(slotOf('t:1'))
  await link.send('t:1', set('{t:1}a', 1), { ...WRITE, replicas: { count: 1, timeoutMs: 1000 } })
  const heard = new Heard(link)
  await primary.kill()
  await until('a refused read', 5000, async () => {
    const before = performance.now()
    const refused = await link.send('t:1', get('{t:1}a'), { ...READ, timeoutMs: 20_000 }).then(
      () => false,
      (error) => error.code === 'UNAVAILABLE' && error.message.includes(String(primary.port)),
    )
    expect(performance.now() - before).toBeLessThan(3000)
    return refused
  })
  await heard.flush()
  expect(text(await link.send('t:1', { name: 'INCR', args: ['{t:1}a'] }, WRITE))).toBe('2')
  await until('a read', 5000, async () => text(await link.send('t:1', get('{t:1}a'), READ)) === '2')
  await heard.keyWrittenAt(await cluster.primaryOf(slotOf('t:1')), '{t:1}news')
})

test('when all nodes were gone the Cluster is found again', async () => {
  link = await linkTo(at(cluster.nodes.slice(0, 2), 'cluster'))
  await link.send('t:4', set('{t:4}a', 1), WRITE)
  const heard = new Heard(link)
  for (const node of cluster.nodes) await node.kill()
  await expect(link.send('t:4', get('{t:4}a'), READ)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  const write = link.send('t:4', set('{t:4}b', 2), { ...WRITE, timeoutMs: 60_000 })
  for (const node of cluster.nodes) await node.restart()
  expect(text(await write)).toBe('OK')
  await heard.flush()
  await heard.keyWrittenAt(await cluster.primaryOf(slotOf('t:4')), '{t:4}c')
})

test('an asked-for failover loses no write', async () => {
  link = await linkTo(at(cluster.nodes, 'cluster'))
  const [replica] = await cluster.replicasOf(slotOf('t:2'))
  const increments = { count: 0, isOver: false }
  const writer = (async () => {
    while (!increments.isOver) {
      await link.send('t:2', set('{t:2}n', increments.count + 1), WRITE)
      increments.count += 1
    }
  })()
  await cluster.failover(replica!.port)
  increments.isOver = true
  await writer
  expect(text(await link.send('t:2', get('{t:2}n'), WRITE))).toBe(String(increments.count))
})

test('a primary that was paused and deposed gives no old value when it runs again', async () => {
  link = await linkTo(at(cluster.nodes, 'cluster'))
  const primary = await cluster.primaryOf(slotOf('t:3'))
  await link.send('t:3', set('{t:3}a', 'old'), { ...WRITE, replicas: { count: 1, timeoutMs: 1000 } })
  primary.pause()
  await link.send('t:3', set('{t:3}a', 'new'), WRITE)
  primary.resume()
  expect(await readsUntil(() => cluster.waitHealthy(60_000), '{t:3}a')).toEqual(new Set(['new']))
})

test('nor does it to an instance that was paused itself and knows nothing of the failover', async () => {
  link = await linkTo(at(cluster.nodes, 'cluster'))
  const primary = await cluster.primaryOf(slotOf('t:3'))
  await link.send('t:3', set('{t:3}a', 'old'), { ...WRITE, replicas: { count: 1, timeoutMs: 1000 } })
  primary.pause()
  const others = cluster.nodes.filter((node) => node !== primary).map((node) => String(node.port))
  const script = new URL('redis-link-successor.mjs', import.meta.url).pathname
  // Blocks this process, with its connections, until the successor has acknowledged the new value.
  execFileSync(process.execPath, [script, '{t:3}a', 'new', ...others])
  const firstReads = Array.from({ length: 50 }, () => link.send('t:3', get('{t:3}a'), READ))
  // Not before the reads have left for the deposed primary.
  setImmediate(() => setImmediate(() => primary.resume()))
  const first = new Set((await Promise.allSettled(firstReads)).map(outcome))
  first.delete('UNAVAILABLE')
  expect([...first].filter((value) => value !== 'new')).toEqual([])
  expect(await readsUntil(() => cluster.waitHealthy(60_000), '{t:3}a')).toEqual(new Set(['new']))
})

function outcome(read: PromiseSettledResult<RedisReply>): string {
  return read.status === 'fulfilled' ? String(read.value) : read.reason.code
}

/** What reads one after another gave, until `work` is done and one has succeeded; without those that were UNAVAILABLE. */
async function readsUntil(work: () => Promise<unknown>, key: string): Promise<Set<string>> {
  const given = new Set<string>()
  let isDone = false
  const done = work().finally(() => {
    isDone = true
  })
  while (!isDone || given.size === 0) {
    const reads = Array.from({ length: 20 }, () => link.send(key.slice(1, key.indexOf('}')), get(key), READ))
    for (const read of await Promise.allSettled(reads)) given.add(outcome(read))
    given.delete('UNAVAILABLE')
    await setImmediateAsync()
  }
  await done
  return given
}
