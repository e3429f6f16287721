/** Rows that move about in shared buffers stay what they are, and the buffers stay nearly full of them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRowSlabs, type RowHolder } from '../../src/serving/row-slabs.ts'

const SLAB_BYTES = 65_536

/** A slice of something larger, as a socket read gives it, filled with a value of its own. */
function slice(length: number, value: number): Buffer {
  return Buffer.alloc(length + 1000, value).subarray(500, 500 + length)
}

test('whatever leaves in whatever order, the others stay whole and at most a third is wasted', () => {
  let movedCount = 0
  const step = fc.record({
    length: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1500, max: 5000 })),
    adopted: fc.integer({ min: 1, max: 60 }),
    dropped: fc.integer({ min: 0, max: 70 }),
    from: fc.constantFrom('oldest', 'newest', 'spread'),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const slabs = createRowSlabs()
      const held: { holder: RowHolder; row: Buffer; first: Buffer }[] = []
      let value = 0
      for (const { length, adopted, dropped, from } of steps) {
        for (let each = 0; each < adopted; each++) {
          const row = slice(length, ++value % 256)
          const holder: RowHolder = { row, slab: undefined }
          slabs.adopt(holder)
          held.push({ holder, row, first: holder.row })
        }
        for (let each = 0; each < dropped && held.length > 0; each++) {
          const at = from === 'oldest' ? 0 : from === 'newest' ? held.length - 1 : (each * 7919) % held.length
          slabs.drop(held.splice(at, 1)[0]!.holder)
        }
        let packedBytes = 0
        for (const { holder, row, first } of held) {
          expect(holder.row.equals(row)).toBe(true)
          expect(first.equals(row)).toBe(true)
          expect(holder.row.buffer).not.toBe(row.buffer)
          if (holder.row !== first) movedCount++
          if (holder.slab !== undefined) packedBytes += row.length
        }
        expect(slabs.bytes()).toBeLessThanOrEqual((packedBytes * 4) / 3 + 4 * SLAB_BYTES)
      }
    }),
    { numRuns: 100 },
  )
  expect(movedCount).toBeGreaterThan(0)
})

test('rows that leave in the order they came are never moved', () => {
  const slabs = createRowSlabs()
  const held: { holder: RowHolder; first: Buffer }[] = []
  for (let index = 0; index < 10_000; index++) {
    const holder: RowHolder = { row: slice(2000, index % 256), slab: undefined }
    slabs.adopt(holder)
    held.push({ holder, first: holder.row })
    if (held.length <= 1000) continue
    const { holder: oldest, first } = held.shift()!
    expect(oldest.row).toBe(first)
    slabs.drop(oldest)
  }
})

test('a large row, and one whose buffer is its own, do not go into a slab', () => {
  const slabs = createRowSlabs()
  const large: RowHolder = { row: slice(5000, 1), slab: undefined }
  const own: RowHolder = { row: Buffer.alloc(2000, 2), slab: undefined }
  const { row } = own
  slabs.adopt(large)
  slabs.adopt(own)
  expect(large.row.buffer.byteLength).toBe(5000)
  expect(own.row).toBe(row)
  slabs.drop(large)
  slabs.drop(own)
  expect(slabs.bytes()).toBe(SLAB_BYTES)
})
