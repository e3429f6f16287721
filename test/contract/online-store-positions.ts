import { expect, test } from 'vitest'
import type { Position } from '../../src/domain/version.ts'
import { keyOf, keysOfOneShard, type MakeStore, shardOfKey, shards, write } from './online-store-fixture.ts'

const HOUR_MICROS = 3_600_000_000

export function positionContract(make: MakeStore): void {
  test('positions of a shard strictly increase, within batches, between them and after a reopening', async () => {
    const { store, reopen } = await make({})
    const keys = keysOfOneShard(store, 5)
    const positions: number[] = []
    const writes = Array.from({ length: 10 }, () => store.write(keys.map((key) => write(key, 1, 'x'))))
    for (const outcomes of await Promise.all(writes)) positions.push(...outcomes.map(({ position }) => position))
    await store.close()
    const reopened = await reopen()
    positions.push(...(await reopened.write(keys.map((key) => write(key, 1, 'x')))).map(({ position }) => position))
    await reopened.close()
    expect(positions.every((position, index) => index === 0 || position > positions[index - 1]!)).toBe(true)
  })

  test('a reserved position is greater than every one before it and smaller than every one after it, on every shard', async () => {
    const { store } = await make({})
    const keys = Array.from({ length: 30 }, (_, index) => keyOf(`airport-${index}`))
    expect(new Set(keys.map((key) => shardOfKey(store, key))).size).toBe(store.shardCount)
    const batch = keys.map((key) => write(key, 1, 'x'))
    const before = (await store.write(batch)).map(({ position }) => position)
    const reserved = await store.reservePosition()
    const again = await store.reservePosition()
    const after = (await store.write(batch)).map(({ position }) => position)
    expect(reserved).toBeGreaterThan(Math.max(...before))
    expect(again).toBeGreaterThan(reserved)
    expect(Math.min(...after)).toBeGreaterThan(again)
  })

  test('raised positions stay raised after a reopening; a lower floor lowers nothing', async () => {
    const { store, reopen } = await make({})
    const key = keyOf('ATL')
    const floor = ((await store.reservePosition()) + HOUR_MICROS) as Position
    for (const shard of shards(store)) await store.raisePositions(shard, floor)
    await store.raisePositions(shardOfKey(store, key), 1 as Position)
    await store.close()
    const reopened = await reopen()
    const [outcome] = await reopened.write([write(key, 1, 'x')])
    expect(outcome!.position).toBeGreaterThan(floor)
    expect(await reopened.reservePosition()).toBeGreaterThan(outcome!.position)
    await reopened.close()
  })

  test('marks are kept by name, replaced, and there after a reopening', async () => {
    const { store, reopen } = await make({})
    expect(await store.readMark('seeded/airport_daily')).toBeUndefined()
    await store.writeMark('seeded/airport_daily', '17')
    await store.writeMark('seeded/route_daily', 'grün')
    await store.writeMark('seeded/airport_daily', '18')
    await store.close()
    const reopened = await reopen()
    expect(await reopened.readMark('seeded/airport_daily')).toBe('18')
    expect(await reopened.readMark('seeded/route_daily')).toBe('grün')
    await reopened.close()
  })
}
