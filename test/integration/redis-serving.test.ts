/** The read path over a real Redis Cluster of three primaries with a replica each: stalls, hedges, and two instances. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type RowKey, shardOf, splitRowKey } from '../../src/domain/entity-key.ts'
import { acceptRow } from '../../src/domain/row-codec.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { OnlineStore } from '../../src/online/online-store.ts'
import { openRedisLink } from '../../src/online/redis/connect/open-link.ts'
import { shardKeys, valuePrefix } from '../../src/online/redis/redis-keys.ts'
import { openRedisStore } from '../../src/online/redis/redis-store.ts'
import { createServing, type Serving, type ServingOptions } from '../../src/serving/serving.ts'
import type { ServingFault } from '../../src/serving/serving-fault.ts'
import { loopback } from '../contract/redis-fixture.ts'
import { type RedisCluster, startCluster } from '../support/redis/redis-cluster.mjs'
import type { RedisProcess } from '../support/redis/redis-process.mjs'
import { until } from '../support/redis/until.mjs'
import { decodeResponse, definitions, encodeRequest, feature, keyOf, rowOf, view } from '../unit/serving-fixture.ts'

const SHARDS = 16
const SILENCE_MAX_MS = 2000
const FRESH = 2
const counter = view('counter', [feature('n', 'int32')])
const IDS = Array.from({ length: 48 }, (_, index) => `e${index}`)
const keyOfId = (id: string): RowKey => keyOf(counter, id)

let cluster: RedisCluster
const closers: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  // A primary that is paused for a test stays the primary.
  cluster = await startCluster({ nodeTimeoutMs: 60_000 })
}, 60_000)
afterEach(async () => {
  for (const node of cluster.nodes) if (node.state === 'paused') node.resume()
  for (const close of closers.splice(0)) await close()
})
afterAll(() => cluster?.dispose())

interface Instance {
  readonly store: OnlineStore
  readonly serving: Serving
  readonly faults: ServingFault[]
  write(id: string, n: number): Promise<void>
}

interface InstanceOptions {
  readonly cache?: Partial<ServingOptions['cache']>
  readonly fetch?: Partial<ServingOptions['fetch']>
}

async function instance(project: string, { cache, fetch }: InstanceOptions = {}): Promise<Instance> {
  const link = await openRedisLink({
    location: loopback(
      'cluster',
      cluster.nodes.map(({ port }) => port),
    ),
    trackedPrefix: valuePrefix(project),
    replicaReads: (fetch?.hedgeAfterMs ?? 0) > 0 || fetch?.readFrom === 'replica',
    connectTimeoutMs: 1000,
    heartbeatMs: 100,
    silenceMaxMs: SILENCE_MAX_MS,
    topologyIntervalMs: 500,
    clock: systemClock,
  })
  const store = await openRedisStore({
    link,
    project,
    shardCount: SHARDS,
    outboxRowsMax: 1_000_000,
    outboxBytesMax: 2 ** 30,
    writeIdRetentionSeconds: 3600,
    writeIdsMax: 1000,
    readTimeoutMs: 30_000,
    writeTimeoutMs: 5000,
    replicas: { count: 0, timeoutMs: 1000 },
    pendingBytesMax: 2 ** 28,
  })
  closers.push(() => store.close())
  const faults: ServingFault[] = []
  const serving = createServing({
    definitions: { current: definitions({ views: [counter] }) },
    store,
    clock: systemClock,
    cache: { bytesMax: 2 ** 24, entriesMax: 10_000, ttlMs: 60_000, staleIfErrorMs: 300_000, ...cache },
    fetch: {
      batchKeysMax: 1000,
      pendingKeysMax: 10_000,
      timeoutMs: 30_000,
      hedgeAfterMs: 0,
      hedgeBudgetPercent: 0,
      readFrom: 'primary',
      replicaLagMaxMs: 0,
      ...fetch,
    },
    limits: {
      entitiesMax: 100,
      featuresMax: 9,
      entityKeyBytesMax: 99,
      requestBytesMax: 2 ** 20,
      responseBytesMax: 2 ** 20,
    },
    planCacheBytes: 2 ** 20,
    onFault: (fault) => void faults.push(fault),
  })
  const stop = store.watch((changed) => serving.invalidate(changed))
  closers.unshift(async () => stop())
  const write = async (id: string, n: number): Promise<void> => {
    const key = keyOfId(id)
    const row = rowOf(counter, [n])
    const [outcome] = await store.write([{ key, row }])
    serving.applied(key, acceptRow(row, outcome!.position))
  }
  return { store, serving, faults, write }
}

const newProject = (): string => `s${randomUUID().slice(0, 8)}`

/**
 * By an instance of its own, before the one of the test is there: to that one no news of these rows is on its way, which
 * would take them out of L1 again at whatever moment it is read from its socket.
 */
async function writeAll(project: string): Promise<void> {
  const { store } = await instance(project)
  await store.write(IDS.map((id, index) => ({ key: keyOfId(id), row: rowOf(counter, [index]) })))
}

