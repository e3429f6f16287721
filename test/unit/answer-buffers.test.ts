import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AnswerBuffers } from '../../src/lib/answer-buffers.ts'

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

test('what is taken is large enough and in nobody else’s hands; what waits is bounded, and used last first', () => {
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
      /** The model: what waits, the longest first. */
      let waiting: Buffer[] = []
      const bytesOf = (list: readonly Buffer[]): number => list.reduce((sum, { length }) => sum + length, 0)
      for (const step of list) {
        if ('take' in step) {
          const buffer = buffers.take(step.take)
          const fitting = waiting.filter(
            ({ length }) => length >= step.take && (length < 2 * step.take || length === 4 * KIB),
          )
          expect(buffer.length).toBeGreaterThanOrEqual(step.take)
          expect(held.includes(buffer)).toBe(false)
          if (fitting.length > 0) expect(buffer).toBe(fitting.at(-1))
          waiting = waiting.filter((other) => other !== buffer)
          held.push(buffer)
        } else if (held.length > 0) {
          const [buffer] = held.splice(step.giveBack % held.length, 1)
          buffers.giveBack(buffer!)
          if (buffer!.length <= bytesMax) waiting.push(buffer!)
          while (bytesOf(waiting) > bytesMax) waiting.shift()
        }
        expect(buffers.waitingBytes).toBe(bytesOf(waiting))
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
