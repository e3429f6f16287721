/** The latest rows of some entities, and rows that a table lost and gets back, over real Delta tables in a folder. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type EntityKey, type KeyValue, type Shard, splitRowKey } from '../../src/domain/entity-key.ts'
import { isInSample } from '../../src/domain/key-sample.ts'
import type { FeatureView } from '../../src/domain/registry.ts'
import type { EntitySelection, OfflineStore } from '../../src/offline/offline-store.ts'
import type { OutboxEntry, RowWrite } from '../../src/online/online-store.ts'
import { features, openPlace, openTestStore, rowOf, sharedBench, viewOf } from './offline-store-fixtures.ts'

const DAY_MICROS = 86_400_000_000
const SOURCE = { storeId: 'store-1', shard: 0 as Shard }

const bench = sharedBench()

/** Several stores on one folder, as instances have them. */
async function openStores(count: number): Promise<OfflineStore[]> {
  const dir = bench.newDir()
  const objects = await openPlace(dir)
  return Array.from({ length: count }, () =>
    openTestStore({
      objects,
      engine: bench.engine,
      spoolDir: join(dir, 'spool'),
      latestBatchRows: 50,
    }),
  )
}

const view = viewOf(
  { n: 'int64', text: 'string' },
  {
    joinKeys: [
      { name: 'k', type: 'string' },
      { name: 'part', type: 'int64' },
    ],
  },
)

const entry = (key: readonly KeyValue[], event: number, position: number): OutboxEntry =>
  rowOf(view, { key, event, position, values: [BigInt(position), `row ${position}`] })

/** Two versions of each of `count` entities, on two days; the newest version of each. */
function entries(count: number): { readonly all: OutboxEntry[]; readonly newest: OutboxEntry[] } {
  const keys = Array.from({ length: count }, (_, index): KeyValue[] => [`key-${index >> 1}`, BigInt(index & 1)])
  const older = keys.map((key, index) => entry(key, index, 1 + index))
  const newest = keys.map((key, index) => entry(key, DAY_MICROS + index, 100_000 + index))
  return { all: [...older, ...newest], newest }
}

