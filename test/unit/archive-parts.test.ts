/** What the archiver is put together from: lifts of positions that are tried again, and faults that are told once. */
import { expect, test } from 'vitest'
import type { Shard } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { Registry } from '../../src/domain/registry.ts'
import type { Position } from '../../src/domain/version.ts'
import { ArchiveFaults } from '../../src/writing/archive-faults.ts'
import { PositionLifts } from '../../src/writing/position-lifts.ts'

const shard = (number: number) => number as Shard
const unavailable = new TwinstoreError('UNAVAILABLE', 'the history does not answer')

/** Shards whose history is at 7 and whose online store is at 5. */
function lifts() {
  const raised: Shard[] = []
  const lost: Shard[] = []
  const made = new PositionLifts({
    online: {
      storeId: 's',
      lastPosition: async () => 5 as Position,
      raisePositions: async (shard) => void raised.push(shard),
    },
    offline: {
      archivedPositions: async (_view, sources) => {
        if (state.isDown) throw unavailable
        return sources.map(() => 7 as Position)
      },
    },
    definitions: { current: { registry: { views: new Map([['v', {}]]) } as unknown as Registry, computes: new Map() } },
    viewsAtOnce: 1,
    shardsAtOnce: 1,
    tellTailLost: (shard) => lost.push(shard),
  })
  const state = { isDown: false, raised, lost, lifts: made }
  return state
}

test('a lift that failed is due until it succeeds; that of a shard which is no longer held is not', async () => {
  const state = lifts()
  state.lifts.add(shard(1))
  state.lifts.add(shard(2))
  state.isDown = true
  await state.lifts.liftDue(new Set([shard(1)]))
  expect([state.lifts.error, state.raised]).toEqual([unavailable, []])
  state.isDown = false
  const all = new Set([shard(1), shard(2)])
  await state.lifts.liftDue(all)
  expect([state.lifts.error, state.raised, state.lost]).toEqual([undefined, [1], [1]])
  await state.lifts.liftDue(all)
  expect(state.raised).toEqual([1])
})

test('a fault is told when it appears and when it comes back; only a pass that tried it again counts', () => {
  const told: string[] = []
  const faults = new ArchiveFaults({
    clock: { monotonicMs: () => 1000 },
    random: () => 0.5,
    retry: { minMs: 10, maxMs: 100 },
    onFault: ({ message }) => told.push(message),
  })
  expect(faults.retryAtMs).toBe(undefined)
  faults.note([unavailable], true, false)
  const first = faults.retryAtMs!
  expect([faults.failures, first > 1000]).toEqual([1, true])
  faults.note([unavailable], true, false)
  expect(faults.failures).toBe(1)
  faults.note([unavailable], true, true)
  expect([faults.failures, faults.retryAtMs! > first]).toEqual([2, true])
  faults.note([], false, true)
  expect([faults.failures, faults.retryAtMs]).toEqual([0, undefined])
  faults.note([unavailable], true, true)
  expect(told).toEqual([unavailable.message, unavailable.message])
})
