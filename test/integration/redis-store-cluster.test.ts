/** The store on a Cluster some of which is away or on the move. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { RowKey } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { KeyPage, OnlineStore } from '../../src/online/online-store.ts'
import { contentOf, keyOf, keysOfOneShard, shardOfKey, wholeOutbox, write } from '../contract/online-store-fixture.ts'
import { loopback, openStore } from '../contract/redis-fixture.ts'
import { hashSlot } from '../support/redis/hash-slot.mjs'
import { type RedisCluster, startCluster } from '../support/redis/redis-cluster.mjs'
import { until } from '../support/redis/until.mjs'

let cluster: RedisCluster
const opened: OnlineStore[] = []

beforeAll(async () => {
  cluster = await startCluster({ replicas: 0 })
})
afterAll(() => cluster.dispose())
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

async function open(project: string, writeTimeoutMs: number): Promise<OnlineStore> {
  const ports = cluster.nodes.map(({ port }) => port)
  const store = await openStore(loopback('cluster', ports), { project, shardCount: 8, writeTimeoutMs })
  opened.push(store)
  return store
}

const KEYS = Array.from({ length: 60 }, (_, index) => keyOf(`airport-${index}`))

function batch(eventMicros: number, content: string) {
  return KEYS.map((key) => write(key, eventMicros, content))
}

test('with a primary down: its rows are errors, the others are served and written; the rest is written once it is back', async () => {
  const store = await open('down', 500)
  await store.write(batch(1, 'before'))
  const down = await cluster.primaryOf('{down:0}')
  const slots = (await cluster.roles()).find(({ port }) => port === down.port)!.slots
  const isDown = (key: RowKey): boolean => {
    const slot = hashSlot(`{down:${shardOfKey(store, key)}}`)
    return slots.some(([first, last]) => first <= slot && slot <= last)
  }
  const shards = new Set(KEYS.filter(isDown).map((key) => shardOfKey(store, key)))
  expect(shards.size).toBeGreaterThan(0)
  expect(KEYS.every(isDown)).toBe(false)
  await down.stop()

  for (const instance of [store, await open('down', 500)]) {
    const rows = await instance.readMany(KEYS)
    for (const [index, key] of KEYS.entries()) {
      if (isDown(key)) expect((rows[index] as TwinstoreError).code).toBe('UNAVAILABLE')
      else expect(contentOf(rows[index])).toBe('before')
    }
  }
  const up = KEYS.filter((key) => !isDown(key))
  await store.write(up.map((key) => write(key, 2, 'meanwhile')))
  const id = { writeId: 'id-1', contentHash: 'aa' }
  const failure = await store.write(batch(2, 'after'), id).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(TwinstoreError)
  expect((failure as TwinstoreError).code).toBe('UNAVAILABLE')

  await down.restart()
  await cluster.waitHealthy()
  const outcomes = await until('the rest to be written', 30_000, () => store.write(batch(2, 'after'), id))
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['APPLIED']))
  expect((await store.readMany(KEYS)).map(contentOf)).toEqual(KEYS.map(() => 'after'))
  const entries = await wholeOutbox(store)
  expect(
    entries
      .filter(({ row }) => contentOf(row) === 'after')
      .map(({ key }) => key)
      .toSorted(),
  ).toEqual(KEYS.toSorted())
})

test('while a shard is moved to another node: reads answer from both, writes wait and are written once', async () => {
  const store = await open('moving', 30_000)
  const own = keysOfOneShard(store, 8)
  await store.write(own.map((key) => write(key, 1, 'before')))
  const slot = hashSlot(`{moving:${shardOfKey(store, own[0]!)}}`)
  const from = await cluster.primaryOf(slot)
  const to = cluster.nodes.find(({ port }) => port !== from.port)!

  const steps = cluster.moveSlotInSteps(slot, to.port, 2)
  let writing: Promise<unknown> | undefined
  let taken = 0
  for await (const _ of steps) {
    expect((await store.readMany(own)).map(contentOf), `step ${taken}`).toEqual(own.map(() => 'before'))
    // As soon as some keys are there and some here, a script that needs both must wait.
    if (++taken === 3) writing = store.write(own.map((key) => write(key, 0, 'late')))
  }
  expect(taken).toBeGreaterThan(3)
  await writing
  expect((await cluster.primaryOf(slot)).port).toBe(to.port)
  const late = (await wholeOutbox(store)).filter(({ row }) => contentOf(row) === 'late')
  expect(late.map(({ key }) => key).toSorted()).toEqual(own.toSorted())
  expect((await store.readMany(own)).map(contentOf)).toEqual(own.map(() => 'before'))
})

async function pages(store: OnlineStore): Promise<KeyPage[]> {
  const found = [await store.scanKeys('airport_daily', undefined, 1000)]
  for (let next = found[0]!.next; next !== undefined; next = found.at(-1)!.next) {
    found.push(await store.scanKeys('airport_daily', next, 1000))
  }
  return found
}

test('while a shard is moved its keys are not taken for all that there are; those of the others are listed', async () => {
  const store = await open('listed', 30_000)
  await store.write(batch(1, 'x'))
  const own = KEYS.filter((key) => shardOfKey(store, key) === shardOfKey(store, KEYS[0]!))
  const slot = hashSlot(`{listed:${shardOfKey(store, KEYS[0]!)}}`)
  const from = await cluster.primaryOf(slot)
  const to = cluster.nodes.find(({ port }) => port !== from.port)!
  for await (const _ of cluster.moveSlotInSteps(slot, to.port, 2)) {
    const found = await pages(store)
    expect(found.flatMap(({ fault }) => fault?.code ?? [])).toEqual(['UNAVAILABLE'])
    const listed = new Set(found.flatMap(({ keys }) => keys))
    expect(KEYS.filter((key) => !own.includes(key) && !listed.has(key))).toEqual([])
  }
  const found = await until('the move to be known', 30_000, async () => {
    const found = await pages(store)
    return found.every(({ fault }) => fault === undefined) && found
  })
  expect(found.flatMap(({ keys }) => keys).toSorted()).toEqual(KEYS.toSorted())
})

test('a node that is gone, or was another process between two pages, ends the listing of its shard, and of no other', async () => {
  const store = await open('replaced', 500)
  await store.write(batch(1, 'x'))
  const node = await cluster.primaryOf('{replaced:0}')
  const { next: before } = await store.scanKeys('airport_daily', undefined, 1)
  await node.kill()
  const [first, ...rest] = await pages(store)
  expect(first).toMatchObject({ keys: [], fault: { code: 'UNAVAILABLE' } })
  expect(rest.some(({ fault, keys }) => fault === undefined && keys.length > 0)).toBe(true)
  await node.restart()
  await cluster.waitHealthy()
  await until('the node to answer', 30_000, async () => {
    const found = await pages(store)
    return found.every(({ fault }) => fault === undefined)
  })
  const { fault, next } = await store.scanKeys('airport_daily', before, 1000)
  expect(fault).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('lost or replaced') })
  expect(next).toBeDefined()
})
