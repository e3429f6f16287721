/** Bringing the history back to an online store: what an ended run leaves, what a later one takes up, and what stays as it is. */
import { expect, test } from 'vitest'
import { entityKey, type RowKey, rowKey } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { type FeatureView, storageId } from '../../src/domain/registry.ts'
import { acceptRow } from '../../src/domain/row-codec.ts'
import type { Position } from '../../src/domain/version.ts'
import type { OnlineStore, RowWrite } from '../../src/online/online-store.ts'
import { encodeRows } from '../../src/writing/feature-write-service.ts'
import { readSeedMark, type SeedMark, writeSeedMark } from '../../src/writing/seed-mark.ts'
import { createSyncer, type Syncer } from '../../src/writing/syncer.ts'
import { readWriteRequest } from '../../src/writing/write-request.ts'
import { encodeWriteRequest } from '../support/typed-rows.ts'
import { limits, ManualClock, NOW_MICROS, route, TestDefinitions, turn } from './writing-fixture.ts'
import { MemoryOffline, openTestStore } from './writing-stores.ts'

const SEED_ROWS = 2
const PASS_ROWS = 30
const routes: FeatureView = { ...route, source: { sql: 'SELECT 1', files: [] } }

async function bench() {
  const online = await openTestStore()
  const offline = new MemoryOffline()
  const syncer = (store: OnlineStore = online): Syncer =>
    createSyncer({
      online: store,
      offline: offline.store,
      definitions: new TestDefinitions(routes),
      changes: { applied: () => {}, changed: () => {} },
      clock: new ManualClock(),
      flush: async () => {},
      seedRows: SEED_ROWS,
      passRows: PASS_ROWS,
    })
  /** Rows of r000, r001 and so on, in the history as the archiver puts them there. */
  const archive = async (from: number, count: number, position: number): Promise<readonly RowWrite[]> => {
    const rows = await rowsOf(from, count, position)
    offline.table('route').rows.push(...rows.map((row) => ({ ...row, position: position as Position })))
    offline.commit('route')
    return rows
  }
  const mark = () => readSeedMark(online, routes)
  return { online, offline, syncer, archive, mark }
}

async function rowsOf(from: number, count: number, position: number): Promise<readonly RowWrite[]> {
  const rows = Array.from({ length: count }, (_, index) => ({
    values: { route: `r${String(from + index).padStart(3, '0')}`, max_delay: position },
  }))
  const request = readWriteRequest(encodeWriteRequest(routes, rows), 1000)
  return (await encodeRows(routes, request, NOW_MICROS, limits, turn)).map(({ key, row }) => ({
    key,
    row: acceptRow(row, position as Position),
  }))
}

function onlineRows(online: OnlineStore, rows: readonly RowWrite[]) {
  return online.readMany(rows.map(({ key }) => key))
}

/** A store whose process ends at the given batch. */
function endingAt(online: OnlineStore, batch: number): OnlineStore {
  let batches = 0
  const ended = () => Promise.reject(new TwinstoreError('UNAVAILABLE', 'ended'))
  return { ...online, seed: (rows) => (++batches < batch ? online.seed(rows) : ended()) }
}

