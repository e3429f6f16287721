/** A view that keeps only some entities online: which, what happens to late rows, and what a changed definition brings about. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RowKey } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { type FeatureView, storageId } from '../../src/domain/registry.ts'
import { compareRowVersions, rowEventMicros, rowPosition } from '../../src/domain/row-codec.ts'
import { NO_POSITION } from '../../src/domain/version.ts'
import type { OnlineStore } from '../../src/online/online-store.ts'
import { createWriteService } from '../../src/writing/feature-write-service.ts'
import { createFeatureWriter } from '../../src/writing/feature-writer.ts'
import { limitTasks } from '../../src/writing/limit-tasks.ts'
import { createSyncer, type Syncer } from '../../src/writing/syncer.ts'
import { encodeWriteRequest } from '../support/typed-rows.ts'
import { limits, ManualClock, NOW_MICROS, TestDefinitions, viewOf } from './writing-fixture.ts'
import { MemoryOffline, openTestStore } from './writing-stores.ts'

const all = viewOf({
  name: 'customer',
  joinKeys: [{ name: 'id', type: 'string' }],
  features: [{ name: 'score', type: { kind: 'double' } }],
})
const top = (limit: number): FeatureView => ({ ...all, keepOnline: { topBy: 'score', limit } })
const WHOLE = { rows: 10_000, bytes: 10_000_000 }
const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g']

interface Bench {
  readonly online: OnlineStore
  readonly offline: MemoryOffline
  readonly syncer: (view: FeatureView) => Syncer
  /** Resolves to the outcome's status, as on the wire: 1 applied, 2 superseded, 3 history only. */
  write(view: FeatureView, id: string, score: number, eventMicros?: number): Promise<number>
  /** Rows of the ids that are online. */
  stored(): Promise<Map<string, Buffer>>
  /** Every row that was ever accepted, by id. */
  readonly accepted: Map<string, Buffer[]>
  readonly forgotten: RowKey[]
  /** Called at each step of a run that touches the online store. */
  during: () => Promise<void>
}

async function bench(): Promise<Bench> {
  const store = await openTestStore()
  const offline = new MemoryOffline()
  const clock = new ManualClock()
  const forgotten: RowKey[] = []
  const accepted = new Map<string, Buffer[]>()
  const changes = { applied: () => {}, changed: (keys: readonly RowKey[]) => void forgotten.push(...keys) }
  const archiver = { accepted: () => {}, archived: async () => {} }
  const keyOf = (id: string): RowKey => `customer/S\u0001${id}` as RowKey

  const flush = async (): Promise<void> => {
    for (let shard = 0; shard < store.shardCount; shard++) {
      const entries = await store.readOutbox(shard as never, NO_POSITION, WHOLE)
      if (entries.length === 0) continue
      await offline.store.append(all, [{ source: { storeId: store.storeId, shard: shard as never }, entries }])
      await store.trimOutbox(shard as never, entries.at(-1)!.position)
    }
  }
  const made: Bench = {
    online: store,
    offline,
    accepted,
    forgotten,
    during: async () => {},
    syncer: (view) =>
      createSyncer({
        online: {
          ...store,
          raiseHorizon: async (...args) => {
            await made.during()
            await store.raiseHorizon(...args)
            await made.during()
          },
          scanKeys: async (...args) => {
            await made.during()
            const page = await store.scanKeys(...args)
            await made.during()
            return page
          },
        },
        offline: offline.store,
        definitions: new TestDefinitions(view),
        changes,
        clock,
        flush,
        seedRows: 2,
        passRows: 100,
      }),
    async write(view, id, score, eventMicros = NOW_MICROS) {
      const definitions = new TestDefinitions(view)
      const writer = createFeatureWriter({ online: store, archiver, changes })
      const writes = createWriteService({ writer, definitions, clock, limits })
      const answer = await writes.writeFeatures(encodeWriteRequest(view, [{ values: { id, score }, eventMicros }]))
      for (let shard = 0; shard < store.shardCount; shard++) {
        for (const { key, row, position } of await store.readOutbox(shard as never, NO_POSITION, WHOLE)) {
          const rows = accepted.get(key.at(-1)!) ?? []
          accepted.set(key.at(-1)!, rows)
          if (!rows.some((known) => rowPosition(known) === position)) rows.push(row)
        }
      }
      return answer[3]!
    },
    async stored() {
      const found = await store.readMany(IDS.map(keyOf))
      return new Map(IDS.flatMap((id, index) => (Buffer.isBuffer(found[index]) ? [[id, found[index] as Buffer]] : [])))
    },
  }
  return made
}