async function selected(store: OfflineStore, selection: EntitySelection, of: FeatureView = view): Promise<RowWrite[]> {
  const { rows, batches } = await store.latestOf(of, selection)
  const found: RowWrite[] = []
  for await (const batch of batches) found.push(...batch)
  expect(found).toHaveLength(rows)
  return found.toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

function plain(rows: readonly RowWrite[]): { key: string; row: Buffer }[] {
  return rows.map(({ key, row }) => ({ key, row })).toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

test('the parts of a sample are the latest rows of the entities that hash to them, and together are all', async () => {
  const [store] = await openStores(1)
  const { all, newest } = entries(400)
  await store!.append(view, [{ source: SOURCE, entries: all }])
  const parts = await Promise.all([0, 1, 2].map((part) => selected(store!, { sample: { parts: 3, part } })))
  for (const [part, rows] of parts.entries()) {
    const own = newest.filter(({ key }) => isInSample(splitRowKey(key).entityKey, { parts: 3, part }))
    expect(own.length).toBeGreaterThan(50)
    expect(rows).toEqual(plain(own))
  }
  expect(plain(parts.flat())).toEqual(plain(newest))
  expect(await selected(store!, { sample: { parts: 1, part: 0 } })).toEqual(plain(newest))
})

test('of named entities the latest rows come, of others none; a view without a table has none', async () => {
  const [store] = await openStores(1)
  expect(await selected(store!, { sample: { parts: 2, part: 0 } })).toEqual([])
  expect(await selected(store!, { entities: [['key-1', 0n]] })).toEqual([])
  const { all, newest } = entries(40)
  await store!.append(view, [{ source: SOURCE, entries: all }])
  const wanted = [['key-3', 1n] as const, ["it's", 0n] as const, ['key-7', 0n] as const]
  expect(await selected(store!, { entities: wanted })).toEqual(plain([newest[7]!, newest[14]!]))
  expect(await selected(store!, { entities: [] })).toEqual([])
})

test('entities that are looked up have their latest rows in order, others null, whatever months they are in', async () => {
  const [store] = await openStores(1)
  const key = (...values: KeyValue[]): EntityKey => splitRowKey(entry(values, 0, 1).key).entityKey
  const wanted = [key('key-3', 1n), key("it's", 0n), key('old', 9n), key('key-7', 0n), key('key-3', 0n)]
  expect(await store!.lookUp(view, wanted)).toEqual(wanted.map(() => null))
  const { all, newest } = entries(40)
  // Months apart, so that it is found in a later step than the others; of two rows of one time the later write counts.
  const old = [entry(['old', 9n], -400 * DAY_MICROS, 200_000), entry(['old', 9n], -400 * DAY_MICROS, 200_001)]
  const between = Array.from({ length: 6 }, (_, index) => entry([`key-0`, 0n], -60 * (index + 1) * DAY_MICROS, 300_000))
  await store!.append(view, [
    { source: SOURCE, entries: [...all, ...old, ...between].toSorted((a, b) => a.position - b.position) },
  ])
  const found = await store!.lookUp(view, wanted)
  expect(found).toEqual([newest[7]!.row, null, old[1]!.row, newest[14]!.row, newest[6]!.row])
  expect(await store!.lookUp(view, [])).toEqual([])
})

test('the entities with the greatest values are kept, null and NaN last, of equal ones those with the least keys', async () => {
  const [store] = await openStores(1)
  const now = 10 * DAY_MICROS
  const ranked = viewOf(
    { score: 'double', text: 'string' },
    {
      name: 'ranked',
      features: features({ score: 'double', text: 'string' }, true),
      keepOnline: { topBy: 'score', limit: 3 },
    },
  )
  let position = 0
  const row = (key: string, score: number | null, event: number) =>
    rowOf(ranked, { key: [key], event, position: ++position, values: [score, key] })
  const rows = {
    was: row('falls', 99, 1),
    b: row('b', 7, DAY_MICROS),
    nan: row('nan', Number.NaN, DAY_MICROS),
    none: row('none', null, 3 * DAY_MICROS),
    a: row('a', 7, DAY_MICROS),
    top: row('top', 8, DAY_MICROS),
    c: row('c', 7, 2 * DAY_MICROS),
    falls: row('falls', 1, DAY_MICROS),
    ahead: row('ahead', -5, now + 1),
  }
  expect(await keptOf(store!, ranked, now)).toEqual({ keys: [], leftOutMicrosMax: undefined })
  await store!.append(ranked, [{ source: SOURCE, entries: Object.values(rows) }])
  const [kept, four] = [ranked, { ...ranked, keepOnline: { topBy: 'score', limit: 4 } }]
  const { a, b, c, top, ahead } = rows
  expect(await keptOf(store!, kept, now)).toEqual({ keys: plain([top, a, b, ahead]), leftOutMicrosMax: 3 * DAY_MICROS })
  expect(await keptOf(store!, four, now)).toEqual({
    keys: plain([top, a, b, c, ahead]),
    leftOutMicrosMax: 3 * DAY_MICROS,
  })
  const all = { ...ranked, keepOnline: { topBy: 'score', limit: 8 } }
  expect((await keptOf(store!, all, now)).leftOutMicrosMax).toBeUndefined()
})

async function keptOf(store: OfflineStore, of: FeatureView, nowMicros: number) {
  const { rows, leftOutMicrosMax, batches } = await store.kept(of, nowMicros)
  const found: RowWrite[] = []
  for await (const batch of batches) found.push(...batch)
  expect(found).toHaveLength(rows)
  return { keys: plain(found), leftOutMicrosMax }
}

test('restored rows have the positions and values they had; what is there already is not added', async () => {
  const [store, other] = await openStores(2)
  const { all } = entries(20)
  await store!.append(view, [{ source: SOURCE, entries: all }])
  // Below the archived position, where an append would drop them.
  const lost = [entry(['lost', 0n], 5, 77_000), entry(['lost', 0n], 2 * DAY_MICROS, 77_001)]
  expect(await store!.restore(view, [...lost, all[3]!])).toMatchObject({ rowsAdded: 2 })
  expect(await other!.restore(view, lost)).toMatchObject({ rowsAdded: 0 })
  expect(await other!.status(view)).toMatchObject({ rows: 42 })
  expect(await selected(other!, { entities: [['lost', 0n]] })).toEqual(plain([lost[1]!]))
  const { rows } = await other!.history(view, { entity: ['lost', 0n], limit: 10 })
  expect(rows.map(({ position, createdMicros, origin }) => [position, createdMicros, origin])).toEqual([
    [77_001, 77_001, 'write'],
    [77_000, 77_000, 'write'],
  ])
})

test('several restores of the same rows beside appends add each row once', async () => {
  const stores = await openStores(4)
  const { all } = entries(10)
  await stores[0]!.append(view, [{ source: SOURCE, entries: all }])
  const lost = Array.from({ length: 5 }, (_, index) => entry([`lost-${index}`, 0n], index, 50_000 + index))
  const [one, two, three] = await Promise.all([
    stores[0]!.restore(view, lost),
    stores[1]!.restore(view, lost),
    stores[2]!.restore(view, lost.slice(2)),
    stores[3]!.append(view, [{ source: SOURCE, entries: [entry(['late', 0n], 1, 900_000)] }]),
  ])
  expect(one!.rowsAdded + two!.rowsAdded + three!.rowsAdded).toBe(5)
  expect(await stores[0]!.status(view)).toMatchObject({ rows: 26 })
})
