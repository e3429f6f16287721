/**
 * The known attacks on HTTP/2 servers, mounted over sockets on the lean transport with small limits. Of each is held what the attacker
 * is told, that it costs a bounded amount where that is the point, and that an honest client on another connection is served all the while.
 */
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { encodeHeaders } from '../../src/http2/hpack/header-encoder.ts'
import { ERROR, FLAG, FRAME, PREFACE, SETTING, UINT31_MAX } from '../../src/http2/protocol.ts'
import { callBlock, callFrames, type HostilePeer, messageOf, settingsFrame } from '../support/hostile-peer.ts'
import { frame, uint32 } from '../support/http2-frames.ts'
import { startInteropServer } from '../support/interop/interop-server.mjs'
import { unary } from './grpc-fixture.ts'
import {
  type Attacked,
  EMPTY_CALL,
  expectAnswer,
  expectRefused,
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

const RESETS = 50
const EMPTY_FRAMES = 100
const BLOCK_BYTES = 16_384
const CONTINUATIONS = 4
const CONNECTIONS = 20
/** For everything that has a time; the server looks every half second. */
const SHORT_MS = 300

const LIMITS = {
  resetsBurst: RESETS,
  resetsPerSecond: 1,
  emptyFramesBurst: EMPTY_FRAMES,
  emptyFramesPerSecond: 1,
  blockBytesMax: BLOCK_BYTES,
  continuationsMax: CONTINUATIONS,
  streamsMax: 100,
  headerListBytesMax: 8192,
  streamWindowBytes: 65_535,
  connectionWindowBytes: MIB,
  outputBytesMax: 65_536,
  queuedBytesMax: MIB,
  times: {
    handshakeMs: SHORT_MS,
    frameMs: SHORT_MS,
    stallMs: SHORT_MS,
    keepaliveMs: SHORT_MS,
    keepaliveTimeoutMs: SHORT_MS,
  },
}

let attacked: Attacked

beforeAll(async () => {
  attacked = await openAttacked({ limits: LIMITS, connectionsMax: CONNECTIONS })
})

afterAll(() => attacked.close())

describe('floods are told to calm down', () => {
  afterEach(() => attacked.leaveAll())

  const block = callBlock(STREAM_CALL)
  const opened = headers(1, block)

  test.each<[string, () => Buffer, string]>([
    [
      'rapid reset: calls that are cancelled as they begin',
      () =>
        times(RESETS * 4, (index) =>
          Buffer.concat([
            headers(streamOf(index), block),
            frame(FRAME.rstStream, 0, streamOf(index), uint32(ERROR.cancel)),
          ]),
        ),
      'http2-resets-per-second',
    ],
    [
      'made you reset: calls that break a rule as they begin',
      () =>
        times(RESETS * 4, (index) =>
          Buffer.concat([headers(streamOf(index), block), frame(FRAME.windowUpdate, 0, streamOf(index), uint32(0))]),
        ),
      'http2-resets-per-second',
    ],
    [
      'more calls at once than are allowed, over and over',
      () => times(LIMITS.streamsMax + RESETS * 2, (index) => headers(streamOf(index), block)),
      'http2-resets-per-second',
    ],
    ['SETTINGS', () => times(EMPTY_FRAMES * 4, () => settingsFrame()), 'http2-empty-frames-per-second'],
    [
      'PING',
      () => times(EMPTY_FRAMES * 4, () => frame(FRAME.ping, 0, 0, Buffer.alloc(8))),
      'http2-empty-frames-per-second',
    ],
    [
      'PRIORITY',
      () => times(EMPTY_FRAMES * 4, () => frame(FRAME.priority, 0, 1, Buffer.alloc(5))),
      'http2-empty-frames-per-second',
    ],
    [
      'empty DATA',
      () => Buffer.concat([opened, times(EMPTY_FRAMES * 4, () => frame(FRAME.data, 0, 1))]),
      'http2-empty-frames-per-second',
    ],
    [
      'windows that open by a byte',
      () => Buffer.concat([opened, times(EMPTY_FRAMES * 4, () => frame(FRAME.windowUpdate, 0, 1, uint32(1)))]),
      'http2-empty-frames-per-second',
    ],
    [
      'frames of unknown types',
      () => times(EMPTY_FRAMES * 4, () => frame(0x77, 0, 0, Buffer.alloc(100))),
      'http2-empty-frames-per-second',
    ],
    [
      'CONTINUATION: headers that never end, in frames with a byte each',
      () =>
        Buffer.concat([
          headers(1, block, 0),
          times(1000, () => frame(FRAME.continuation, 0, 1, encodeHeaders(['a', 'b']))),
        ]),
      'http2-continuations-max',
    ],
    [
      'CONTINUATION: the same in large frames',
      () =>
        Buffer.concat([headers(1, block, 0), times(10, () => frame(FRAME.continuation, 0, 1, Buffer.alloc(16_000)))]),
      'http2-header-block-bytes-max',
    ],
  ])('%s', async (_name, flood, option) => {
    const peer = await attacked.greeted()
    const fault = await attacked.whileServed(async () => {
      peer.say(flood())
      const told = await peer.goaway()
      await peer.closed()
      return told
    })
    expect(fault).toEqual({ code: ERROR.enhanceYourCalm, words: expect.stringContaining(option) })
    expect(attacked.server.faults.at(-1)).toBe(fault!.words)
  })

  test('calls of a rapid reset are over: none of their work is left', async () => {
    const peer = await attacked.greeted()
    const before = attacked.server.ended.length
    await attacked.whileServed(async () => {
      peer.say(
        times(RESETS, (index) =>
          Buffer.concat([
            headers(streamOf(index), block),
            frame(FRAME.rstStream, 0, streamOf(index), uint32(ERROR.cancel)),
          ]),
        ),
      )
      const ended = () => attacked.server.ended.slice(before).filter(({ path }) => path === STREAM_CALL).length
      await expect.poll(ended).toBe(RESETS)
    })
    expect(peer.isClosed).toBe(false)
  })
})

describe('what breaks a rule ends what broke it', () => {
  afterEach(() => attacked.leaveAll())

  test('the window of a connection that passes 2^31-1', async () => {
    const peer = await attacked.greeted()
    const fault = await attacked.whileServed(async () => {
      peer.say(frame(FRAME.windowUpdate, 0, 0, uint32(UINT31_MAX)))
      return peer.goaway()
    })
    expect(fault).toMatchObject({ code: ERROR.flowControlError })
  })

  test('the window of a stream that does costs that stream', async () => {
    const peer = await attacked.greeted()
    const code = await attacked.whileServed(async () => {
      peer.say(headers(1, callBlock(STREAM_CALL)), frame(FRAME.windowUpdate, 0, 1, uint32(UINT31_MAX)))
      return peer.reset(1)
    })
    expect(code).toBe(ERROR.flowControlError)
    await expectAnswer(peer, 3)
  })

  test('windows of streams that SETTINGS make larger than that', async () => {
    const peer = await attacked.greeted()
    const fault = await attacked.whileServed(async () => {
      peer.say(headers(1, callBlock(STREAM_CALL)), frame(FRAME.windowUpdate, 0, 1, uint32(UINT31_MAX - 65_535)))
      peer.say(settingsFrame(SETTING.initialWindowSize, 65_536))
      return peer.goaway()
    })
    expect(fault).toMatchObject({ code: ERROR.flowControlError })
  })

  test('more DATA than the window of the stream has room for', async () => {
    const peer = await attacked.greeted()
    const code = await attacked.whileServed(async () => {
      // The call is busy with its first message for an hour, and takes no other.
      const busy = requestOf('FullDuplexCall', { responseParameters: [{ size: 1, intervalUs: 2 ** 31 - 1 }] })
      peer.say(headers(1, callBlock(STREAM_CALL)), frame(FRAME.data, 0, 1, messageOf(busy)))
      peer.say(times(10, () => frame(FRAME.data, 0, 1, messageOf(Buffer.alloc(16_000)))))
      return peer.reset(1)
    })
    expect(code).toBe(ERROR.flowControlError)
    await expectAnswer(peer, 3)
  })

  test('a frame that is larger than was offered, before it has come', async () => {
    const peer = await attacked.greeted()
    const fault = await attacked.whileServed(async () => {
      peer.say(frame(FRAME.data, 0, 1, Buffer.alloc(16_385)).subarray(0, 9))
      return peer.goaway()
    })
    expect(fault).toMatchObject({ code: ERROR.frameSizeError })
  })

  test('no more numbers for streams: the last one is served, and then a new connection is needed', async () => {
    const peer = await attacked.greeted()
    const fault = await attacked.whileServed(async () => {
      await expectAnswer(peer, 1)
      await expectAnswer(peer, UINT31_MAX)
      peer.say(callFrames(3, EMPTY_CALL))
      return peer.goaway()
    })
    expect(fault).toMatchObject({ code: ERROR.streamClosed, words: expect.stringContaining('stream 3') })
    await expectAnswer(await attacked.greeted(), 1)
  })
})

describe('what is small and becomes large', () => {
  afterEach(() => attacked.leaveAll())

  test('an HPACK bomb: a field of 4 KB in the table, and blocks that name it thousands of times', async () => {
    const peer = await attacked.greeted()
    const watch = memoryWatch()
    const fill = Buffer.concat([Buffer.from('40017a7fd91e', 'hex'), Buffer.alloc(4056, 'a')])
    const first = Buffer.concat([callBlock(EMPTY_CALL), fill])
    const bomb = Buffer.concat([callBlock(EMPTY_CALL), Buffer.alloc(16_000, 0xbe)])
    // 40 blocks of 16 KB that would be 2.5 GB of headers.
    await attacked.whileServed(async () => {
      peer.say(headers(1, first, FLAG.endHeaders | FLAG.endStream))
      for (let index = 1; index <= 40; index++) {
        peer.say(headers(streamOf(index), bomb, FLAG.endHeaders | FLAG.endStream))
        await expectRefused(peer, streamOf(index))
      }
    })
    expect(watch.most()).toBeLessThan(64 * MIB)
    await expectAnswer(peer, 1001)
  })

  test('a header list that is too large', async () => {
    const peer = await attacked.greeted()
    await attacked.whileServed(async () => {
      const large = callBlock(EMPTY_CALL, 'x-large', 'v'.repeat(LIMITS.headerListBytesMax))
      peer.say(headers(1, large, FLAG.endHeaders | FLAG.endStream))
      await expectRefused(peer, 1)
    })
    await expectAnswer(peer, 3)
  })

  test('messages that say they have 4 GB, one on each of all streams', async () => {
    const peer = await attacked.greeted()
    const watch = memoryWatch()
    await attacked.whileServed(async () => {
      for (let index = 0; index < RESETS / 2; index++) {
        peer.say(headers(streamOf(index), callBlock(STREAM_CALL)))
        peer.say(frame(FRAME.data, 0, streamOf(index), Buffer.from([0, 0xff, 0xff, 0xff, 0xff])))
        await expectRefused(peer, streamOf(index))
      }
    })
    expect(watch.most()).toBeLessThan(64 * MIB)
  })

  test('a message of gzip that unpacks to many times the most', async () => {
    // It fits the window as it is.
    const zipped = gzipSync(Buffer.alloc(60 * MIB))
    const peer = await attacked.greeted()
    const watch = memoryWatch()
    await attacked.whileServed(async () => {
      peer.say(headers(1, callBlock(UNARY_CALL, 'grpc-encoding', 'gzip')))
      const body = messageOf(zipped, true)
      for (let from = 0; from < body.length; from += 16_384) {
        const piece = body.subarray(from, from + 16_384)
        peer.say(frame(FRAME.data, from + piece.length === body.length ? FLAG.endStream : 0, 1, piece))
      }
      await expectRefused(peer, 1)
    })
    expect(watch.most()).toBeLessThan(40 * MIB)
    await expectAnswer(peer, 3)
  })
})

describe('those who do not read', () => {
  afterEach(() => attacked.leaveAll())

  const CALLS = 90
  /** An answer of 4 MB for each, 360 MB in sum. */
  const large = requestOf('UnaryCall', { responseSize: 4 * MIB })
  const calls = times(CALLS, (index) => callFrames(streamOf(index), UNARY_CALL, large))

  test('a zero-window stall: large answers are asked for, and no window is opened', async () => {
    const peer = await attacked.greeted(SETTING.initialWindowSize, 0)
    const before = attacked.server.ended.length
    const watch = memoryWatch()
    await attacked.whileServed(async () => {
      peer.say(calls)
      expect(await peer.reset(1)).toBe(ERROR.enhanceYourCalm)
    })
    expect(watch.most()).toBeLessThan(96 * MIB)
    await leaveNothing(peer, before)
  })

  test('a socket that is never read, behind windows that are wide open', async () => {
    const peer = await attacked.greeted(SETTING.initialWindowSize, UINT31_MAX)
    const before = attacked.server.ended.length
    const watch = memoryWatch()
    const faults = attacked.server.faults.length
    await attacked.whileServed(async () => {
      peer.socket.pause()
      peer.say(frame(FRAME.windowUpdate, 0, 0, uint32(UINT31_MAX - 65_535)), calls)
      await expect
        .poll(() => attacked.server.faults.slice(faults).join(), { timeout: 10_000 })
        .toContain('http2-stall-timeout')
    })
    expect(watch.most()).toBeLessThan(96 * MIB)
    await leaveNothing(peer, before)
  })

  /** Every call that the peer began has ended when it is gone. */
  async function leaveNothing(peer: HostilePeer, endedBefore: number): Promise<void> {
    peer.leave()
    const ended = () => attacked.server.ended.slice(endedBefore).filter(({ path }) => path === UNARY_CALL).length
    await expect.poll(ended).toBe(CALLS)
  }
})

describe.concurrent('those who take their time', () => {
  afterAll(() => attacked.leaveAll())

  const STALL = [
    ['says nothing', (): Buffer => Buffer.alloc(0), ERROR.settingsTimeout, 'http2-handshake-timeout'],
    [
      'says half of the preface',
      (): Buffer => PREFACE.subarray(0, 10),
      ERROR.settingsTimeout,
      'http2-handshake-timeout',
    ],
    [
      'says half of a frame',
      (): Buffer => Buffer.concat([PREFACE, settingsFrame(), callFrames(1, EMPTY_CALL).subarray(0, 20)]),
      ERROR.enhanceYourCalm,
      'http2-frame-timeout',
    ],
    [
      'says half of its headers',
      (): Buffer => Buffer.concat([PREFACE, settingsFrame(), headers(1, callBlock(EMPTY_CALL), 0)]),
      ERROR.enhanceYourCalm,
      'http2-frame-timeout',
    ],
  ] as const

  test.each(STALL)('a half-open connection that %s', async (_name, bytes, code, option) => {
    const peer = await attacked.connected()
    const fault = await attacked.whileServed(async () => {
      peer.say(bytes())
      return peer.goaway()
    })
    expect(fault).toEqual({ code, words: expect.stringContaining(option) })
  })

  test('slow headers: a frame that comes byte by byte', async () => {
    const peer = await attacked.greeted()
    const slow = headers(1, callBlock(EMPTY_CALL, 'x-slow', 'v'.repeat(8000)))
    let said = 0
    const fault = await attacked.whileServed(async () => {
      // A byte for every answer that an honest client gets.
      while (!peer.isClosed && said < slow.length && !peer.heard.some(({ type }) => type === FRAME.goaway)) {
        peer.say(slow.subarray(said, said + 1))
        said++
        await unary(attacked.honest, EMPTY_CALL, Buffer.alloc(0), 5000)
      }
      return peer.goaway()
    })
    expect(fault).toEqual({
      code: ERROR.enhanceYourCalm,
      words: expect.stringContaining('http2-frame-timeout'),
    })
    expect(said).toBeLessThan(slow.length)
  })

  test('a client that has vanished is pinged, and given up', async () => {
    const peer = await attacked.greeted()
    peer.answersPings = false
    const fault = await attacked.whileServed(async () => {
      await expectAnswer(peer, 1)
      return peer.goaway()
    })
    expect(peer.heard.some(({ type, flags }) => type === FRAME.ping && flags === 0)).toBe(true)
    expect(fault).toEqual({ code: ERROR.noError, words: expect.stringContaining('grpc-keepalive-timeout') })
    await peer.closed()
  })

  test('a TLS handshake that never begins is given up', async () => {
    const secure = await startInteropServer(0, { tls: {}, limits: LIMITS, connectionsMax: 1 })
    const peer = await attacked.connected(secure.port)
    const refused = await attacked.connected(secure.port)
    // It counts as the one connection there may be.
    await refused.closed()
    await peer.closed()
    expect(peer.heard).toEqual([])
    secure.close()
  })
})

test('more connections than are allowed are closed as they come, and those there are stay', async () => {
  await attacked.whileServed(async () => {
    const all = await Promise.all(Array.from({ length: CONNECTIONS * 2 }, () => attacked.greeted()))
    const closed = () => all.filter(({ isClosed }) => isClosed).length
    // The honest client's connection is one of those that are allowed.
    await expect.poll(closed).toBe(CONNECTIONS + 1)
    for (const peer of all) if (!peer.isClosed) await expectAnswer(peer, 1)
    for (const peer of all) peer.leave()
    await expect.poll(() => attacked.isServed()).toBe(true)
  })
})

test('messages that do not end cost no more than all of them may, and who goes beyond is told so', async () => {
  await attacked.whileServed(async () => {
    const peer = await attacked.greeted()
    const messageBytes = 4 * MIB
    const streams = Array.from({ length: 40 }, (_, index) => 2 * index + 1)
    for (const stream of streams) {
      peer.say(frame(FRAME.headers, FLAG.endHeaders, stream, callBlock(STREAM_CALL)))
      peer.say(frame(FRAME.data, 0, stream, Buffer.concat([Buffer.from([0]), uint32(messageBytes)])))
    }
    const piece = Buffer.alloc(16_384)
    const refused = () =>
      peer.heard.filter(({ type, flags }) => type === FRAME.headers && (flags & FLAG.endStream) !== 0)
    // 40 x 3 MiB, of which the connection may hold 64.
    for (let sent = 0; sent < 3 * MIB; sent += piece.length) {
      for (const stream of streams) peer.say(frame(FRAME.data, 0, stream, piece))
      await new Promise(setImmediate)
    }
    await expect.poll(() => refused().length).toBeGreaterThan(10)
    expect(refused().length).toBeLessThan(streams.length)
    expect(peer.isClosed).toBe(false)
  })
})
