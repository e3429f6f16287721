/** Answers that are sent from pooled buffers: what arrives, how often a buffer is used, and what happens when nobody reads. */
import { once } from 'node:events'
import { status } from '@grpc/grpc-js'
import { afterEach, expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { Caller } from '../../src/serving/serving-service.ts'
import { duplex, type Edge, failureOf, type Script, startEdge, unary } from './grpc-fixture.ts'

const GET = '/twinstore.v1.Serving/GetFeatures'
const STREAM = '/twinstore.v1.Serving/StreamFeatures'
const SPARE_BYTES = 7

let edge: Edge
async function start(script: Script): Promise<void> {
  edge = await startEdge(script)
}
afterEach(() => edge.close())

/** An answer that depends on its number in every byte, so that one written over by another would be seen. */
function bytesOf(number: number, length: number): Buffer {
  return Buffer.alloc(length, `${number},`)
}

/** Written where the edge says, with some room left before and behind it as a TENSOR leaves it. */
function written(caller: Caller | undefined, answer: Buffer): Buffer {
  const room = caller!.roomFor!(answer.length + 2 * SPARE_BYTES)
  expect(room).toHaveLength(answer.length + 2 * SPARE_BYTES)
  room.fill(0xee)
  room.set(answer, SPARE_BYTES)
  return room.subarray(SPARE_BYTES, SPARE_BYTES + answer.length)
}

function request(number: number, length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(number)
  bytes.writeUInt32BE(length, 4)
  return bytes
}

/** Every third answer comes later. `used` gets the memory of each. */
function echo(used: Set<ArrayBufferLike>): NonNullable<Script['getFeatures']> {
  return (bytes, caller) => {
    const number = bytes.readUInt32BE(0)
    const make = (): Buffer => {
      const answer = written(caller, bytesOf(number, bytes.readUInt32BE(4)))
      used.add(answer.buffer)
      return answer
    }
    return number % 3 === 0 ? new Promise((resolve) => setImmediate(() => resolve(make()))) : make()
  }
}

test('answers of all sizes arrive whole, many at a time, from few buffers', async () => {
  const used = new Set<ArrayBufferLike>()
  await start({ getFeatures: echo(used) })
  const lengths = [0, 1, 4000, 4096, 20_000, 100_000, 300_000]
  for (let round = 0; round < 10; round++) {
    const answers = await Promise.all(lengths.map((length, index) => unary(edge.client, GET, request(index, length))))
    for (const [index, answer] of answers.entries()) expect(answer.equals(bytesOf(index, lengths[index]!))).toBe(true)
  }
  // One per answer under way; the pool of the fixture does not hold all of the largest.
  expect(used.size).toBeLessThan(3 * lengths.length)
})

test('one caller after the other gets answers from the same buffers', async () => {
  const used = new Set<ArrayBufferLike>()
  await start({ getFeatures: echo(used) })
  for (let turn = 0; turn < 20; turn++) {
    const answer = await unary(edge.client, GET, request(turn, 50_000))
    expect(answer.equals(bytesOf(turn, 50_000))).toBe(true)
  }
  // One for the answer, and one of its size for what is sent around it.
  expect(used.size).toBeLessThanOrEqual(2)
})

test('answers of a stream arrive whole and in order, though its reader is slow', async () => {
  const used = new Set<ArrayBufferLike>()
  await start({ getFeatures: echo(used) })
  const call = duplex(edge.client, STREAM)
  const count = 60
  for (let number = 0; number < count; number++) call.write(request(number, 60_000))
  call.end()
  let next = 0
  for await (const answer of call) {
    expect((answer as Buffer).equals(bytesOf(next, 60_000))).toBe(true)
    next++
    if (next % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  expect(next).toBe(count)
  expect(used.size).toBeLessThan(count)
})

test('callers that go away in the middle of their answers do not spoil those of others', async () => {
  const used = new Set<ArrayBufferLike>()
  await start({ getFeatures: echo(used) })
  for (let round = 0; round < 20; round++) {
    const leaving = Array.from({ length: 4 }, (_, index) => {
      const call = duplex(edge.client, STREAM)
      call.on('error', () => undefined)
      call.write(request(100 + index, 400_000))
      return call
    })
    const staying = unary(edge.client, GET, request(round, 400_000))
    await once(leaving[0]!, 'data')
    for (const call of leaving) call.cancel()
    expect((await staying).equals(bytesOf(round, 400_000))).toBe(true)
  }
})

test('an answer that fails after its room was taken is its error', async () => {
  await start({
    getFeatures(_request, caller) {
      caller!.roomFor!(1000)
      throw new TwinstoreError('RESOURCE_EXHAUSTED', 'too large')
    },
  })
  const error = await failureOf(unary(edge.client, GET, Buffer.alloc(0)))
  expect([error.code, error.details]).toEqual([status.RESOURCE_EXHAUSTED, 'too large'])
})
