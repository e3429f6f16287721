/** Comparisons, and repairs, while writers go on. */
import { expect, test } from 'vitest'
import { entityKey, rowKey } from '../../src/domain/entity-key.ts'
import { ALL_KEYS } from '../../src/domain/key-sample.ts'
import { type FeatureView, storageId } from '../../src/domain/registry.ts'
import { compareRowVersions } from '../../src/domain/row-codec.ts'
import { compareTwins, type ParityResult } from '../../src/parity/compare-twins.ts'
import type { ParityParts } from '../../src/parity/parity-parts.ts'
import { airport, keyOf, openTwins, type Twins, values } from './parity-fixture.ts'
import { type Tampered, tamperedLmdb, tamperedRedis, temporaryDir } from './parity-stores.ts'

const NAMES = Array.from({ length: 40 }, (_, index) => `A${index}`)
/** Nobody writes these again. */
const QUIET = Array.from({ length: 12 }, (_, index) => `Q${index}`)
const WRITERS = 3
const COMPARISONS_MIN = 5
const COMPARISONS_MAX = 60

/** Writers that go on until `work` has ended: hot keys and others, new and late event timestamps, several rows a write. */
async function whileWriting(twins: Twins, work: () => Promise<void>): Promise<void> {
  let isOver = false
  const writer = async (number: number): Promise<void> => {
    for (let turn = 0; !isOver; turn++) {
      const names = [`A${turn % 3}`, NAMES[(turn * 7 + number) % NAMES.length]!, `new-${number}-${turn % 50}`]
      const event = 1_000_000 + ((turn * 13) % 100) * 1000 + Math.floor(turn / 20) * 1000
      const rows = Object.fromEntries(names.map((name) => [name, values(number * 100_000 + turn)]))
      // Now and then until the rows are archived, so that writers do not run away from the archiver.
      await twins.write(rows, event, turn % 10 === 9 ? 'BOTH' : 'ONLINE')
    }
  }
  const writers = Promise.all(Array.from({ length: WRITERS }, (_, number) => writer(number)))
  try {
    await work()
  } finally {
    isOver = true
    await writers
  }
}

const STORES: [string, () => Promise<Tampered>][] = [
  ['LMDB', tamperedLmdb],
  ['Redis', () => tamperedRedis()],
]

test.each(STORES)(
  '%s: stores that work are never accused while writes, archiving and comparisons go on side by side',
  { timeout: 120_000 },
  async (_, make) => {
    const twins = await openTwins({ online: (await make()).online, dir: await temporaryDir() })
    await twins.write(Object.fromEntries(NAMES.map((name, index) => [name, values(index)])), 1_000_000)
    await twins.archiver.flush()
    const results: ParityResult[] = []
    const sum = (of: (result: ParityResult) => number): number => results.reduce((all, result) => all + of(result), 0)
    await whileWriting(twins, async () => {
      // Until it was put to the test: rows were pending, and keys differed at first sight, which a single look would accuse.
      const isTried = () =>
        results.length >= COMPARISONS_MIN &&
        sum(({ suspects }) => suspects) > 0 &&
        sum(({ counts }) => counts.pending) > 0
      while (!isTried() && results.length < COMPARISONS_MAX) results.push(await twins.compare())
    })
    expect(sum(({ suspects }) => suspects)).toBeGreaterThan(0)
    expect(sum(({ counts }) => counts.pending)).toBeGreaterThan(0)
    expect(results.flatMap(({ findings, problems }) => [...findings, ...problems])).toEqual([])
    await twins.archiver.flush()
    const last = await twins.compare()
    expect(last).toMatchObject({ faults: 0, suspects: 0 })
    expect(last.counts.equal).toBe(last.keys)
  },
)

test.each(STORES)(
  '%s: repairs beside writers mend what is broken and take nothing away that was written',
  { timeout: 120_000 },
  async (_, make) => {
    const tampered = await make()
    const twins = await openTwins({ online: tampered.online, dir: await temporaryDir() })
    const all = [...NAMES, ...QUIET]
    await twins.write(Object.fromEntries(all.map((name, index) => [name, values(index)])), 1_000_000)
    await twins.archiver.flush()
    let found = 0
    await whileWriting(twins, async () => {
      for (let round = 0; round < 6; round++) {
        // Keys that writers come by all the time, so that repair and write meet.
        for (const name of [`A${round % 3}`, `A${10 + round}`, QUIET[round]!, QUIET[6 + round]!]) {
          if (round % 2 === 0) await tampered.remove(keyOf(name))
          else await tampered.put(keyOf(name), Buffer.from('damaged beyond recognition, and long enough for a header'))
        }
        found += (await twins.compare({ repair: true })).faults
      }
    })
    expect(found).toBeGreaterThanOrEqual(QUIET.length)
    await twins.archiver.flush()
    await twins.compare({ repair: true })
    const last = await twins.compare()
    expect(last).toMatchObject({ faults: 0 })
    expect(last.counts.equal).toBe(last.keys)
    // G2 by the history alone: the greatest version of every entity is what is online.
    const { batches } = await twins.offline.latestOf(airport, { sample: { parts: 1, part: 0 } })
    for await (const batch of batches) {
      const online = await twins.online.readMany(batch.map(({ key }) => key))
      for (const [index, { row }] of batch.entries()) expect(compareRowVersions(online[index] as Buffer, row)).toBe(0)
    }
  },
)

