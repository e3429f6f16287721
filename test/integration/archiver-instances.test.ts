/**
 * Several archivers on one online store and one Delta folder, each with its own view of both, started, stopped and killed
 * at random while all of them write and wait: nothing is added twice, nothing is lost. `TEST_SEED` repeats a run.
 */
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { shardOf, splitRowKey } from '../../src/domain/entity-key.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts'
import type { RowWrite } from '../../src/online/online-store.ts'
import { LMDB_LIMITS } from '../support/lmdb-limits.mjs'
import { seededRandom, testSeed } from '../support/random.ts'
import { historyOf, type Instance, startInstance, temporaryDir, views } from './archiver-instances-fixture.ts'
import { rowOf } from './offline-store-fixtures.ts'

const SHARDS = 8
const LEASE_MS = 300
const WAIT_MS = 60_000

async function openWorld(random: () => number) {
  const dir = await temporaryDir()
  const online = await openLmdbStore({
    ...LMDB_LIMITS,
    durability: 'process',
    dir: join(dir, 'online'),
    shardCount: SHARDS,
    clock: systemClock,
  })
  onTestFinished(() => online.close())
  const start = () => {
    const limits = { intervalMs: 5 + Math.floor(random() * 30), batchRows: 5 + Math.floor(random() * 60) }
    return startInstance({ dir, online, limits: { ...limits, leaseMs: LEASE_MS } })
  }
  return { online, start }
}

test('instances that archive, stop and are killed at random add every acknowledged row once', {
  timeout: 120_000,
}, async () => {
  const seed = testSeed()
  console.log(`TEST_SEED=${seed}`)
  const random = seededRandom(seed)
  const { online, start } = await openWorld(random)
  const pick = (count: number) => Math.floor(random() * count)
  const instances = [await start(), await start()]
  const acknowledged = new Map<string, number[]>()
  let written = 0

  async function write(): Promise<readonly { readonly row: RowWrite; readonly position: number }[]> {
    const rows = Array.from({ length: 1 + pick(40) }, () => {
      const key = `k${pick(30)}`
      const view = views[pick(2)]!
      return { key, row: rowOf(view, { key: [key], event: ++written, position: 0, values: [BigInt(written)] }) }
    })
    const outcomes = await online.write(rows.map(({ row }) => row))
    return rows.map(({ key, row }, index) => {
      const { position } = outcomes[index]!
      acknowledged.set(key, [...(acknowledged.get(key) ?? []), position])
      return { row, position }
    })
  }

  /** What ack BOTH does; of an instance that is killed meanwhile it never ends. */
  async function writeAndWait({ archiver }: Instance): Promise<void> {
    const rows = await write()
    const gone = AbortSignal.timeout(2000)
    for (const { row, position } of rows) {
      const { storageId, entityKey } = splitRowKey(row.key)
      const archived = { storageId, shard: shardOf(entityKey, SHARDS), position: position as never }
      await archiver.archived(archived, gone, 'late').catch((error) => expect(String(error)).toContain('late'))
    }
  }

  const calls: Promise<unknown>[] = []
  for (let step = 0; step < 80; step++) {
    const instance = instances[pick(instances.length)]!
    const choice = random()
    if (choice < 0.4) instance.archiver.accepted((await write()).length, 1000)
    else if (choice < 0.65) calls.push(writeAndWait(instance))
    else if (choice < 0.8) calls.push(instance.archiver.flush().catch(() => undefined))
    else if (choice < 0.9 && instances.length < 4) instances.push(await start())
    else if (choice >= 0.9 && instances.length > 1) {
      instances.splice(instances.indexOf(instance), 1)
      calls.push(random() < 0.5 ? instance.kill() : instance.archiver.stop(1000))
    }
    // Passes of all instances are anywhere on their way between two steps.
    if (random() < 0.3) await instances[pick(instances.length)]!.archiver.flush().catch(() => undefined)
    else await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(calls)
  // The survivors take over what the killed ones held, without anybody asking for it.
  await expect.poll(async () => (await online.outboxDepth()).rows, { timeout: WAIT_MS }).toBe(0)
  const { offline } = instances[0]!
  for (const [key, positions] of acknowledged) {
    expect(await historyOf(offline, key), `key ${key}, TEST_SEED=${seed}`).toEqual(positions.sort((a, b) => a - b))
  }
  for (const { archiver } of instances) expect(await archiver.stop(5000)).toBe(true)
  expect(written).toBeGreaterThan(300)
})
