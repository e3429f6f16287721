/** What repair needs of a store: every key listed, and sound rows put over damaged ones. */
import { expect, test } from 'vitest'
import type { RowKey } from '../../src/domain/entity-key.ts'
import { encodeRow, rowVersion } from '../../src/domain/row-codec.ts'
import type { OnlineStore, ScanCursor } from '../../src/online/online-store.ts'
import { contentOf, keyOf, type MakeStore, rowOf, shardOfKey, write } from './online-store-fixture.ts'

/** All pages; `between` runs after each. */
async function scanAll(
  store: OnlineStore,
  view: string,
  limit: number,
  between: (page: number) => Promise<void> = async () => {},
): Promise<RowKey[]> {
  const keys: RowKey[] = []
  let cursor: ScanCursor | undefined
  for (let page = 0; page < 10_000; page++) {
    const found = await store.scanKeys(view, cursor, limit)
    expect(found.fault).toBeUndefined()
    keys.push(...found.keys)
    if (found.next === undefined) return keys
    cursor = found.next
    await between(page)
  }
  throw new Error('a scan that does not end')
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `key-${index}`)
}

export function repairContract(make: MakeStore): void {
  test('a scan lists every key of the view and none of another, of all shards, whatever the size of a page', async () => {
    const { store } = await make({})
    const expected = names(200).map((name) => keyOf(name, 'airport'))
    await store.write(expected.map((key) => write(key, 1, 'x')))
    const others = ['airport@2', 'airport0', 'airpor', 'airports', 'a']
    await store.write(others.map((view) => write(keyOf('other', view), 1, 'x')))
    expect(new Set(expected.map((key) => shardOfKey(store, key))).size).toBe(store.shardCount)
    for (const limit of [25, 1000]) expect(new Set(await scanAll(store, 'airport', limit))).toEqual(new Set(expected))
    expect(await scanAll(store, 'airport@2', 10)).toEqual([keyOf('other', 'airport@2')])
    expect(await scanAll(store, 'nothing', 10)).toEqual([])
  })

  test('keys of any bytes are listed as they are', async () => {
    const { store } = await make({})
    const keys = [Buffer.from([0, 255, 10, 123, 125, 47, 42]), Buffer.from('}{/*[a]?\\'), Buffer.alloc(0)].map(
      (bytes) => keyOf(bytes, 'airport'),
    )
    await store.write(keys.map((key) => write(key, 1, 'x')))
    expect((await scanAll(store, 'airport', 2)).toSorted()).toEqual(keys.toSorted())
  })

  test('what is there from the first page to the last is listed, though rows come in between', async () => {
    const { store } = await make({})
    const there = names(300).map((name) => keyOf(name, 'airport'))
    await store.write(there.map((key) => write(key, 1, 'x')))
    const listed = await scanAll(store, 'airport', 20, async (page) => {
      if (page > 40) return
      await store.write(names(50).map((name) => write(keyOf(`late-${page}-${name}`, 'airport'), 1, 'x')))
    })
    expect(there.filter((key) => !new Set(listed).has(key))).toEqual([])
  })

  test('a mended row goes where nothing is, over an older row and over another row of its version; it is not in the outbox', async () => {
    const { store } = await make({})
    const key = keyOf('ATL')
    const mends = async (event: number, position: number, content: string): Promise<string> =>
      (await store.mend([{ key, row: rowOf(event, content, position) }]))[0]!
    expect(await mends(5, 1_000, 'first')).toBe('APPLIED')
    expect(await mends(5, 1_000, 'same version')).toBe('APPLIED')
    expect((await store.readMany([key])).map(contentOf)).toEqual(['same version'])
    expect(await mends(5, 999, 'older position')).toBe('SUPERSEDED')
    expect(await mends(4, 2_000, 'older event')).toBe('SUPERSEDED')
    expect(await mends(6, 500, 'newer')).toBe('APPLIED')
    expect(await store.readMany([key])).toEqual([rowOf(6, 'newer', 500)])
    expect(await store.outboxDepth()).toEqual({ rows: 0, bytes: 0 })
    expect(await store.mend([])).toEqual([])
  })

  test('a damaged row is replaced whatever version it seems to have; who watches hears of it', async () => {
    const { store, damage } = await make({})
    const [damaged, sound] = [keyOf('ATL'), keyOf('ORD')]
    await store.write([write(damaged, 9, 'written'), write(sound, 9, 'written')])
    await damage(damaged)
    expect((await store.readMany([damaged]))[0]).toMatchObject({ code: 'DATA_LOSS' })
    const changed = new Set<RowKey>()
    const heard = new Promise<void>((resolve) => {
      store.watch((keys) => {
        if (keys === 'all') return
        for (const key of keys) changed.add(key)
        if (changed.has(damaged)) resolve()
      })
    })
    const rows = [damaged, sound].map((key) => ({ key, row: rowOf(5, 'mended', 1_000) }))
    expect(await store.mend(rows)).toEqual(['APPLIED', 'SUPERSEDED'])
    expect((await store.readMany([damaged, sound])).map(contentOf)).toEqual(['mended', 'written'])
    await heard
  })

  test('mending beside writers never takes a written row away', async () => {
    const { store, damage } = await make({})
    const keys = names(20).map((name) => keyOf(name))
    const [first] = await Promise.all(keys.map((key) => store.write([write(key, 1, 'old')])))
    for (const key of keys) await damage(key)
    const row = encodeRow({ schemaId: 1, eventMicros: 1, createdMicros: 1, position: first![0]!.position, values: [] })
    await Promise.all([
      ...keys.map((key) => store.mend([{ key, row }])),
      ...keys.map((key) => store.write([write(key, 2, 'new')])),
      ...keys.map((key) => store.mend([{ key, row }])),
    ])
    expect((await store.readMany(keys)).map(contentOf)).toEqual(keys.map(() => 'new'))
  })

  test('positions after a mended row are greater than its own', async () => {
    const { store } = await make({})
    const key = keyOf('ATL')
    const ahead = (await store.reservePosition()) + 3_600_000_000
    await store.mend([{ key, row: rowOf(5, 'mended', ahead) }])
    const [outcome] = await store.write([write(key, 5, 'written')])
    expect(outcome).toMatchObject({ status: 'APPLIED' })
    expect(outcome!.position).toBeGreaterThan(ahead)
    expect(rowVersion((await store.readMany([key]))[0] as Buffer).position).toBe(outcome!.position)
  })
}
