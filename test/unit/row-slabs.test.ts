/** Rows that move about in shared buffers stay what they are, and the buffers stay nearly full of them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRowSlabs, type RowHolder } from '../../src/serving/row-slabs.ts'

const SLAB_BYTES = 65_536
/** The bound's eleven slabs, and the one that has just been begun. */
const SLACK_BYTES = 12 * SLAB_BYTES

/** A slice of something larger, as a socket read gives it, filled with a value of its own. */
function slice(length: number, value: number): Buffer {
  return Buffer.alloc(length + 1000, value).subarray(500, 500 + length)
}

test('whatever leaves in whatever order, the others stay whole and at most a third is wasted', () => {
  let movedCount = 0
  const step = fc.record({
    length: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1500, max: 5000 })),
    adopted: fc.integer({ min: 1, max: 300 }),
    dropped: fc.integer({ min: 0, max: 330 }),
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
        expect(slabs.bytes()).toBeLessThanOrEqual((packedBytes * 4) / 3 + SLACK_BYTES)
      }
    }),
    { numRuns: 40 },
  )
  expect(movedCount).toBeGreaterThan(0)
})

test('rows of large reads stay where they were read, until too little of a read is in use', () => {
  let leftCount = 0
  const step = fc.record({
    readBytes: fc.integer({ min: 20_000, max: SLAB_BYTES }),
    length: fc.integer({ min: 200, max: 3000 }),
    /** Of the rows that the read holds, how many are kept, in percent. */
    kept: fc.constantFrom(3, 50, 100),
    dropped: fc.integer({ min: 0, max: 60 }),
    from: fc.constantFrom('oldest', 'spread'),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const slabs = createRowSlabs()
      const held: { holder: RowHolder; copy: Buffer; first: Buffer }[] = []
      let value = 0
      for (const { readBytes, length, kept, dropped, from } of steps) {
        const read = Buffer.from(new ArrayBuffer(readBytes))
        for (let at = 0; at + length <= readBytes; at += length) {
          const row = read.subarray(at, at + length).fill(++value % 256)
          if ((value * 7919) % 100 >= kept) continue
          const holder: RowHolder = { row, slab: undefined }
          slabs.adopt(holder)
          if (holder.row.buffer === read.buffer) leftCount++
          held.push({ holder, copy: Buffer.from(row), first: holder.row })
        }
        for (let each = 0; each < dropped && held.length > 0; each++) {
          const at = from === 'oldest' ? 0 : (each * 7919) % held.length
          slabs.drop(held.splice(at, 1)[0]!.holder)
        }
        for (const { holder, copy, first } of held) {
          expect(holder.row.equals(copy)).toBe(true)
          expect(first.equals(copy)).toBe(true)
        }
        const heldBytes = held.reduce((sum, { holder }) => sum + holder.row.length, 0)
        expect(slabs.bytes()).toBeLessThanOrEqual((heldBytes * 4) / 3 + SLACK_BYTES)
      }
      for (const { holder } of held) slabs.drop(holder)
      expect(slabs.bytes()).toBeLessThanOrEqual(SLACK_BYTES)
    }),
    { numRuns: 30 },
  )
  expect(leftCount).toBeGreaterThan(0)
})

test('a read of which hardly a row is kept is given up for copies of its rows', () => {
  const slabs = createRowSlabs()
  const held = Array.from({ length: 200 }, (_, index) => {
    const row = Buffer.from(new ArrayBuffer(SLAB_BYTES)).subarray(2000, 4000).fill(index)
    const holder: RowHolder = { row, slab: undefined }
    slabs.adopt(holder)
    return { holder, row }
  })
  expect(held.filter(({ holder, row }) => holder.row !== row).length).toBeGreaterThan(150)
  expect(held.every(({ holder, row }) => holder.row.equals(row))).toBe(true)
  expect(slabs.bytes()).toBeLessThanOrEqual((200 * 2000 * 4) / 3 + SLACK_BYTES)
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
