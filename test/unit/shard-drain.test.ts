/** A page of an outbox is read in pieces, so that the event loop is not held by a large one. */
import { expect, test } from 'vitest'
import { entityKey, rowKey, type Shard } from '../../src/domain/entity-key.ts'
import { NO_POSITION, type Position } from '../../src/domain/version.ts'
import type { OutboxEntry } from '../../src/online/online-store.ts'
import { ShardDrain } from '../../src/writing/shard-drain.ts'

const ROW = Buffer.alloc(90)
const SHARD = 3 as Shard

function entryAt(position: number): OutboxEntry {
  return {
    key: rowKey(position % 3 === 0 ? 'b' : 'a', entityKey(['string'], ['x'])),
    row: ROW,
    position: position as Position,
  }
}

/** An outbox with entries at 1 to `count`; `faultAt`: a read that would begin with this one rejects. */
function drainOf(count: number, faultAt = Number.POSITIVE_INFINITY) {
  const asked: { after: number; rows: number }[] = []
  const trimmed: number[] = []
  const drain = new ShardDrain(
    SHARD,
    {
      lastPosition: async () => count as Position,
      readMany: async () => [],
      trimOutbox: async (_shard: Shard, through: Position) => void trimmed.push(through),
      async readOutbox(_shard: Shard, after: Position, limits: { rows: number; bytes: number }) {
        asked.push({ after, rows: limits.rows })
        if (after + 1 === faultAt) throw new Error('the entry cannot be read')
        const rows = Math.min(limits.rows, Math.max(1, Math.floor(limits.bytes / 95)), faultAt - after - 1)
        return Array.from({ length: Math.min(rows, count - after) }, (_, index) => entryAt(after + 1 + index))
      },
    },
    () => true,
  )
  return { drain, asked, trimmed }
}

const positions = (entries: readonly OutboxEntry[]) => entries.map(({ position }) => position as number)
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

test('pieces make the page that one reading would: all rows, in order, each once', async () => {
  for (const count of [0, 1, 1999, 2000, 2001, 4000, 7123]) {
    const { drain, asked } = drainOf(count)
    const { entries, last } = await drain.read({ rows: 100_000, bytes: 10_000_000 })
    expect(positions(entries)).toEqual(upTo(count))
    expect(last).toBe(count)
    expect(Math.max(...asked.map(({ rows }) => rows))).toBe(2000)
  }
})

test('both limits are those of the page, not of a piece', async () => {
  const byRows = drainOf(50_000)
  expect((await byRows.drain.read({ rows: 4500, bytes: 10_000_000 })).entries).toHaveLength(4500)
  expect(byRows.asked.map(({ rows }) => rows)).toEqual([2000, 2000, 500])
  const byBytes = drainOf(50_000)
  const { entries } = await byBytes.drain.read({ rows: 50_000, bytes: 95 * 3000 })
  expect(entries.length).toBeGreaterThanOrEqual(3000)
  expect(entries.length).toBeLessThan(3100)
  expect((await drainOf(10).drain.read({ rows: 100, bytes: 1 })).entries).toHaveLength(1)
})

test('what was read before a fault is the page; the fault comes with the next one', async () => {
  const { drain, trimmed } = drainOf(5000, 2001)
  const { entries } = await drain.read({ rows: 5000, bytes: 10_000_000 })
  expect(positions(entries)).toEqual(upTo(2000))
  await drain.advance(entries, () => false)
  expect(trimmed).toEqual([2000])
  await expect(drain.read({ rows: 5000, bytes: 10_000_000 })).rejects.toThrow('cannot be read')
})

test('rows are grouped by their view, also when views take turns', async () => {
  const { drain } = drainOf(10)
  const { entries } = await drain.read({ rows: 100, bytes: 10_000 })
  const groups = drain.uncommitted(entries)
  expect([...groups].map(([storageId, rows]) => [storageId, positions(rows)])).toEqual([
    ['a', [1, 2, 4, 5, 7, 8, 10]],
    ['b', [3, 6, 9]],
  ])
  expect(drain.cursor).toBe(NO_POSITION)
  await drain.advance(entries, (storageId) => storageId === 'b')
  expect([drain.cursor, drain.isStuck('a'), drain.isStuck('b')]).toEqual([10, false, true])
})
