import { expect, test } from 'vitest'
import type { RowKey } from '../../src/domain/entity-key.ts'
import { type ErrorCode, TwinstoreError } from '../../src/domain/errors.ts'
import type { FeatureView } from '../../src/domain/registry.ts'
import { acceptRow } from '../../src/domain/row-codec.ts'
import type { Position } from '../../src/domain/version.ts'
import type { OnlineStore, RowWrite } from '../../src/online/online-store.ts'
import { encodeRows } from '../../src/writing/feature-write-service.ts'
import { readSyncRecord } from '../../src/writing/sync-record.ts'
import { createSyncer, type Syncer } from '../../src/writing/syncer.ts'
import { readWriteRequest } from '../../src/writing/write-request.ts'
import { encodeWriteRequest } from '../support/typed-rows.ts'
import { airport, limits, ManualClock, NOW_MICROS, route, TestDefinitions, turn } from './writing-fixture.ts'
import { MemoryOffline, openTestStore } from './writing-stores.ts'

const source = { sql: 'SELECT 1', files: [] }
const routes: FeatureView = { ...route, source }
const others: FeatureView = { ...route, name: 'others', source }

async function bench() {
  const online = await openTestStore()
  const offline = new MemoryOffline()
  const changed: RowKey[] = []
  const syncer = (store: OnlineStore = online): Syncer =>
    createSyncer({
      online: store,
      offline: offline.store,
      definitions: new TestDefinitions(routes, others, airport),
      changes: { applied: () => {}, changed: (keys) => void changed.push(...keys) },
      clock: new ManualClock(),
      flush: async () => {},
      seedRows: 10,
      passRows: 1000,
    })
  return { online, offline, changed, syncer }
}

async function rowsOf(view: FeatureView, count: number, position: number): Promise<RowWrite[]> {
  const rows = Array.from({ length: count }, (_, index) => ({ values: { route: `r${index}`, max_delay: index } }))
  const request = readWriteRequest(encodeWriteRequest(view, rows), 1000)
  return (await encodeRows(view, request, NOW_MICROS, limits, turn)).map(({ key, row }) => ({
    key,
    row: acceptRow(row, position as Position),
  }))
}

test('a sync adds what is new and brings it online; a second one does nothing', async () => {
  const { online, offline, changed, syncer } = await bench()
  const rows = await rowsOf(routes, 25, 1000)
  offline.sources.set('route', rows)
  const made = syncer()
  expect(await made.needsFirstSync()).toBe(true)
  const progress: string[] = []
  const [first, second] = await made.sync('all', { onProgress: (view, { step }) => progress.push(`${view}: ${step}`) })
  expect(first).toMatchObject({ view: 'route', rowsRead: 25, rowsAdded: 25, rowsOnline: 25, tableVersion: 0 })
  expect(second).toMatchObject({ view: 'others', rowsAdded: 0, rowsOnline: 0 })
  expect(progress.filter((line) => line === 'route: bringing rows online')).toHaveLength(3)
  expect(await online.readMany(rows.map((row) => row.key))).toEqual(rows.map((row) => row.row))
  expect(changed).toEqual(rows.map((row) => row.key))
  expect((await online.outboxDepth()).rows).toBe(0)
  expect(await made.needsFirstSync()).toBe(false)

  const seeds = { ...online, seed: () => Promise.reject(new Error('nothing is to be seeded')) }
  expect(await syncer(seeds).sync(['route'])).toMatchObject([
    { rowsRead: 25, rowsAdded: 0, rowsOnline: 0, tableVersion: 0 },
  ])
})

test('rows the archiver brought since do not cause another seeding', async () => {
  const { online, offline, syncer } = await bench()
  offline.sources.set('route', await rowsOf(routes, 5, 1000))
  await syncer().sync(['route'])
  offline.table('route').version += 7
  const seeds = { ...online, seed: () => Promise.reject(new Error('nothing is to be seeded')) }
  expect(await syncer(seeds).sync(['route'])).toMatchObject([{ rowsOnline: 0, tableVersion: 7 }])
})

