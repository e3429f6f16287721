import { expect, test } from 'vitest'
import type { Shard } from '../../src/domain/entity-key.ts'
import { NO_POSITION, type Position } from '../../src/domain/version.ts'
import type { OnlineStore } from '../../src/online/online-store.ts'
import { keyOf, keysOfOneShard, type MakeStore, shardOfKey, shards, write } from './online-store-fixture.ts'

const LONG_MS = 3_600_000
/** Of claims that are to end while a test waits for it. */
const SHORT_MS = 60
const DEADLINE_MS = 10_000

const claim = (store: OnlineStore, owner: string, ttlMs = LONG_MS) => store.claimShards({ owner, ttlMs })

function sorted(claimed: readonly Shard[]): number[] {
  return [...claimed].sort((a, b) => a - b)
}

/** Each owner claims twice, so that what one gives up is there for the next; the claims then are the answer. */
async function settled(store: OnlineStore, owners: readonly string[]): Promise<(readonly Shard[])[]> {
  for (const owner of owners) await claim(store, owner)
  const claims: (readonly Shard[])[] = []
  for (const owner of owners) claims.push(await claim(store, owner))
  return claims
}

export function claimContract(make: MakeStore): void {
  test('one owner has all shards, and keeps them by repeating', async () => {
    const { store } = await make({})
    expect(sorted(await claim(store, 'one'))).toEqual(shards(store))
    expect(sorted(await claim(store, 'one'))).toEqual(shards(store))
  })

  test.each([2, 3])('%d owners have a fair part each, all shards together, and none twice', async (count) => {
    const { store } = await make({})
    const owners = Array.from({ length: count }, (_, index) => `owner-${index}`)
    const claims = await settled(store, owners)
    expect(sorted(claims.flat())).toEqual(shards(store))
    for (const claimed of claims) expect(claimed.length).toBeLessThanOrEqual(Math.ceil(store.shardCount / count))
    expect((await settled(store, owners)).map(sorted)).toEqual(claims.map(sorted))
  })

  test('more owners than shards: every shard has one', async () => {
    const { store } = await make({})
    const owners = Array.from({ length: store.shardCount + 2 }, (_, index) => `owner-${index}`)
    expect(sorted((await settled(store, owners)).flat())).toEqual(shards(store))
  })

  test('what an owner gives up goes to the others at once', async () => {
    const { store } = await make({})
    await settled(store, ['one', 'two'])
    await store.releaseShards('one')
    expect(sorted(await claim(store, 'two'))).toEqual(shards(store))
    await store.releaseShards('nobody')
    expect(sorted(await claim(store, 'two'))).toEqual(shards(store))
  })

  test('the shards of an owner that says nothing more are taken over when its time has passed, and not before', async () => {
    const { store } = await make({})
    await claim(store, 'lasting')
    expect(await claim(store, 'two')).toEqual([])
    await store.releaseShards('lasting')
    await claim(store, 'killed', SHORT_MS)
    const taken = async () => sorted(await claim(store, 'two'))
    await expect.poll(taken, { timeout: DEADLINE_MS }).toEqual(shards(store))
  })

  test('claims are kept through a reopening', async () => {
    const { store, reopen } = await make({})
    await claim(store, 'one')
    await store.close()
    const reopened = await reopen()
    expect(await claim(reopened, 'two')).toEqual([])
    await reopened.close()
  })

  test('the last position of a shard is that of its last row, and at least what it was raised to', async () => {
    const { store, reopen } = await make({})
    const key = keysOfOneShard(store, 1)[0]!
    const shard = shardOfKey(store, key)
    for (const each of shards(store)) expect(await store.lastPosition(each)).toBe(NO_POSITION)
    const outcomes = await store.write([write(key, 2, 'new'), write(key, 1, 'late')])
    expect(await store.lastPosition(shard)).toBe(outcomes[1]!.position)
    await store.trimOutbox(shard, outcomes[1]!.position)
    const floor = (outcomes[1]!.position + 1000) as Position
    await store.raisePositions(shard, floor)
    expect(await store.lastPosition(shard)).toBe(floor)
    await store.close()
    const reopened = await reopen()
    expect(await reopened.lastPosition(shard)).toBe(floor)
    await reopened.close()
  })

  test('of several that claim a mark at once all get the same value, which stays', async () => {
    const { store } = await make({})
    const values = Array.from({ length: 10 }, (_, index) => `value-${index}`)
    const got = await Promise.all(values.map((value) => store.claimMark('pairing', value)))
    expect(new Set(got).size).toBe(1)
    expect(values).toContain(got[0])
    expect(await store.claimMark('pairing', 'late')).toBe(got[0])
    expect(await store.readMark('pairing')).toBe(got[0])
    expect(await store.claimMark(keyOf('other'), 'its own')).toBe('its own')
  })
}
