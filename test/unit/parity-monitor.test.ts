/** What is remembered of comparisons, which part is next, and when an operator is told. */
import { expect, test } from 'vitest'
import { type EntityKey, type RowKey, rowKey, stringKeyPart } from '../../src/domain/entity-key.ts'
import { isRowInSample } from '../../src/domain/key-sample.ts'
import { encodeRow } from '../../src/domain/row-codec.ts'
import { encodeValue } from '../../src/domain/value-codec.ts'
import type { Position } from '../../src/domain/version.ts'
import { createParityMonitor, type MonitorParts, type ParitySettings } from '../../src/parity/parity-monitor.ts'
import { ManualClock, route, TestDefinitions } from './writing-fixture.ts'
import { openTestStore } from './writing-stores.ts'

const KEYS = Array.from({ length: 40 }, (_, index) => rowKey('route', stringKeyPart(`R${index}`) as EntityKey))

function rowOf(key: RowKey): { key: RowKey; row: Buffer } {
  const values = [encodeValue({ kind: 'double' }, 1) as Buffer]
  const position = 5 as Position
  return { key, row: encodeRow({ schemaId: 1, eventMicros: 1, createdMicros: 5, position, values }) }
}

/** An online store that has all but `missing` of what the history has. */
async function bench(settings: Partial<ParitySettings> = {}, missing: readonly RowKey[] = []) {
  const online = await openTestStore(2)
  await online.seed(KEYS.filter((key) => !missing.includes(key)).map(rowOf))
  const clock = new ManualClock()
  const problems: string[] = []
  const offlineOnly = { ...route, name: 'offline_only', online: false }
  const parts: MonitorParts = {
    online,
    offline: {
      latestOf: async (view, selection) => {
        const of =
          'sample' in selection
            ? (key: RowKey) => isRowInSample(key, selection.sample)
            : (key: RowKey) =>
                selection.entities.some(([name]) => key === rowKey('route', stringKeyPart(String(name)) as EntityKey))
        const rows = view.name === 'route' ? KEYS.filter(of).map(rowOf) : []
        async function* batches() {
          yield rows
        }
        return { tableVersion: 3, rows: rows.length, batches: batches() }
      },
      restore: async () => ({ tableVersion: 3, rowsAdded: 0 }),
    },
    definitions: new TestDefinitions(route, offlineOnly),
    isSynced: async () => true,
    clock,
    limits: {
      page: { rows: 100, bytes: 100_000 },
      shardsAtOnce: 2,
      keysMax: 1000,
      suspectsMax: 1000,
      batchKeys: 100,
      looksMax: 3,
      repairsMax: 100,
      eventAheadMsMax: 1000,
    },
    settings: {
      everyMs: 60_000,
      parts: 4,
      repair: false,
      findingsMax: 10,
      faultsMax: 0,
      faultsPerMillionMax: 0,
      ...settings,
    },
    onProblem: (problem) => problems.push(problem),
  }
  const monitor = createParityMonitor(parts)
  return { monitor, clock, problems, parts }
}

test('scheduled runs go through the parts, on whichever instance, and begin anew after the last', async () => {
  const { monitor, clock, parts } = await bench()
  const other = createParityMonitor(parts)
  const seen: unknown[] = []
  let keys = 0
  for (let run = 0; run < 6; run++) {
    const [task, ...rest] = (run % 2 === 0 ? monitor : other).tasks()
    expect([task!.name, rest]).toEqual(['parity route', []])
    clock.advance(1000)
    await task!.run(new AbortController().signal)
    expect(await task!.lastRunMs()).toBe(clock.nowMicros() / 1000)
    const { last } = (await monitor.status())[0]!.note!
    seen.push(last.sample)
    if (run < 4) keys += last.keys
  }
  expect(seen).toEqual([0, 1, 2, 3, 0, 1].map((part) => ({ parts: 4, part })))
  expect(keys).toBe(KEYS.length)
})

