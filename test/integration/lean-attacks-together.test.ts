/**
 * Attacks by many connections, each of which keeps to what one may do: bounded is what all of them take together. An honest client is
 * served all the while, with calls of the very kind of which the attackers have too many.
 */
import { gzipSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import { ERROR, FLAG, FRAME, SETTING, UINT31_MAX } from '../../src/http2/protocol.ts'
import { callBlock, callFrames, type HostilePeer, messageOf } from '../support/hostile-peer.ts'
import { frame, uint32 } from '../support/http2-frames.ts'
import {
  type Attacked,
  headers,
  MIB,
  memoryWatch,
  openAttacked,
  requestOf,
  STREAM_CALL,
  streamOf,
  times,
  UNARY_CALL,
} from './lean-attack-fixture.ts'

let attacked: Attacked

afterEach(() => attacked.close())

/** The most there was of a number, of many looks. */
function most(read: () => number): () => number {
  let found = 0
  const timer = setInterval(() => {
    found = Math.max(found, read())
  }, 1)
  return () => {
    clearInterval(timer)
    return found
  }
}

const greetedBy = (count: number, ...settings: number[]): Promise<HostilePeer[]> =>
  Promise.all(Array.from({ length: count }, () => attacked.greeted(...settings)))

test('answers that nobody reads, on many connections: those who hold most are disconnected, and who reads is served', async () => {
  const TOTAL = 16 * MIB
  attacked = await openAttacked({ totals: { heldBytesMax: TOTAL } })
  const call = { path: UNARY_CALL, message: requestOf('UnaryCall', { responseSize: 256 * 1024 }) }
  const large = requestOf('UnaryCall', { responseSize: MIB })
  const held = most(() => attacked.server.numbers().heldBytes)
  const watch = memoryWatch()
  const peers = await greetedBy(40, SETTING.initialWindowSize, 0)
  const told = await attacked.whileServed(async () => {
    // 40 connections ask for 20 MiB each, 800 in sum, of which each may begin one whatever the others do.
    for (const peer of peers) peer.say(times(20, (index) => callFrames(streamOf(index), UNARY_CALL, large)))
    const told = peers.map((peer) => peer.goaway())
    await expect.poll(() => attacked.server.faults.length, { timeout: 10_000 }).toBeGreaterThan(20)
    await expect.poll(() => attacked.server.numbers().heldBytes).toBeLessThanOrEqual(TOTAL)
    return Promise.race(told)
  }, call)
  expect(told).toEqual({
    code: ERROR.enhanceYourCalm,
    words: expect.stringContaining('http2-queued-bytes-total-max'),
  })
  expect(attacked.server.numbers().faults.get('http2-queued-bytes-total-max')).toBeGreaterThan(20)
  // What 40 first answers take, and what is begun while room is being found.
  expect(held()).toBeLessThan(64 * MIB)
  expect(watch.most()).toBeLessThan(192 * MIB)
})

test('sockets that nobody reads, on many connections', async () => {
  const TOTAL = 8 * MIB
  attacked = await openAttacked({ totals: { heldBytesMax: TOTAL } })
  const call = { path: UNARY_CALL, message: requestOf('UnaryCall', { responseSize: 256 * 1024 }) }
  const large = requestOf('UnaryCall', { responseSize: 3 * MIB })
  const peers = await greetedBy(20, SETTING.initialWindowSize, UINT31_MAX)
  await attacked.whileServed(async () => {
    for (const peer of peers) {
      peer.socket.pause()
      peer.say(frame(FRAME.windowUpdate, 0, 0, uint32(UINT31_MAX - 65_535)))
      // More than what the kernel takes of it.
      peer.say(times(4, (index) => callFrames(streamOf(index), UNARY_CALL, large)))
    }
    await expect.poll(() => attacked.server.faults.length, { timeout: 10_000 }).toBeGreaterThan(0)
    await expect.poll(() => attacked.server.numbers().heldBytes).toBeLessThanOrEqual(TOTAL)
  }, call)
  expect(attacked.server.faults.join()).toContain('http2-queued-bytes-total-max')
})

test('as long as there is room, nobody is disconnected: those who hold much only begin no more calls', async () => {
  const TOTAL = 32 * MIB
  attacked = await openAttacked({ totals: { heldBytesMax: TOTAL } })
  const call = { path: UNARY_CALL, message: requestOf('UnaryCall', { responseSize: 256 * 1024 }) }
  const some = requestOf('UnaryCall', { responseSize: 256 * 1024 })
  const held = most(() => attacked.server.numbers().heldBytes)
  const peers = await greetedBy(7, SETTING.initialWindowSize, 0)
  await attacked.whileServed(async () => {
    // 7 connections ask for 16 MiB each. An eighth of the bound is what each may come to hold.
    for (const peer of peers) peer.say(times(64, (index) => callFrames(streamOf(index), UNARY_CALL, some)))
    await expect.poll(() => attacked.server.numbers().heldBytes).toBeGreaterThan(TOTAL * 0.75)
    for (let index = 0; index < 100; index++) await new Promise(setImmediate)
  }, call)
  expect(held()).toBeLessThanOrEqual(TOTAL)
  expect(attacked.server.faults).toEqual([])
  // Who reads again gets the rest.
  const [peer] = peers
  peer!.say(frame(FRAME.windowUpdate, 0, 0, uint32(2 ** 30)))
  for (let index = 0; index < 64; index++) {
    peer!.say(frame(FRAME.windowUpdate, 0, streamOf(index), uint32(2 ** 20)))
  }
  const isEnd = ({ type, flags, stream }: { type: number; flags: number; stream: number }) =>
    type === FRAME.headers && (flags & FLAG.endStream) !== 0 && stream === streamOf(63)
  expect(await peer!.until(isEnd)).toBeDefined()
})

test('halves of messages on many connections: those that do not go on are given up, and who sends whole ones is served', async () => {
  const TOTAL = 4 * MIB
  attacked = await openAttacked({ totals: { incomingBytesTotalMax: TOTAL } })
  const body = requestOf('UnaryCall', { payload: { body: Buffer.alloc(MIB) }, responseSize: 1 })
  const incoming = most(() => attacked.server.numbers().incomingBytes)
  const peers = await greetedBy(25)
  const half = messageOf(Buffer.alloc(64 * 1024)).subarray(0, 16_000)
  const isRefused = ({ type, flags }: { type: number; flags: number }) =>
    type === FRAME.headers && (flags & FLAG.endStream) !== 0
  await attacked.whileServed(
    async () => {
      // 25 connections with 50 halves each, 19 MiB.
      for (let index = 0; index < 50; index++) {
        for (const peer of peers) {
          const call = index % 2 === 0 ? UNARY_CALL : STREAM_CALL
          peer.say(headers(streamOf(index), callBlock(call)), frame(FRAME.data, 0, streamOf(index), half))
        }
        await new Promise(setImmediate)
      }
      const refused = () => peers.reduce((sum, { heard }) => sum + heard.filter(isRefused).length, 0)
      await expect.poll(refused, { timeout: 10_000 }).toBeGreaterThan(25 * 50 - 300)
      // Those that began first are the ones.
      expect(peers[0]!.heard.find(isRefused)?.stream).toBe(1)
    },
    { path: UNARY_CALL, message: body },
  )
  const refusal = peers[0]!.heard.find(isRefused)!
  expect(refusal.payload.length).toBeGreaterThan(100)
  expect(incoming()).toBeLessThan(TOTAL + 64 * 1024)
  expect(peers.every(({ isClosed }) => !isClosed)).toBe(true)
})

test('calls of which nothing comes but the headers take room, and so do large headers', async () => {
  const TOTAL = MIB
  attacked = await openAttacked({ totals: { incomingBytesTotalMax: TOTAL } })
  const peers = await greetedBy(4)
  await attacked.whileServed(async () => {
    const block = callBlock(UNARY_CALL, 'x-large', 'v'.repeat(6000))
    for (const peer of peers) peer.say(times(500, (index) => headers(streamOf(index), block)))
    const refused = () =>
      peers.reduce((sum, { heard }) => sum + heard.filter(({ type }) => type === FRAME.headers).length, 0)
    await expect.poll(refused).toBeGreaterThanOrEqual(2000 - MIB / 8000)
  })
  expect(attacked.server.numbers().incomingBytes).toBeLessThanOrEqual(TOTAL)
  attacked.leaveAll()
  await expect.poll(() => attacked.server.numbers().incomingBytes).toBe(0)
})

test('messages of gzip that are small as they come, and large as they are kept', async () => {
  // 3 MiB each, as 3 KB; a connection may have 64 MiB of requests that are not whole, and a client that is honest one of them.
  const zipped = messageOf(gzipSync(Buffer.alloc(3 * MIB)), true)
  attacked = await openAttacked({})
  const peer = await attacked.greeted()
  const refused = () =>
    peer.heard.filter(({ type, flags }) => type === FRAME.headers && (flags & FLAG.endStream) !== 0).length
  await attacked.whileServed(async () => {
    for (let index = 0; index < 50; index++) {
      peer.say(headers(streamOf(index), callBlock(UNARY_CALL, 'grpc-encoding', 'gzip')))
      peer.say(frame(FRAME.data, 0, streamOf(index), zipped))
    }
    await expect.poll(refused, { timeout: 10_000 }).toBeGreaterThanOrEqual(50 - 64 / 3)
  })
  expect(attacked.server.numbers().incomingBytes).toBeLessThan(65 * MIB)
  expect(peer.isClosed).toBe(false)
})
