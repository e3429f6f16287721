/** What goes into an output comes out in order, whatever is written meanwhile into the buffers that were given back. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Output } from '../../src/http2/output.ts'
import { AnswerBuffers } from '../../src/lib/answer-buffers.ts'

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('small' as const), bytes: fc.integer({ min: 1, max: 4096 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('large' as const), bytes: fc.integer({ min: 4097, max: 30_000 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('room' as const), bytes: fc.integer({ min: 5000, max: 70_000 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('in place' as const), bytes: fc.integer({ min: 1, max: 20_000 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('take' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('left' as const) }) },
)

test('bytes come out as they went in, with several connections on one pool', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2), step), { maxLength: 300 }), (steps) => {
      const pool = new AnswerBuffers(2 ** 18)
      const ends = Array.from({ length: 3 }, () => ({
        output: new Output(pool),
        expected: [] as Buffer[],
        // A socket keeps the buffers it was given, not copies, until it has sent them.
        underWay: [] as Buffer[],
        got: [] as Buffer[],
      }))
      let fill = 0
      for (const [which, each] of steps) {
        const { output, expected, underWay, got } = ends[which]!
        if (each.kind === 'take') {
          if (underWay.length === 0) underWay.push(...output.take())
          continue
        }
        if (each.kind === 'left') {
          got.push(...underWay.splice(0).map((chunk) => Buffer.from(chunk)))
          output.left()
          continue
        }
        fill = (fill + 1) & 0xff
        const bytes = Buffer.alloc(each.bytes, fill)
        expected.push(bytes)
        if (each.kind === 'in place') {
          const into = output.reserve(each.bytes)
          into.fill(fill, output.position, output.position + each.bytes)
        } else if (each.kind === 'room') {
          const room = pool.take(each.bytes)
          room.fill(fill, 0, each.bytes)
          output.append(room, 0, each.bytes)
          output.giveBackWhenLeft(room)
        } else output.append(bytes, 0, bytes.length)
      }
      for (const { output, expected, underWay, got } of ends) {
        const rest = [...underWay, ...output.take()].map((chunk) => Buffer.from(chunk))
        expect(Buffer.concat([...got, ...rest]).equals(Buffer.concat(expected))).toBe(true)
      }
    }),
    { numRuns: 300 },
  )
})

test('an idle output holds no slab', () => {
  const pool = new AnswerBuffers(2 ** 20)
  const output = new Output(pool)
  output.append(Buffer.alloc(10), 0, 10)
  output.take()
  expect(pool.waitingBytes).toBe(0)
  output.left()
  expect(pool.waitingBytes).toBe(64 * 1024)
})
