import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AnswerBuffers } from '../../src/api/grpc/answer-buffers.ts'

const KIB = 1024

test('a buffer that was given back is the next one taken of its size', () => {
  const buffers = new AnswerBuffers(1024 * KIB)
  const first = buffers.take(200_000)
  const second = buffers.take(200_000)
  expect(second.buffer).not.toBe(first.buffer)
  buffers.giveBack(first)
  buffers.giveBack(second)
  expect(buffers.take(2 * KIB).length).toBe(4 * KIB)
  expect(buffers.take(150_000)).toBe(second)
  expect(buffers.take(256 * KIB)).toBe(first)
})

test('whatever is taken is large enough, in nobody else’s hands, and what waits is bounded', () => {
  const bytesMax = 512 * KIB
  const sizes = fc.integer({ min: 0, max: 300 * KIB })
  const steps = fc.array(
    fc.oneof(
      sizes.map((take) => ({ take })),
      fc.nat(20).map((giveBack) => ({ giveBack })),
    ),
    {
      maxLength: 40,
    },
  )
  fc.assert(
    fc.property(steps, (list) => {
      const buffers = new AnswerBuffers(bytesMax)
      const held: Buffer[] = []
      const waiting = new Set<Buffer>()
      for (const step of list) {
        if ('take' in step) {
          const buffer = buffers.take(step.take)
          expect(buffer.length).toBeGreaterThanOrEqual(step.take)
          expect(held.includes(buffer)).toBe(false)
          waiting.delete(buffer)
          held.push(buffer)
        } else if (held.length > 0) {
          const [buffer] = held.splice(step.giveBack % held.length, 1)
          const before = buffers.waitingBytes
          buffers.giveBack(buffer!)
          if (buffers.waitingBytes > before) waiting.add(buffer!)
        }
        const bytes = [...waiting].reduce((sum, { length }) => sum + length, 0)
        expect(buffers.waitingBytes).toBe(bytes)
        expect(bytes).toBeLessThanOrEqual(bytesMax)
      }
    }),
  )
})

test('the largest are not kept', () => {
  const buffers = new AnswerBuffers(64 * 1024 * KIB)
  buffers.giveBack(buffers.take(9 * 1024 * KIB))
  expect(buffers.waitingBytes).toBe(0)
})

test('without room for any, every buffer is a new one', () => {
  const buffers = new AnswerBuffers(0)
  const buffer = buffers.take(5000)
  buffers.giveBack(buffer)
  expect(buffers.take(5000)).not.toBe(buffer)
})