test.each([0, 7])('a crash after the commit is healed by the next run, with %d rows synced before', async (before) => {
  const { online, offline, syncer } = await bench()
  const rows = await rowsOf(routes, 25, 1000)
  offline.sources.set('route', rows.slice(0, before))
  if (before > 0) await syncer().sync(['route'])
  offline.sources.set('route', rows)
  let batches = 0
  const crashing: OnlineStore = {
    ...online,
    seed: (batch) =>
      ++batches < 2 ? online.seed(batch) : Promise.reject(new TwinstoreError('UNAVAILABLE', 'crashed')),
  }
  await expect(syncer(crashing).sync(['route'])).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: /route: crashed/,
  })
  expect(await syncer().needsFirstSync()).toBe(true)
  expect(await syncer().sync(['route'])).toMatchObject([{ rowsAdded: 0, rowsOnline: 15 - before }])
  expect(await online.readMany(rows.map((row) => row.key))).toEqual(rows.map((row) => row.row))
})

test('a lost online store is filled again', async () => {
  const { offline, syncer } = await bench()
  offline.sources.set('route', await rowsOf(routes, 5, 1000))
  await syncer().sync(['route'])
  const fresh = await openTestStore()
  expect(await syncer(fresh).sync(['route'])).toMatchObject([{ rowsAdded: 0, rowsOnline: 5 }])
})

test('a newer written row stays the online value', async () => {
  const { online, offline, changed, syncer } = await bench()
  const rows = await rowsOf(routes, 3, 1000)
  await online.write([{ key: rows[1]!.key, row: rows[1]!.row }])
  offline.sources.set('route', rows)
  expect(await syncer().sync(['route'])).toMatchObject([{ rowsAdded: 3, rowsOnline: 2 }])
  expect(changed).toEqual([rows[0]!.key, rows[2]!.key])
})

test('one sync per view at a time', async () => {
  const { online, offline, syncer } = await bench()
  offline.sources.set('route', await rowsOf(routes, 1, 1000))
  let release: (() => void) | undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const made = syncer({ ...online, reservePosition: () => held.then(() => online.reservePosition()) })
  const running = made.sync(['route', 'others'])
  await expect(made.sync(['others'])).rejects.toMatchObject({ code: 'ABORTED', message: /others is already running/ })
  release!()
  await running
  expect(await made.sync(['others'])).toHaveLength(1)
})

test('a view that fails does not stop the others; each is named', async () => {
  const { offline, syncer } = await bench()
  offline.sources.set('others', await rowsOf(others, 2, 1000))
  const sync = offline.store.sync
  offline.store.sync = (view, position) =>
    view.name === 'route'
      ? Promise.reject(new TwinstoreError('FAILED_PRECONDITION', 'no such column'))
      : sync(view, position)
  const done: string[] = []
  const result = syncer().sync('all', { onResult: ({ view }) => done.push(view) })
  await expect(result).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: /1 of 2 views:\n {2}route: no such column/,
  })
  expect(done).toEqual(['others'])
})