async function ids({ stored }: Bench): Promise<string> {
  return [...(await stored()).keys()].join('')
}

test('the entities with the greatest values stay, the others are removed and their readers told', async () => {
  const made = await bench()
  const view = top(2)
  for (const [index, id] of ['a', 'b', 'c', 'd'].entries()) expect(await made.write(view, id, index)).toBe(1)
  expect(await ids(made)).toBe('abcd')
  made.forgotten.length = 0
  const [result] = await made.syncer(view).rebuild(['customer'])
  expect(result).toMatchObject({ rowsRead: 2, rowsOnline: 0, rowsAdded: 0 })
  expect(await ids(made)).toBe('cd')
  expect(made.forgotten.map((key) => key.at(-1)).sort()).toEqual(['a', 'b'])
})

test('an entity that rises to the top is brought back, with its newest row', async () => {
  const made = await bench()
  const view = top(1)
  await made.write(view, 'a', 5)
  await made.write(view, 'b', 9, NOW_MICROS - 10)
  const syncer = made.syncer(view)
  await syncer.rebuild('all')
  expect(await ids(made)).toBe('b')
  // b falls below a, which has not changed.
  await made.write(view, 'b', 1, NOW_MICROS)
  expect((await syncer.rebuild('all'))[0]).toMatchObject({ rowsOnline: 1 })
  expect(await ids(made)).toBe('a')
})

test('a late row of an entity that is not online is for the history only; it never stands in for a newer one', async () => {
  const made = await bench()
  const view = top(1)
  await made.write(view, 'a', 1, NOW_MICROS - 1000)
  await made.write(view, 'b', 2, NOW_MICROS - 500)
  await made.syncer(view).rebuild('all')
  expect(await made.write(view, 'a', 7, NOW_MICROS - 2000)).toBe(3)
  expect(await made.write(view, 'a', 7, NOW_MICROS - 1000)).toBe(3)
  expect(await ids(made)).toBe('b')
  expect(await made.write(view, 'a', 0, NOW_MICROS)).toBe(1)
  expect(await ids(made)).toBe('ab')
})

test('a definition that is no longer online, is again, or keeps another part is brought about, once', async () => {
  const made = await bench()
  for (const [index, id] of ['a', 'b', 'c', 'd'].entries()) await made.write(all, id, index)
  const settle = async (view: FeatureView): Promise<string> => {
    await made.syncer(view).settle()
    return ids(made)
  }
  expect(await settle(all)).toBe('abcd')
  expect(await settle(top(3))).toBe('bcd')
  expect(await settle(top(1))).toBe('d')
  const offlineOnly = { ...all, online: false }
  expect(await settle(offlineOnly)).toBe('')
  expect(await made.write(offlineOnly, 'e', 10)).toBe(3)
  expect(await settle(top(2))).toBe('de')
  expect(await settle(all)).toBe('abcde')
  // Nothing is gone over a second time.
  made.during = () => Promise.reject(new Error('it is done already'))
  expect(await settle(all)).toBe('abcde')
})

test('a shard that cannot be gone over is named, and the next run does the rest', async () => {
  const made = await bench()
  const view = top(1)
  for (const [index, id] of IDS.entries()) await made.write(view, id, index)
  let down = true
  const syncer = made.syncer(view)
  made.during = async () => {
    if (down) throw new Error('the node is down')
  }
  await expect(syncer.rebuild('all')).rejects.toThrow('the node is down')
  down = false
  await syncer.rebuild('all')
  expect(await ids(made)).toBe('g')
})

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      id: fc.constantFrom(...IDS.slice(0, 5)),
      score: fc.integer({ min: 0, max: 4 }),
      // Few, so that ties and late rows are frequent; and one that is ahead of the clock.
      event: fc.constantFrom(-3, -2, -1, 0, 0, 1000),
    }),
  },
  { weight: 2, arbitrary: fc.constant('apply' as const) },
  // A run that is ended at its next step, or the one after.
  { weight: 1, arbitrary: fc.constantFrom('end at 0' as const, 'end at 1' as const, 'end at 2' as const) },
)