test('whatever read of a comparison a write or an archiving comes before, nothing is accused', {
  timeout: 120_000,
}, async () => {
  const { online } = await tamperedLmdb(1)
  const twins = await openTwins({ online, dir: await temporaryDir(), archiver: { intervalMs: 3_600_000 } })
  let turn = 0
  const write = () => twins.write({ A1: values(++turn), [`new-${turn}`]: values(turn) }, 1_000_000 + turn)
  const archive = () => twins.archiver.flush()
  const meanwhile: Record<string, () => Promise<void>> = {
    write,
    archive,
    'write and archive': () => write().then(archive),
  }
  let reads = 0
  for (const [what, interfere] of Object.entries(meanwhile)) {
    let isPast = false
    for (let before = 0; !isPast; before++) {
      await write()
      let calls = 0
      let isSuspect = false
      const parts = interrupted(twins.parts, async (read) => {
        // A write behind the first look's back makes suspects, so that there is a second one.
        if (read === 'readMany' && !isSuspect) {
          isSuspect = true
          await write()
        }
        if (calls++ === before) await interfere()
      })
      const { findings, problems } = await compareTwins(parts, airport, {
        sample: ALL_KEYS,
        repair: false,
        findingsMax: 9,
      })
      expect([...findings, ...problems], `${what} before read ${before}`).toEqual([])
      isPast = calls <= before
      reads = Math.max(reads, calls)
    }
  }
  // The first look has four kinds of reads at least, and a second one was made.
  expect(reads).toBeGreaterThan(8)
})

/** Parts that wait for `before` ahead of every read of a store. */
function interrupted(parts: ParityParts, before: (read: string) => Promise<void>): ParityParts {
  const around = <T extends object>(store: T): T =>
    new Proxy(store, {
      get(target, name) {
        const member = target[name as keyof T]
        if (typeof member !== 'function') return member
        return async (...args: readonly unknown[]) => {
          await before(String(name))
          return await member(...args)
        }
      },
    })
  const isSynced: ParityParts['isSynced'] = async (view) => {
    await before('isSynced')
    return await parts.isSynced(view)
  }
  return { ...parts, online: around(parts.online), offline: around(parts.offline), isSynced }
}

test('rows of a sync that is under way, or was broken off, are not accused; afterwards what it left is', async () => {
  const tampered = await tamperedLmdb()
  const synced: FeatureView = { ...airport, name: 'synced', source: { sql: 'SELECT', files: [] } }
  const key = rowKey(storageId(synced), entityKey(['string'], ['ATL']))
  const twins = await openTwins({
    online: tampered.online,
    dir: await temporaryDir(),
    views: [synced],
    resolveSource: () =>
      "SELECT 'ATL' AS airport, 1 AS flights, 2.5 AS mean_delay, 'x' AS name, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS event_timestamp",
  })
  await twins.offline.sync(synced, await twins.online.reservePosition())
  expect(await twins.compare({}, synced)).toMatchObject({ counts: { syncing: 1 }, faults: 0 })
  await twins.seed(synced)
  expect(await twins.compare({}, synced)).toMatchObject({ counts: { equal: 1 }, faults: 0 })
  await tampered.remove(key)
  expect(await twins.compare({ repair: true }, synced)).toMatchObject({ counts: { missingOnline: 1 }, repaired: 1 })
  expect(await twins.compare({}, synced)).toMatchObject({ counts: { equal: 1 }, faults: 0 })
})

test('a view that keeps some of its entities online: those that are not are no fault, those that are are compared', async () => {
  const tampered = await tamperedLmdb()
  const some: FeatureView = { ...airport, keepOnline: { topBy: 'flights', limit: 10 } }
  const twins = await openTwins({ online: tampered.online, dir: await temporaryDir(), views: [some] })
  await twins.write({ kept: values(9), dropped: values(1) })
  await twins.archiver.flush()
  await tampered.remove(keyOf('dropped'))
  expect(await twins.compare({}, some)).toMatchObject({ counts: { equal: 1, notKept: 1 }, faults: 0 })
  await tampered.put(keyOf('kept'), Buffer.alloc(40))
  expect(await twins.compare({ repair: true }, some)).toMatchObject({
    counts: { unreadable: 1, notKept: 1 },
    repaired: 1,
  })
})
