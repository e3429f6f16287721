import { expect, test } from 'vitest'
import { rowEventMicros, rowPosition } from '../../src/domain/row-codec.ts'
import type { RowOutcome } from '../../src/online/online-store.ts'
import { contentOf, keyOf, type MakeStore, rowOf, wholeOutbox, write } from './online-store-fixture.ts'

export function writeContract(make: MakeStore): void {
  test('the greater event timestamp wins, in whatever order rows come; a late row is SUPERSEDED', async () => {
    const { store } = await make({})
    const key = keyOf('ATL')
    const statuses: string[] = []
    for (const event of [5, 9, 7, -3, 10])
      statuses.push((await store.write([write(key, event, `event ${event}`)]))[0]!.status)
    expect(statuses).toEqual(['APPLIED', 'APPLIED', 'SUPERSEDED', 'SUPERSEDED', 'APPLIED'])
    expect((await store.readMany([key])).map(contentOf)).toEqual(['event 10'])
  })

  test('of rows with the same event timestamp the later write wins, also within a batch', async () => {
    const { store } = await make({})
    const key = keyOf('ATL')
    await store.write([write(key, 5, 'first')])
    const outcomes = await store.write([write(key, 5, 'second'), write(key, 5, 'third')])
    expect(outcomes.map(({ status }) => status)).toEqual(['APPLIED', 'APPLIED'])
    expect((await store.readMany([key])).map(contentOf)).toEqual(['third'])
  })

  test('the same key twice in a batch: the greater version is kept, both are in the outbox', async () => {
    const { store } = await make({})
    const key = keyOf('ATL')
    const outcomes = await store.write([write(key, 9, 'newer'), write(key, 5, 'older')])
    expect(outcomes.map(({ status }) => status)).toEqual(['APPLIED', 'SUPERSEDED'])
    expect((await store.readMany([key])).map(contentOf)).toEqual(['newer'])
    expect((await wholeOutbox(store)).map((entry) => contentOf(entry.row))).toEqual(['newer', 'older'])
  })

  test('an empty batch is written as such', async () => {
    const { store } = await make({})
    expect(await store.write([])).toEqual([])
    expect(await store.seed([])).toEqual([])
    expect(await store.outboxDepth()).toEqual({ rows: 0, bytes: 0 })
  })

  test('a retry with the same write id gets the same outcomes and adds nothing, also after a reopening', async () => {
    const { store, reopen } = await make({})
    await store.write([write(keyOf('ATL'), 9, 'newer')])
    const rows = [write(keyOf('ATL'), 5, 'late'), write(keyOf('ORD'), 5, 'fresh')]
    const outcomes = await store.write(rows, { writeId: 'id-1', contentHash: 'aa' })
    expect(outcomes.map(({ status }) => status)).toEqual(['SUPERSEDED', 'APPLIED'])
    await store.write([write(keyOf('ORD'), 6, 'in between')])
    const depth = await store.outboxDepth()
    expect(await store.write(rows, { writeId: 'id-1', contentHash: 'aa' })).toEqual(outcomes)
    await store.close()
    const reopened = await reopen()
    expect(await reopened.write(rows, { writeId: 'id-1', contentHash: 'aa' })).toEqual(outcomes)
    expect(await reopened.outboxDepth()).toEqual(depth)
    expect((await reopened.readMany([keyOf('ORD')])).map(contentOf)).toEqual(['in between'])
    await reopened.close()
  })

  test('the same write id with other content is refused and changes nothing', async () => {
    const { store } = await make({})
    await store.write([write(keyOf('ATL'), 5, 'first')], { writeId: 'id-1', contentHash: 'aa' })
    const depth = await store.outboxDepth()
    const refused = store.write([write(keyOf('ATL'), 6, 'other')], { writeId: 'id-1', contentHash: 'bb' })
    await expect(refused).rejects.toMatchObject({ code: 'ALREADY_EXISTS', message: expect.stringContaining('id-1') })
    expect(await store.outboxDepth()).toEqual(depth)
    expect((await store.readMany([keyOf('ATL')])).map(contentOf)).toEqual(['first'])
    await store.write([write(keyOf('ATL'), 6, 'other')], { writeId: 'id-2', contentHash: 'bb' })
    expect((await store.readMany([keyOf('ATL')])).map(contentOf)).toEqual(['other'])
  })

  test('retries that overtake each other are written once', async () => {
    const { store } = await make({})
    const rows = [write(keyOf('ATL'), 5, 'once'), write(keyOf('ORD'), 5, 'once')]
    const attempts = Array.from({ length: 8 }, () => store.write(rows, { writeId: 'id-1', contentHash: 'aa' }))
    const outcomes = await Promise.all(attempts)
    for (const attempt of outcomes) expect(attempt).toEqual(outcomes[0])
    expect((await store.outboxDepth()).rows).toBe(2)
  })

  test('a seeded row keeps its position, is not in the outbox, and loses to a greater version', async () => {
    const { store } = await make({})
    const key = keyOf('ATL')
    const seeds = async (event: number, position: number): Promise<string> =>
      (await store.seed([{ key, row: rowOf(event, `${event}/${position}`, position) }]))[0]!
    expect(await seeds(5, 1_000)).toBe('APPLIED')
    expect(await store.readMany([key])).toEqual([rowOf(5, '5/1000', 1_000)])
    expect(await seeds(4, 2_000)).toBe('SUPERSEDED')
    expect(await seeds(5, 999)).toBe('SUPERSEDED')
    expect(await seeds(5, 1_000)).toBe('SUPERSEDED')
    expect(await seeds(5, 1_001)).toBe('APPLIED')
    expect(await seeds(6, 500)).toBe('APPLIED')
    expect((await store.readMany([key])).map(contentOf)).toEqual(['6/500'])
    expect(await store.outboxDepth()).toEqual({ rows: 0, bytes: 0 })
  })

  test('a write after a seed with the same event timestamp wins, though the seed came from a clock ahead', async () => {
    const { store } = await make({})
    const key = keyOf('ATL')
    const ahead = (await store.reservePosition()) + 3_600_000_000
    await store.seed([{ key, row: rowOf(5, 'seeded', ahead) }])
    const [outcome] = await store.write([write(key, 5, 'written')])
    expect(outcome!.status).toBe('APPLIED')
    expect(outcome!.position).toBeGreaterThan(ahead)
    expect((await store.readMany([key])).map(contentOf)).toEqual(['written'])
  })

  test('concurrent writers: each row is in the outbox once, each value is the greatest version', async () => {
    const { store } = await make({})
    const keys = Array.from({ length: 10 }, (_, index) => keyOf(`shared-${index}`))
    const writer = async (number: number): Promise<void> => {
      for (let turn = 0; turn < 10; turn++) {
        const event = (number * 7 + turn * 3) % 11
        await store.write(keys.map((key) => write(key, event, `writer ${number} turn ${turn}`)))
      }
    }
    await Promise.all(Array.from({ length: 12 }, (_, number) => writer(number)))
    const entries = await wholeOutbox(store)
    expect(entries).toHaveLength(12 * 10 * keys.length)
    const rows = await store.readMany(keys)
    for (const [index, key] of keys.entries()) {
      const own = entries.filter((entry) => entry.key === key).map((entry) => entry.row)
      expect(new Set(own.map(contentOf)).size).toBe(120)
      const greatest = own
        .toSorted((a, b) => rowEventMicros(a) - rowEventMicros(b) || rowPosition(a) - rowPosition(b))
        .at(-1)
      expect(rows[index]).toEqual(greatest)
    }
  })

  test('what was written is there after a reopening', async () => {
    const { store, reopen } = await make({})
    const outcomes: RowOutcome[] = []
    for (let turn = 0; turn < 5; turn++)
      outcomes.push(...(await store.write([write(keyOf(`airport-${turn}`), 1, `${turn}`)])))
    const before = await wholeOutbox(store)
    await store.close()
    const reopened = await reopen()
    expect(reopened.storeId).toBe(store.storeId)
    expect(reopened.shardCount).toBe(store.shardCount)
    const rows = await reopened.readMany(outcomes.map((_, turn) => keyOf(`airport-${turn}`)))
    expect(rows.map(contentOf)).toEqual(['0', '1', '2', '3', '4'])
    expect(rows.map((row) => rowPosition(row as Buffer))).toEqual(outcomes.map(({ position }) => position))
    expect(await wholeOutbox(reopened)).toEqual(before)
    await reopened.close()
  })
}