/** The values, `stale 5` for one flagged as stale, `status 5` for none. */
async function read({ serving }: Instance, ids: readonly string[], consistency = 0): Promise<unknown[]> {
  const columns = [{ name: 'airport', strings: { val: ids } }]
  const request = encodeRequest({ features: { references: ['counter:n'] }, columns, consistency })
  return decodeResponse(await serving.getFeatures(request)).vectors.map((vector) => {
    const value = vector.values[0]?.['int32_val']
    if (vector.statuses.length > 0 && vector.statuses[0] !== 1) return `status ${vector.statuses[0]}`
    return vector.stale_views.length > 0 ? `stale ${value}` : value
  })
}

async function nodeOf(project: string, id: string): Promise<RedisProcess> {
  const shard = shardOf(splitRowKey(keyOfId(id)).entityKey, SHARDS)
  return await cluster.primaryOf(shardKeys(project, SHARDS)[shard]!.state)
}

/** The ids that lie on the same primary as the first, and the others. */
async function split(project: string): Promise<{ node: RedisProcess; there: string[]; elsewhere: string[] }> {
  const nodes = await Promise.all(IDS.map((id) => nodeOf(project, id)))
  const there = IDS.filter((_, index) => nodes[index] === nodes[0])
  return { node: nodes[0]!, there, elsewhere: IDS.filter((id) => !there.includes(id)) }
}
const numbersOf = (ids: readonly string[]): number[] => ids.map((id) => IDS.indexOf(id))

test('a paused node costs its own slots alone, and only until it is given up; then they are answered at once', async () => {
  const project = newProject()
  await writeAll(project)
  const one = await instance(project, { cache: { ttlMs: 1 } })
  expect(await read(one, IDS)).toEqual(numbersOf(IDS))
  const { node, there, elsewhere } = await split(project)
  node.pause()
  let isAnswered = false
  const whole = read(one, IDS).finally(() => {
    isAnswered = true
  })
  expect(await read(one, elsewhere)).toEqual(numbersOf(elsewhere))
  expect(isAnswered).toBe(false)
  // What was in L1 stands in, flagged; what was not is UNAVAILABLE.
  const expected = IDS.map((id) => (there.includes(id) ? `stale ${IDS.indexOf(id)}` : IDS.indexOf(id)))
  expect(await whole).toEqual(expected)
  const beganMs = performance.now()
  expect(await read(one, there, FRESH)).toEqual(there.map(() => 'status 5'))
  expect(await read(one, IDS)).toEqual(expected)
  expect(performance.now() - beganMs).toBeLessThan(SILENCE_MAX_MS)
  expect(one.faults.every((fault) => fault.kind === 'fetch' && fault.error.code === 'UNAVAILABLE')).toBe(true)
  node.resume()
  await until('the node is trusted again', 10_000, async () => (await read(one, there, FRESH))[0] === 0)
}, 60_000)

test('a replica answers for a paused primary, before it is given up and after', async () => {
  const project = newProject()
  const fetch = { hedgeAfterMs: 20, hedgeBudgetPercent: 100, replicaLagMaxMs: 1 }
  await writeAll(project)
  const one = await instance(project, { cache: { ttlMs: 1, staleIfErrorMs: 0 }, fetch })
  const { node, there } = await split(project)
  await until('the replica has the rows', 5000, async () => {
    const rows = await one.store.readMany(there.map(keyOfId), { mayLag: true })
    return rows.every((row) => Buffer.isBuffer(row))
  })
  node.pause()
  expect(await read(one, there)).toEqual(numbersOf(there))
  expect(one.faults).toEqual([])
  expect(one.serving.stats()).toMatchObject({ hedgedKeys: there.length, cacheEntries: 0 })
  await until('the primary is given up', 10_000, () => one.faults.length > 0)
  expect(await read(one, there)).toEqual(numbersOf(there))
  expect(await read(one, there.slice(0, 1), FRESH)).toEqual(['status 5'])
}, 60_000)

test.each(['primary', 'replica'] as const)(
  'two instances agree, reading from the %s',
  async (readFrom) => {
    const project = newProject()
    const fetch = { readFrom, replicaLagMaxMs: readFrom === 'replica' ? 2000 : 0 }
    const [one, two] = [await instance(project, { fetch }), await instance(project, { fetch })]
    for (let n = 1; n <= 100; n++) {
      const [writer, other] = n % 2 === 0 ? [one, two] : [two, one]
      const id = IDS[n % 5]!
      await read(other, [id])
      await writer.write(id, n)
      expect(await read(writer, [id])).toEqual([n])
      expect(await read(other, [id], FRESH)).toEqual([n])
      await writer.write(id, n + 1000)
      await until('the other instance hears of it', 1000, async () => (await read(other, [id]))[0] === n + 1000)
    }
    const { hits, misses } = one.serving.stats()
    expect(hits + misses).toBeGreaterThan(100)
  },
  60_000,
)