test('a run that was asked for neither moves the round on nor counts as the last scheduled one', async () => {
  const { monitor, clock } = await bench()
  const firstAskedMs = await monitor.tasks()[0]!.lastRunMs()
  expect(firstAskedMs).toBe(clock.nowMicros() / 1000)
  clock.advance(5000)
  await monitor.compare('all', { repair: false })
  await monitor.compare(['route'], { repair: false, sample: { parts: 4, part: 2 } })
  const { note } = (await monitor.status())[0]!
  expect(note).toMatchObject({ last: { sample: { parts: 4, part: 2 } }, round: { next: 0, endedMs: 0 } })
  expect(await monitor.tasks()[0]!.lastRunMs()).toBe(firstAskedMs)
})

test('a fault stays open while other parts are looked at, until its own part is clean', async () => {
  const missing = [KEYS[7]!]
  const part = [0, 1, 2, 3].find((part) => isRowInSample(KEYS[7]!, { parts: 4, part }))!
  const { monitor, problems } = await bench({}, missing)
  const [task] = monitor.tasks()
  for (let run = 0; run < 4; run++) await task!.run(new AbortController().signal)
  const { problem } = (await monitor.status())[0]!
  expect(problem).toMatch(/route differ in 1 of the 40 keys.*--repair/)
  // Told by the run that found it, and not again by those over the other parts.
  expect(problems).toHaveLength(1)
  expect((await monitor.numbers())[0]).toMatchObject({ view: 'route', openFaults: 1 })
  const other = (part + 1) % 4
  await monitor.compare(['route'], { repair: true, sample: { parts: 4, part: other } })
  expect((await monitor.status())[0]!.problem).toBe(problem)
  const [mended] = await monitor.compare(['route'], { repair: true, sample: { parts: 4, part } })
  expect(mended).toMatchObject({ faults: 1, repaired: 1 })
  expect((await monitor.status())[0]!.problem).toBeUndefined()
})

test('faults within either threshold are counted and no problem', async () => {
  const two = KEYS.slice(0, 2)
  for (const [settings, isProblem] of [
    [{ faultsMax: 1 }, true],
    [{ faultsMax: 2 }, false],
    [{ faultsPerMillionMax: 49_999 }, true],
    [{ faultsPerMillionMax: 50_000 }, false],
  ] as const) {
    const { monitor, problems } = await bench(settings, two)
    await monitor.compare('all', { repair: false })
    expect([(await monitor.status())[0]!.problem !== undefined, problems.length]).toEqual([
      isProblem,
      isProblem ? 1 : 0,
    ])
    expect((await monitor.numbers())[0]).toMatchObject({ openFaults: 2, counts: { missingOnline: 2, equal: 38 } })
  }
})

test('a round of another number of parts begins anew; an interval of 0 schedules nothing', async () => {
  const { monitor, parts } = await bench()
  await monitor.tasks()[0]!.run(new AbortController().signal)
  const other = createParityMonitor({ ...parts, settings: { ...parts.settings, parts: 2 } })
  await other.tasks()[0]!.run(new AbortController().signal)
  expect((await other.status())[0]!.note!.round).toMatchObject({ parts: 2, next: 1 })
  expect(createParityMonitor({ ...parts, settings: { ...parts.settings, everyMs: 0 } }).tasks()).toEqual([])
})

test('what cannot be compared is refused by name', async () => {
  const { monitor, parts } = await bench()
  const compare = (views: readonly string[], sample = { parts: 1, part: 0 }) =>
    monitor.compare(views, { repair: false, sample })
  await expect(compare(['rote'])).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining('route'),
  })
  await expect(compare(['offline_only'])).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  await expect(compare(['route'], { parts: 4, part: 4 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  const first = compare(['route'])
  await expect(compare(['route'])).rejects.toMatchObject({ code: 'ABORTED' })
  await first
  const down = createParityMonitor({
    ...parts,
    offline: { ...parts.offline, latestOf: () => Promise.reject(new Error('x')) },
  })
  await expect(down.compare('all', { repair: false })).rejects.toMatchObject({
    message: expect.stringContaining('route'),
  })
})