test('a rebuild that was ended is continued, over several reads of the table, and then there is nothing to do', async () => {
  const { online, syncer, archive, mark } = await bench()
  const rows = await archive(0, 100, 1000)
  await expect(syncer(endingAt(online, 22)).rebuild('all')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  // Noted every eighth batch: the 21 that came through are 42 rows, of which 32 are known to be done.
  const { pass } = await mark()
  expect(pass).toMatchObject({ entities: 32, after: ['r031'], point: { version: 0 } })

  const seen: number[] = []
  const resumed = await syncer().rebuild(['route'], { onProgress: (_, { fraction }) => seen.push(fraction ?? -1) })
  expect(resumed).toMatchObject([
    {
      view: 'route',
      rowsRead: 68,
      rowsOnline: 58,
      rowsAdded: 0,
      entitiesResumed: 32,
      tableVersion: 0,
      upToDate: false,
    },
  ])
  expect(seen[0]).toBeCloseTo(0.34)
  expect(seen.at(-1)).toBe(1)
  expect(await onlineRows(online, rows)).toEqual(rows.map(({ row }) => row))

  const silent = { ...online, seed: () => Promise.reject(new Error('nothing is to be seeded')) }
  expect(await syncer(silent).rebuild('all')).toMatchObject([{ rowsRead: 0, rowsOnline: 0, upToDate: true }])
})

test('what entities already done got during a rebuild is brought too', async () => {
  const { online, offline, syncer, archive, mark } = await bench()
  await archive(0, 60, 1000)
  const latest = offline.store.latest
  let reads = 0
  let late: readonly RowWrite[] = []
  offline.store.latest = async (view, options) => {
    // Rows that another instance had taken from the outbox before it was lost.
    if (++reads === 2) late = await archive(0, 5, 2000)
    return latest(view, options)
  }
  expect(await syncer().rebuild('all')).toMatchObject([{ rowsRead: 65, rowsOnline: 65, tableVersion: 1 }])
  expect(reads).toBe(3)
  expect(await onlineRows(online, late)).toEqual(late.map(({ row }) => row))
  expect(await mark()).toEqual({ through: { version: 1, syncPosition: 0 } })
})

test('after a rebuild only what is new is gone over; anew, everything is', async () => {
  const { syncer, archive } = await bench()
  await archive(0, 50, 1000)
  await syncer().rebuild('all')
  await archive(10, 3, 2000)
  expect(await syncer().rebuild('all')).toMatchObject([{ rowsRead: 3, rowsOnline: 3 }])
  expect(await syncer().rebuild('all', { anew: true })).toMatchObject([
    { rowsRead: 50, rowsOnline: 0, upToDate: false },
  ])
})

test('a rebuild begun anew elsewhere takes the notes over: the one it overtakes writes no more of them', async () => {
  const { online, syncer, archive, mark } = await bench()
  const rows = await archive(0, 100, 1000)
  let batches = 0
  const overtaken: SeedMark = {
    pass: { id: 'another', point: { version: 0, syncPosition: 0 }, entities: 1, after: ['r000'] },
  }
  const meeting: OnlineStore = {
    ...online,
    seed: async (batch) => {
      if (++batches === 20) await writeSeedMark(online, routes, overtaken)
      return online.seed(batch)
    },
  }
  await syncer(meeting).rebuild('all')
  expect(await mark()).toEqual(overtaken)
  expect(await onlineRows(online, rows)).toEqual(rows.map(({ row }) => row))
})

test('a sync after an ended rebuild brings what both were to bring', async () => {
  const { online, offline, syncer, archive } = await bench()
  const archived = await archive(0, 40, 1000)
  await expect(syncer(endingAt(online, 10)).rebuild('all')).rejects.toThrow('ended')
  const synced = await rowsOf(5, 3, 3000)
  offline.sources.set('route', [...synced])
  expect(await syncer().sync(['route'])).toMatchObject([{ rowsAdded: 3, entitiesResumed: 16, upToDate: false }])
  const expected = new Map<RowKey, Buffer>([...archived, ...synced].map(({ key, row }) => [key, row]))
  expect(await online.readMany([...expected.keys()])).toEqual([...expected.values()])
  expect(await syncer().sync(['route'])).toMatchObject([{ upToDate: true }])
})

test('a sync whose rows another instance has committed and not brought online is not taken for done', async () => {
  const { online, offline, syncer } = await bench()
  const first = await rowsOf(0, 4, 1000)
  offline.sources.set('route', [...first])
  const other = syncer(endingAt(online, 1))
  // This instance commits and goes online slowly; meanwhile the other one commits more, and ends before it brings it online.
  const second = await rowsOf(4, 4, 2000)
  let met = false
  const slow: OnlineStore = {
    ...online,
    seed: async (rows) => {
      if (!met) {
        met = true
        offline.sources.set('route', [...first, ...second])
        await expect(other.sync(['route'])).rejects.toThrow('ended')
      }
      return online.seed(rows)
    },
  }
  await syncer(slow).sync(['route'])
  await syncer().sync(['route'])
  expect(await onlineRows(online, [...first, ...second])).toEqual([...first, ...second].map(({ row }) => row))
})

test('newer rows online stay, and the outbox is not touched', async () => {
  const { online, syncer, archive } = await bench()
  const archived = await archive(0, 6, 1000)
  const written = await online.write(await rowsOf(0, 2, 0))
  expect(written.map(({ status }) => status)).toEqual(['APPLIED', 'APPLIED'])
  expect(await syncer().rebuild('all', { anew: true })).toMatchObject([{ rowsRead: 6, rowsOnline: 4 }])
  expect((await online.outboxDepth()).rows).toBe(2)
  expect((await onlineRows(online, archived)).slice(2)).toEqual(archived.slice(2).map(({ row }) => row))
})

test('a note of a table that is gone says nothing of the one there now', async () => {
  const { online, syncer, archive } = await bench()
  await writeSeedMark(online, routes, { through: { version: 99, syncPosition: 0 } })
  await archive(0, 6, 1000)
  expect(await syncer().rebuild('all')).toMatchObject([{ rowsRead: 6, rowsOnline: 6 }])
})

test('a source without rows is not synced again at every start', async () => {
  const { syncer } = await bench()
  expect(await syncer().needsFirstSync()).toBe(true)
  await syncer().sync('all')
  expect(await syncer().needsFirstSync()).toBe(false)
})

test('a start that was killed while it filled a new store goes on there', async () => {
  const { online, syncer, archive } = await bench()
  await archive(0, 100, 1000)
  await expect(syncer(endingAt(online, 30)).restoreIfNew()).rejects.toThrow('ended')
  const keys: RowKey[] = []
  const watched: OnlineStore = {
    ...online,
    seed: (rows) => {
      keys.push(...rows.map(({ key }) => key))
      return online.seed(rows)
    },
  }
  expect(await syncer(watched).restoreIfNew()).toEqual([{ view: 'route', rowsOnline: 42 }])
  expect(keys[0]).toBe(rowKey(storageId(routes), entityKey(['string'], ['r048'])))
  expect(await syncer(watched).restoreIfNew()).toEqual([])
})

test.each([
  ['rute', 'NOT_FOUND', /did you mean route\?/],
  ['offline_only', 'FAILED_PRECONDITION', /not kept online/],
])('a rebuild of %j is refused with %s', async (name, code, message) => {
  const { online, offline } = await bench()
  const syncer = createSyncer({
    online,
    offline: offline.store,
    definitions: new TestDefinitions(routes, { ...routes, name: 'offline_only', online: false }),
    changes: { applied: () => {}, changed: () => {} },
    clock: new ManualClock(),
    flush: async () => {},
    seedRows: SEED_ROWS,
    passRows: PASS_ROWS,
  })
  await expect(syncer.rebuild([name])).rejects.toMatchObject({ code, message })
  expect((await syncer.rebuild('all')).map(({ view }) => view)).toEqual(['route'])
})