test('what syncs did is counted and recorded; who gives up or comes too late is no failure of the view', async () => {
  const { online, offline, syncer } = await bench()
  const made = syncer()
  offline.sources.set('route', await rowsOf(routes, 25, 1000))
  await made.sync(['route'])
  await made.sync(['route'])
  expect(made.counts().get('route')).toMatchObject({ rowsRead: 50, rowsAdded: 25, rowsOnline: 25, running: 0 })
  const sync = offline.store.sync
  const failing = async (code: ErrorCode) => {
    offline.store.sync = () => Promise.reject(new TwinstoreError(code, code))
    await expect(made.sync(['route'])).rejects.toMatchObject({ code })
    offline.store.sync = sync
    return (await readSyncRecord(online, routes)).failure?.error
  }
  expect(await failing('ABORTED')).toBeUndefined()
  const late = new AbortController()
  const reserving = { ...online, reservePosition: () => online.reservePosition().finally(() => late.abort()) }
  const given = syncer(reserving)
  offline.store.sync = () => Promise.reject(new TwinstoreError('DEADLINE_EXCEEDED', 'too late'))
  await expect(given.sync(['route'], { signal: late.signal })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  expect(given.counts().get('route')!.runs).toEqual({ done: 0, failed: 0, refused: 1 })
  expect(await failing('FAILED_PRECONDITION')).toBe('FAILED_PRECONDITION')
  expect(made.counts().get('route')!.runs).toEqual({ done: 2, failed: 1, refused: 1 })
  await made.sync(['route'])
  expect((await readSyncRecord(online, routes)).failure).toBeUndefined()
})

test.each([
  ['rute', 'NOT_FOUND', /did you mean route\?/],
  ['airport', 'FAILED_PRECONDITION', /has no source/],
])('view %j is refused with %s', async (name, code, message) => {
  const { syncer } = await bench()
  await expect(syncer().sync([name])).rejects.toMatchObject({ code, message })
})

test('a cancelled sync ends and is taken up by the next', async () => {
  const { offline, syncer } = await bench()
  offline.sources.set('route', await rowsOf(routes, 25, 1000))
  const controller = new AbortController()
  const stopped = syncer().sync(['route'], { signal: controller.signal, onProgress: () => controller.abort() })
  await expect(stopped).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(await syncer().sync(['route'])).toMatchObject([{ rowsOnline: 15 }])
})

test('a restore brings every online view its latest archived rows, with or without a source, and nothing older', async () => {
  const { online, offline, changed, syncer } = await bench()
  const rows = await rowsOf(routes, 25, 1000)
  offline.sources.set('route', rows)
  const made = syncer()
  await made.sync(['route'])
  const archived = (await rowsOf(others, 3, 2000)).map((row) => ({ ...row, position: 2000 as Position }))
  offline.table('others').rows.push(...archived)
  const [newer] = await online.write([{ key: archived[0]!.key, row: archived[0]!.row }])
  expect(newer!.status).toBe('APPLIED')
  changed.length = 0
  expect(await made.restore()).toEqual([
    { view: 'route', rowsOnline: 0 },
    { view: 'others', rowsOnline: 2 },
    { view: 'airport', rowsOnline: 0 },
  ])
  expect(changed).toEqual([archived[1]!.key, archived[2]!.key])
  expect(await Promise.all([made.restore(), syncer().restore()])).toEqual([
    expect.arrayContaining([{ view: 'others', rowsOnline: 0 }]),
    expect.arrayContaining([{ view: 'others', rowsOnline: 0 }]),
  ])
})

test('one restore at a time; calls during one share the one after it, which sees what was lost since', async () => {
  const { online, offline, syncer } = await bench()
  const [row] = await rowsOf(others, 1, 2000)
  let running = 0
  let begun = 0
  const latest = offline.store.latest
  offline.store.latest = async (view) => {
    if (view.name === 'route') begun++
    expect(++running).toBe(1)
    const result = await latest(view)
    running--
    return result
  }
  const made = syncer()
  const first = made.restore()
  offline.table('others').rows.push({ ...row!, position: 2000 as Position })
  const during = [made.restore(), made.restore(), made.restore()]
  await first
  const results = await Promise.all(during)
  expect(begun).toBe(2)
  expect(new Set(results).size).toBe(1)
  expect(await online.readMany([row!.key])).toEqual([row!.row])
  await made.restore()
  expect(begun).toBe(3)
})

test('a restore that fails for a view goes on with the others and says which', async () => {
  const { offline, syncer } = await bench()
  const latest = offline.store.latest
  offline.store.latest = (view) =>
    view.name === 'route' ? Promise.reject(new TwinstoreError('UNAVAILABLE', 'gone')) : latest(view)
  const made = syncer()
  await expect(made.restore()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: /1 of 3 views:\n {2}route: gone/ })
  offline.store.latest = latest
  expect(await made.restore()).toHaveLength(3)
})
