import { expect, test } from 'vitest'
import { NO_POSITION, type Position } from '../../src/domain/version.ts'
import {
  contentOf,
  emptyOutbox,
  keyOf,
  keysOfOneShard,
  type MakeStore,
  outboxOf,
  shardOfKey,
  shards,
  wholeOutbox,
  write,
} from './online-store-fixture.ts'

const ROOMY = { rows: 1_000_000, bytes: 1_000_000_000 }

export function outboxContract(make: MakeStore): void {
  test('every written row is there, superseded ones too, as accepted and in order of position', async () => {
    const { store } = await make({})
    const [key, other] = keysOfOneShard(store, 2) as [ReturnType<typeof keyOf>, ReturnType<typeof keyOf>]
    const outcomes = [
      ...(await store.write([write(key, 9, 'newer'), write(other, 1, 'other')])),
      ...(await store.write([write(key, 5, 'late')])),
    ]
    const entries = await outboxOf(store, shardOfKey(store, key))
    expect(entries.map((entry) => contentOf(entry.row))).toEqual(['newer', 'other', 'late'])
    expect(entries.map((entry) => entry.key)).toEqual([key, other, key])
    expect(entries.map((entry) => entry.position)).toEqual(outcomes.map(({ position }) => position))
    expect(await store.readMany([key, other])).toEqual([entries[0]!.row, entries[1]!.row])
  })

  test('a row is in the outbox of its entity’s shard', async () => {
    const { store } = await make({})
    const keys = Array.from({ length: 40 }, (_, index) => keyOf(`airport-${index}`))
    await store.write(keys.map((key) => write(key, 1, 'x')))
    for (const shard of shards(store)) {
      const expected = keys.filter((key) => shardOfKey(store, key) === shard)
      expect((await outboxOf(store, shard)).map((entry) => entry.key)).toEqual(expected)
    }
  })

  test('it is read in pages by rows and by bytes, at least one entry at a time', async () => {
    const { store } = await make({})
    const keys = keysOfOneShard(store, 7)
    const shard = shardOfKey(store, keys[0]!)
    await store.write(keys.map((key, index) => write(key, 1, Buffer.alloc(1_000, 65 + index))))
    const all = await outboxOf(store, shard)
    expect(all).toHaveLength(7)
    const page = async (after: Position, limits: { rows: number; bytes: number }): Promise<number> =>
      (await store.readOutbox(shard, after, limits)).length
    expect(await page(NO_POSITION, { ...ROOMY, rows: 3 })).toBe(3)
    expect(await page(all[4]!.position, { ...ROOMY, rows: 3 })).toBe(2)
    expect(await page(all[6]!.position, ROOMY)).toBe(0)
    const byBytes = await page(NO_POSITION, { ...ROOMY, bytes: 3_500 })
    expect(byBytes).toBeGreaterThanOrEqual(1)
    expect(byBytes).toBeLessThanOrEqual(3)
    expect(await page(NO_POSITION, { ...ROOMY, bytes: 1 })).toBe(1)
    expect(await store.readOutbox(shard, all[1]!.position, { ...ROOMY, rows: 2 })).toEqual(all.slice(2, 4))
  })

  test('a trim drops the entries of one shard up to its position, and no value', async () => {
    const { store } = await make({})
    const keys = Array.from({ length: 60 }, (_, index) => keyOf(`airport-${index}`))
    await store.write(keys.map((key) => write(key, 1, 'x')))
    const shard = shardOfKey(store, keys[0]!)
    const before = await outboxOf(store, shard)
    const others = (await wholeOutbox(store)).length - before.length
    expect(others).toBeGreaterThan(0)
    const through = before[Math.floor(before.length / 2)]!.position
    await store.trimOutbox(shard, through)
    const after = await outboxOf(store, shard)
    expect(after).toEqual(before.filter((entry) => entry.position > through))
    expect((await store.outboxDepth()).rows).toBe(others + after.length)
    await store.trimOutbox(shard, through)
    await store.trimOutbox(shard, NO_POSITION)
    expect(await outboxOf(store, shard)).toEqual(after)
    expect((await store.readMany(keys)).map(contentOf)).toEqual(keys.map(() => 'x'))
  })

  test('its depth counts rows and bytes, and comes back to nothing', async () => {
    const { store } = await make({})
    await store.write([write(keyOf('ATL'), 1, Buffer.alloc(1_000, 1))])
    const one = await store.outboxDepth()
    expect(one.rows).toBe(1)
    expect(one.bytes).toBeGreaterThanOrEqual(1_000)
    await store.write([write(keyOf('ORD'), 1, Buffer.alloc(1_000, 1)), write(keyOf('LAX'), 1, Buffer.alloc(1_000, 1))])
    expect(await store.outboxDepth()).toEqual({ rows: 3, bytes: one.bytes * 3 })
    await emptyOutbox(store)
    expect(await store.outboxDepth()).toEqual({ rows: 0, bytes: 0 })
  })

  test('a trim of very many entries drops them all', async () => {
    const { store } = await make({})
    const keys = Array.from({ length: 2_500 }, (_, index) => keyOf(`airport-${index}`))
    await store.write(keys.map((key) => write(key, 1, 'x')))
    await emptyOutbox(store)
    expect(await store.outboxDepth()).toEqual({ rows: 0, bytes: 0 })
  })

  test('when its rows are at their limit, a write is refused and named; after a trim it goes on', async () => {
    const { store } = await make({ outboxRowsMax: 10 })
    const keys = keysOfOneShard(store, 12)
    await store.write(keys.slice(0, 8).map((key) => write(key, 1, 'first')))
    const depth = await store.outboxDepth()
    const refused = store.write(
      keys.map((key) => write(key, 2, 'too many')),
      { writeId: 'id-1', contentHash: 'aa' },
    )
    await expect(refused).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringMatching(/outbox-rows-max\b.*\b10\b/),
    })
    expect(await store.outboxDepth()).toEqual(depth)
    const rows = await store.readMany(keys)
    expect(rows.map(contentOf)).toEqual(keys.map((_, index) => (index < 8 ? 'first' : 'null')))
    await store.write(keys.slice(0, 2).map((key) => write(key, 3, 'fits')))
    await expect(store.write([write(keys[0]!, 4, 'one more')])).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' })
    await emptyOutbox(store)
    // The refused write was not recorded under its id.
    const [outcome] = await store.write([write(keys[0]!, 5, 'after')], { writeId: 'id-1', contentHash: 'bb' })
    expect(outcome!.status).toBe('APPLIED')
  })

  test('a batch of which one shard has no room is completed by a repetition, and nothing is written twice', async () => {
    const { store } = await make({ outboxRowsMax: 10 })
    const [full, ...others] = keysOfOneShard(store, 11)
    const elsewhere = Array.from({ length: 40 }, (_, index) => keyOf(`airport-${index}`)).filter(
      (key) => shardOfKey(store, key) !== shardOfKey(store, full!),
    )
    await store.write(others.map((key) => write(key, 1, 'fills')))
    const batch = [full!, ...elsewhere.slice(0, 3)].map((key) => write(key, 2, 'batch'))
    const id = { writeId: 'id-1', contentHash: 'aa' }
    await expect(store.write(batch, id)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' })
    await store.trimOutbox(shardOfKey(store, full!), (await outboxOf(store, shardOfKey(store, full!))).at(-1)!.position)
    const outcomes = await store.write(batch, id)
    expect(await store.write(batch, id)).toEqual(outcomes)
    const entries = await wholeOutbox(store)
    expect(entries.map((entry) => contentOf(entry.row))).toEqual(batch.map(() => 'batch'))
    expect(new Set(entries.map((entry) => entry.position))).toEqual(new Set(outcomes.map(({ position }) => position)))
  })

  test('when its bytes are at their limit, a write is refused and named; a seed is not', async () => {
    const { store } = await make({ outboxBytesMax: 5_000 })
    const [one, two] = keysOfOneShard(store, 2) as [ReturnType<typeof keyOf>, ReturnType<typeof keyOf>]
    await store.write([write(one, 1, Buffer.alloc(3_000, 1))])
    await expect(store.write([write(two, 1, Buffer.alloc(3_000, 1))])).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringMatching(/outbox-bytes-max\b.*\b5000\b/),
    })
    expect(await store.readMany([two])).toEqual([null])
    expect(await store.seed([{ key: two, row: write(two, 1, Buffer.alloc(3_000, 1)).row }])).toEqual(['APPLIED'])
    await emptyOutbox(store)
    await store.write([write(two, 2, Buffer.alloc(3_000, 1))])
  })

  test('concurrent writers cannot pass its limit together', async () => {
    const { store } = await make({ outboxRowsMax: 25 })
    const keys = keysOfOneShard(store, 40)
    const attempts = Array.from({ length: 20 }, (_, index) =>
      store.write([write(keys[2 * index]!, 1, 'x'), write(keys[2 * index + 1]!, 1, 'x')]),
    )
    const settled = await Promise.allSettled(attempts)
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(12)
    expect((await store.outboxDepth()).rows).toBe(24)
  })
}
