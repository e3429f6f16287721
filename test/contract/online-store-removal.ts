/** Rows that leave the online store because the history holds them and they are not to be kept here. */
import { expect, test } from 'vitest'
import type { Invalidation } from '../../src/online/online-store.ts'
import { contentOf, keyOf, type MakeStore, rowOf, wholeOutbox, write } from './online-store-fixture.ts'

export function removalContract(make: MakeStore): void {
  test('rows below the position are removed, for good and as everybody hears; later ones and the outbox stay', async () => {
    const { store, reopen } = await make({})
    const keys = Array.from({ length: 20 }, (_, index) => keyOf(`airport-${index}`))
    await store.write(keys.map((key) => write(key, 5, 'before')))
    const before = await store.reservePosition()
    await store.write([write(keys[3]!, 6, 'after')])
    // A late row has a late position too, but it is not the value.
    await store.write([write(keys[4]!, 4, 'late')])
    const heard = new Set<string>()
    let tell: () => void = () => {}
    const told = new Promise<void>((resolve) => {
      tell = resolve
    })
    store.watch((changed: Invalidation) => {
      if (changed !== 'all') for (const key of changed) heard.add(key)
      if (heard.size === 19) tell()
    })
    const absent = keyOf('nobody')
    expect(await store.remove([...keys, absent], before)).toEqual([...keys.map((_, index) => index !== 3), false])
    await told
    expect(heard).toEqual(new Set(keys.filter((_, index) => index !== 3)))
    expect(await store.remove([...keys, absent], before)).toEqual([...keys, absent].map(() => false))
    await store.close()
    const reopened = await reopen()
    expect((await reopened.readMany(keys)).map(contentOf)).toEqual(
      keys.map((_, index) => (index === 3 ? 'after' : 'null')),
    )
    expect(await wholeOutbox(reopened)).toHaveLength(22)
    await reopened.close()
  })

  test('an older row does not take the place of a removed one, a newer one does', async () => {
    const { store } = await make({})
    const key = keyOf('ATL')
    await store.write([write(key, 50, 'removed')], { extent: 'some' })
    await store.raiseHorizon('airport_daily', 50)
    expect(await store.remove([key], await store.reservePosition())).toEqual([true])
    const statusOf = async (event: number): Promise<string> =>
      (await store.write([write(key, event, `event ${event}`)], { extent: 'some' }))[0]!.status
    expect([await statusOf(49), await statusOf(50), await statusOf(51), await statusOf(50)]).toEqual([
      'HISTORY_ONLY',
      'HISTORY_ONLY',
      'APPLIED',
      'SUPERSEDED',
    ])
    expect((await store.readMany([key])).map(contentOf)).toEqual(['event 51'])
  })

  test('a row can be seeded again; a position of its own protects it from an older removal', async () => {
    const { store } = await make({})
    const key = keyOf('ATL')
    const before = await store.reservePosition()
    await store.seed([{ key, row: rowOf(5, 'old', 1000) }])
    expect(await store.remove([key], before)).toEqual([true])
    expect(await store.seed([{ key, row: rowOf(5, 'newer', before + 1) }])).toEqual(['APPLIED'])
    expect(await store.remove([key], before)).toEqual([false])
    expect(await store.remove([], before)).toEqual([])
  })

  test('a damaged row whose position can be read goes as others do', async () => {
    const { store, damage } = await make({})
    const key = keyOf('ATL')
    await store.write([write(key, 5, 'x'.repeat(100))])
    await damage(key)
    expect(await store.remove([key], await store.reservePosition())).toEqual([true])
    expect(await store.readMany([key])).toEqual([null])
  })
}