test('whatever is written and whenever a run is ended: an online row is the greatest version, and a run leaves the top and nothing else', async () => {
  const seen = { historyOnly: 0, left: 0, ended: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 14 }),
      fc.array(step, { maxLength: 6 }),
      fc.integer({ min: 1, max: 3 }),
      async (steps, meanwhile, limit) => {
        const made = await bench()
        const view = top(limit)
        const syncer = made.syncer(view)
        const writes = meanwhile.filter((each) => typeof each === 'object')
        let endsAt = Number.POSITIVE_INFINITY
        const write = async (each: Exclude<(typeof steps)[number], string>): Promise<void> => {
          const status = await made.write(view, each.id, each.score, NOW_MICROS + each.event)
          if (status === 3) seen.historyOnly++
        }
        made.during = async () => {
          const next = writes.shift()
          if (next !== undefined) await write(next)
          if (endsAt-- === 0) throw new Error('ended')
        }
        const greatest = (id: string): Buffer =>
          [...made.accepted.get(id)!].sort((a, b) => compareRowVersions(b, a))[0]!
        const check = async (): Promise<void> => {
          for (const [id, row] of await made.stored()) expect(row.equals(greatest(id)), id).toBe(true)
        }
        for (const each of [...steps, 'apply' as const]) {
          if (typeof each === 'object') await write(each)
          else {
            endsAt = each === 'apply' ? Number.POSITIVE_INFINITY : Number(each.at(-1))
            const run = syncer.rebuild('all')
            if (each === 'apply') await run
            else
              seen.ended += await run.then(
                () => 0,
                () => 1,
              )
          }
          await check()
        }
        // Once more, with nobody writing: exactly the top, and what is ahead.
        writes.length = 0
        endsAt = Number.POSITIVE_INFINITY
        await syncer.rebuild('all')
        await check()
        const newest = [...made.accepted.keys()].map((id) => ({ id, row: greatest(id) }))
        const score = ({ row }: { row: Buffer }): number => row.readDoubleLE(row.length - 8)
        const ranked = newest.sort((a, b) => score(b) - score(a) || (a.id < b.id ? -1 : 1))
        const expected = ranked.filter(({ row }, place) => place < limit || rowEventMicros(row) > NOW_MICROS)
        expect(await ids(made)).toBe(
          expected
            .map(({ id }) => id)
            .sort()
            .join(''),
        )
        if (expected.length < ranked.length) seen.left++
        expect(made.offline.positions(storageId(all)).length).toBe([...made.accepted.values()].flat().length)
      },
    ),
    { numRuns: 60 },
  )
  expect(Math.min(seen.historyOnly, seen.left, seen.ended)).toBeGreaterThan(5)
}, 60_000)

test('the task of a view runs the limit, says when it ran last, and leaves it to a sync that is running', async () => {
  const made = await bench()
  const view = top(1)
  const syncer = made.syncer(view)
  const tasksOf = (rebuild: Syncer['rebuild']) =>
    limitTasks({
      definitions: new TestDefinitions(view, { ...all, name: 'other' }),
      online: made.online,
      syncer: { rebuild },
      everyMs: 5,
    })
  const [task, ...others] = tasksOf(syncer.rebuild)
  expect(others).toEqual([])
  expect(task).toMatchObject({ name: 'keep online customer', view: 'customer', everyMs: 5 })
  expect(await task!.lastRunMs()).toBeUndefined()
  await made.write(view, 'a', 1, NOW_MICROS - 1)
  await made.write(view, 'b', 2, NOW_MICROS - 1)
  await task!.run(new AbortController().signal)
  expect(await ids(made)).toBe('b')
  expect(await task!.lastRunMs()).toBe(NOW_MICROS / 1000)
  const failing = (code: 'ABORTED' | 'UNAVAILABLE') =>
    tasksOf(() => Promise.reject(new TwinstoreError(code, code)))[0]!.run(new AbortController().signal)
  await failing('ABORTED')
  await expect(failing('UNAVAILABLE')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})
