/** Rows that are for the history only: of views that are offline only, or that keep only some of their entities online. */
import { expect, test } from 'vitest'
import type { RowKey } from '../../src/domain/entity-key.ts'
import { contentOf, keyOf, type MakeStore, wholeOutbox, write } from './online-store-fixture.ts'

export function extentContract(make: MakeStore): void {
  test('with extent none a row is in the outbox and nowhere else; a retry gets the same outcome', async () => {
    const { store, reopen } = await make({})
    const heard: unknown[] = []
    store.watch((changed) => changed !== 'all' && heard.push(...changed))
    const rows = [write(keyOf('ATL'), 5, 'first'), write(keyOf('ATL'), 6, 'second'), write(keyOf('ORD'), 5, 'other')]
    const outcomes = await store.write(rows, { extent: 'none', writeId: 'id-1', contentHash: 'aa' })
    expect(outcomes.map(({ status }) => status)).toEqual(['HISTORY_ONLY', 'HISTORY_ONLY', 'HISTORY_ONLY'])
    expect(await store.write(rows, { extent: 'none', writeId: 'id-1', contentHash: 'aa' })).toEqual(outcomes)
    expect(await store.readMany([keyOf('ATL'), keyOf('ORD')])).toEqual([null, null])
    const entries = await wholeOutbox(store)
    expect(entries.map(({ row }) => contentOf(row)).sort()).toEqual(['first', 'other', 'second'])
    expect(new Set(entries.map(({ position }) => position))).toEqual(new Set(outcomes.map(({ position }) => position)))
    expect(heard).toEqual([])
    await store.close()
    const reopened = await reopen()
    expect(await reopened.write(rows, { extent: 'none', writeId: 'id-1', contentHash: 'aa' })).toEqual(outcomes)
    await reopened.close()
  })

  test('a row of an entity without one is stored only if it is above the horizon, on every shard and after a reopening', async () => {
    const { store, reopen } = await make({})
    await store.raiseHorizon('airport_daily', 100)
    await store.raiseHorizon('airport_daily', 50)
    await store.close()
    const reopened = await reopen()
    const keys = Array.from({ length: 40 }, (_, index) => keyOf(`airport-${index}`))
    const at = async (events: readonly number[]): Promise<string[]> => {
      const rows = keys.map((key, index) => write(key, events[index % events.length]!, `${index}`))
      return (await reopened.write(rows, { extent: 'some' })).map(({ status }) => status)
    }
    const first = await at([100, 101])
    expect(first.filter((_, index) => index % 2 === 0)).toEqual(Array.from({ length: 20 }, () => 'HISTORY_ONLY'))
    expect(first.filter((_, index) => index % 2 === 1)).toEqual(Array.from({ length: 20 }, () => 'APPLIED'))
    // Where there is a row, it tells which of the two is newer.
    expect(new Set((await at([-7, 99])).filter((_, index) => index % 2 === 1))).toEqual(new Set(['SUPERSEDED']))
    const found = await reopened.readMany(keys)
    expect(found.map((row) => row === null)).toEqual(keys.map((_, index) => index % 2 === 0))
    expect((await wholeOutbox(reopened)).length).toBe(80)
    await reopened.close()
  })

  test("a horizon is its own view's, concerns writes with extent some only, and rows of one batch see each other", async () => {
    const { store } = await make({})
    await store.raiseHorizon('airport_daily', 100)
    const statusOf = async (key: RowKey, event: number, extent: 'all' | 'some'): Promise<string> =>
      (await store.write([write(key, event, 'x')], { extent }))[0]!.status
    expect(await statusOf(keyOf('ATL', 'airport_daily2'), 1, 'some')).toBe('APPLIED')
    expect(await statusOf(keyOf('ATL'), 1, 'some')).toBe('HISTORY_ONLY')
    expect(await statusOf(keyOf('ATL'), 1, 'all')).toBe('APPLIED')
    const batch = [write(keyOf('ORD'), 99, 'late'), write(keyOf('ORD'), 101, 'new'), write(keyOf('ORD'), 98, 'older')]
    const outcomes = await store.write(batch, { extent: 'some' })
    expect(outcomes.map(({ status }) => status)).toEqual(['HISTORY_ONLY', 'APPLIED', 'SUPERSEDED'])
    expect((await store.readMany([keyOf('ORD')])).map(contentOf)).toEqual(['new'])
  })

  test('a seed is stored whatever the horizon: who brings rows of the history knows their versions', async () => {
    const { store } = await make({})
    await store.raiseHorizon('airport_daily', 100)
    const [status] = await store.seed([{ key: keyOf('ATL'), row: write(keyOf('ATL'), 5, 'seeded').row }])
    expect(status).toBe('APPLIED')
    expect((await store.outboxDepth()).rows).toBe(0)
  })
}
