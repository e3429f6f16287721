/**
 * Redis processes killed while writers write (G1): what was acknowledged is in the outbox once, under the position that was told; what was
 * not is there once at most, and once after a repetition with its write id.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OnlineStore, RowOutcome, RowWrite } from '../../src/online/online-store.ts'
import { keyOf, wholeOutbox, write } from '../contract/online-store-fixture.ts'
import { loopback, openStore } from '../contract/redis-fixture.ts'
import { type RedisCluster, startCluster } from '../support/redis/redis-cluster.mjs'
import { type RedisProcess, startRedis } from '../support/redis/redis-process.mjs'
import { until } from '../support/redis/until.mjs'

const WRITERS = 8
/** Acknowledged before the kill and after it, so that it falls into the middle. */
const AROUND_KILL = 100
const DEADLINE_MS = 60_000

interface Attempt {
  readonly id: string
  readonly rows: readonly RowWrite[]
  readonly outcomes: readonly RowOutcome[] | undefined
}

/** Writers that go on through failures until `stop`, each batch with keys of its own. */
class Writers {
  readonly attempts: Attempt[] = []
  readonly #store: OnlineStore
  readonly #withIds: boolean
  readonly #running: Promise<void>[]
  #stopped = false

  constructor(store: OnlineStore, withIds: boolean) {
    this.#store = store
    this.#withIds = withIds
    this.#running = Array.from({ length: WRITERS }, (_, writer) => this.#run(writer))
  }

  acknowledged(): Attempt[] {
    return this.attempts.filter(({ outcomes }) => outcomes !== undefined)
  }

  async acknowledgedMore(count: number): Promise<void> {
    const from = this.acknowledged().length
    await until('writes to be acknowledged', DEADLINE_MS, () => this.acknowledged().length >= from + count)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }

  async #run(writer: number): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      const id = `${writer}/${turn}`
      const rows = Array.from({ length: 6 }, (_, index) => write(keyOf(`${id}/${index}`), 1, id))
      const options = this.#withIds ? { writeId: id, contentHash: id } : {}
      const outcomes = await this.#store.write(rows, options).catch(() => undefined)
      this.attempts.push({ id, rows, outcomes })
    }
  }
}

/** How often each key is in the outbox, and under which position. */
async function entriesByKey(store: OnlineStore): Promise<Map<string, number[]>> {
  const byKey = new Map<string, number[]>()
  for (const { key, position } of await wholeOutbox(store)) byKey.set(key, [...(byKey.get(key) ?? []), position])
  return byKey
}

async function expectOnce(store: OnlineStore, attempts: readonly Attempt[]): Promise<void> {
  const byKey = await entriesByKey(store)
  const rows = await store.readMany(attempts.flatMap((attempt) => attempt.rows.map(({ key }) => key)))
  let at = 0
  for (const { rows: written, outcomes } of attempts) {
    for (const [index, { key }] of written.entries()) {
      const entries = byKey.get(key) ?? []
      const hasValue = rows[at++] !== null
      expect(hasValue, 'value and outbox change together').toBe(entries.length > 0)
      if (outcomes === undefined) expect(entries.length).toBeLessThanOrEqual(1)
      else expect(entries).toEqual([outcomes[index]!.position])
    }
  }
}

test('one server with appendfsync always, killed: nothing acknowledged is lost, retries are recognized', async () => {
  const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  // Shorter than the restart, so that some writes fail and are for the client to repeat.
  const store = await openStore(loopback('standalone', [redis.port]), { writeTimeoutMs: 300 })
  try {
    const writers = new Writers(store, true)
    for (let kills = 0; kills < 3; kills++) {
      await writers.acknowledgedMore(AROUND_KILL)
      await redis.kill()
      const failed = () => writers.attempts.length - writers.acknowledged().length >= (kills + 1) * WRITERS
      await until('writes to fail', DEADLINE_MS, failed)
      await redis.restart()
    }
    await writers.acknowledgedMore(AROUND_KILL)
    await writers.stop()
    await expectOnce(store, writers.attempts)
    const repeated: Attempt[] = []
    for (const { id, rows, outcomes } of writers.attempts) {
      const again = await store.write(rows, { writeId: id, contentHash: id })
      if (outcomes !== undefined) expect(again).toEqual(outcomes)
      repeated.push({ id, rows, outcomes: again })
    }
    await expectOnce(store, repeated)
    expect((await store.outboxDepth()).rows).toBe(repeated.length * 6)
  } finally {
    await store.close()
    await redis.dispose()
  }
})

/** How many times a node was asked to wait for its replicas and has answered. */
async function waitsOf(node: RedisProcess): Promise<number> {
  return Number(/cmdstat_wait:calls=(\d+)/.exec(await node.command('INFO', 'commandstats'))?.[1] ?? 0)
}

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster.dispose())

test('a primary killed, its replica promoted, redis-wait-replicas 1: the link repeats, and each row is written once', async () => {
  const ports = cluster.nodes.map(({ port }) => port)
  const store = await openStore(loopback('cluster', ports), {
    project: 'failover',
    writeTimeoutMs: 30_000,
    replicas: { count: 1, timeoutMs: 500 },
  })
  try {
    const writers = new Writers(store, false)
    for (const shard of [0, 1]) {
      await writers.acknowledgedMore(AROUND_KILL)
      const primary: RedisProcess = await cluster.primaryOf(`{failover:${shard}}`)
      await primary.kill()
      const promoted = async () => (await cluster.primaryOf(`{failover:${shard}}`)).port !== primary.port
      await until('a failover', DEADLINE_MS, promoted)
      // The new primary alone cannot have a write on a replica too: what it executes is not acknowledged and comes again.
      const successor = await cluster.primaryOf(`{failover:${shard}}`)
      const before = await waitsOf(successor)
      await until('writes to be repeated', DEADLINE_MS, async () => (await waitsOf(successor)) >= before + 3)
      await primary.restart()
      await cluster.waitHealthy()
    }
    await writers.acknowledgedMore(AROUND_KILL)
    await writers.stop()
    await expectOnce(store, writers.attempts)
  } finally {
    await store.close()
  }
})
