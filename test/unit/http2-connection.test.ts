/** The HTTP/2 core as bytes in, events and bytes out: any chunks, any garbage, and the sender's turns. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ConnectionLimits, Http2Connection } from '../../src/http2/connection.ts'
import { FrameReader } from '../../src/http2/frame-reader.ts'
import { encodeHeaders } from '../../src/http2/hpack/header-encoder.ts'
import { FLAG, FRAME, PREFACE, SETTING } from '../../src/http2/protocol.ts'
import type { Http2Stream } from '../../src/http2/stream.ts'
import { frame, HEAD, REQUEST, TRAILERS, uint32 } from '../support/http2-frames.ts'
import { HTTP2_LIMITS, sharedMemory } from '../support/http2-limits.ts'

/** It promises bytes that do not come. */
const CUT_SHORT = Buffer.concat([REQUEST, encodeHeaders(['content-length', '5'])])

const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.from([0, id]), uint32(value)])
const settings = (...all: Buffer[]): Buffer => frame(FRAME.settings, 0, 0, Buffer.concat(all))
const request = (stream: number, isEnded = true): Buffer =>
  frame(FRAME.headers, FLAG.endHeaders | (isEnded ? FLAG.endStream : 0), stream, REQUEST)
const windowUpdate = (stream: number, bytes: number): Buffer => frame(FRAME.windowUpdate, 0, stream, uint32(bytes))
const HELLO = Buffer.concat([PREFACE, settings()])

interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

interface Bench {
  readonly connection: Http2Connection
  readonly events: string[]
  readonly streams: Http2Stream[]
  receive(...frames: Buffer[]): void
  /** Frames that were put out since the last look. */
  frames(): Frame[]
}

function bench(limits: Partial<ConnectionLimits> = {}, start: Buffer = HELLO): Bench {
  const events: string[] = []
  const streams: Http2Stream[] = []
  const connection = new Http2Connection(
    { ...HTTP2_LIMITS, ...limits },
    {
      opened(stream, headers, isEnded) {
        streams.push(stream)
        events.push(`opened ${stream.id} ${headers.fields.join('|')} ${isEnded}`)
      },
      data(stream, bytes, from, to) {
        events.push(`data ${stream.id} ${bytes.toString('latin1', from, to)}`)
        connection.take(stream, to - from)
      },
      ended: (stream, trailers) => events.push(`ended ${stream.id} ${trailers?.fields.join('|') ?? ''}`),
      aborted(stream, code) {
        events.push(`aborted ${stream.id} ${code}`)
        connection.workEnded(stream)
      },
      received: () => undefined,
      drained: (stream) => events.push(`drained ${stream.id}`),
    },
    sharedMemory(),
    0,
  )
  const made: Bench = {
    connection,
    events,
    streams,
    receive: (...frames) => connection.receive(Buffer.concat(frames), 0),
    frames() {
      const found: Frame[] = []
      const reader = new FrameReader(1 << 24, {
        frame: (type, flags, stream, bytes, from, to) =>
          found.push({ type, flags, stream, payload: Buffer.from(bytes.subarray(from, to)) }),
      })
      for (const chunk of connection.output.take()) reader.receive(chunk)
      connection.sent(0)
      return found
    },
  }
  if (start.length > 0) made.receive(start)
  made.frames()
  return made
}

const goaway = (frames: Frame[]): { code: number; words: string } | undefined => {
  const last = frames.find(({ type }) => type === FRAME.goaway)
  return last && { code: last.payload.readUInt32BE(4), words: last.payload.toString('utf8', 8) }
}

describe('chunks', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('open' as const), isEnded: fc.boolean() }),
    fc.record({ kind: fc.constant('data' as const), bytes: fc.uint8Array({ maxLength: 50 }), isEnded: fc.boolean() }),
    fc.record({ kind: fc.constant('ping' as const) }),
    fc.record({ kind: fc.constant('reset' as const) }),
    fc.record({ kind: fc.constant('window' as const), bytes: fc.integer({ min: 1, max: 1000 }) }),
  )

  test('however the bytes are cut, the events and the answers are the same', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (steps, cuts) => {
          let last = -1
          let isOpen = false
          const frames = steps.flatMap((each) => {
            if (each.kind === 'open') {
              last += 2
              isOpen = !each.isEnded
              return [request(last, each.isEnded)]
            }
            if (each.kind === 'ping') return [frame(FRAME.ping, 0, 0, Buffer.alloc(8, 7))]
            if (!isOpen) return []
            if (each.kind === 'window') return [windowUpdate(last, each.bytes)]
            if (each.kind === 'reset') {
              isOpen = false
              return [frame(FRAME.rstStream, 0, last, uint32(8))]
            }
            isOpen = !each.isEnded
            return [frame(FRAME.data, each.isEnded ? FLAG.endStream : 0, last, each.bytes)]
          })
          const bytes = Buffer.concat([HELLO, ...frames])
          const whole = bench({}, Buffer.alloc(0))
          whole.connection.receive(bytes, 0)
          const cut = bench({}, Buffer.alloc(0))
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const end = at + cuts[turn % cuts.length]!
            cut.connection.receive(Buffer.from(bytes.subarray(at, end)), 0)
            at = end
          }
          expect(cut.events).toEqual(whole.events)
          expect(cut.frames()).toEqual(whole.frames())
        },
      ),
    )
  })
})

describe('the sender', () => {
  test('a whole answer leaves as headers, one DATA frame and trailers', () => {
    const { connection, streams, receive, frames } = bench()
    receive(request(1))
    frames()
    connection.sender.reply(streams[0]!, HEAD, Buffer.from('12345'), Buffer.from('message'), TRAILERS)
    expect(frames().map(({ type, flags, payload }) => [type, flags, payload.toString('latin1')])).toEqual([
      [FRAME.headers, FLAG.endHeaders, HEAD.toString('latin1')],
      [FRAME.data, 0, '12345message'],
      [FRAME.headers, FLAG.endHeaders | FLAG.endStream, TRAILERS.toString('latin1')],
    ])
    expect(connection.streams.size).toBe(0)
  })

  test('any windows, any pieces: every byte arrives in order, and no window is exceeded', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100_000 }),
        fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 12 }),
        fc.array(fc.integer({ min: 64, max: 70_000 }), { minLength: 1, maxLength: 5 }),
        (initial, pieces, updates) => {
          const { connection, streams, receive, frames } = bench()
          receive(settings(setting(SETTING.initialWindowSize, initial)), request(1))
          frames()
          const body = Buffer.concat(pieces.map((bytes, index) => Buffer.alloc(bytes, index + 1)))
          connection.sender.headers(streams[0]!, HEAD, false)
          let at = 0
          for (const bytes of pieces) {
            connection.sender.data(streams[0]!, body.subarray(at, at + bytes))
            at += bytes
          }
          connection.sender.end(streams[0]!, TRAILERS)
          let window = initial
          let connectionWindow = 65_535
          const got: Buffer[] = []
          let isEnded = false
          for (let turn = 0; !isEnded && turn < 200_000; turn++) {
            for (const { type, flags, payload } of frames()) {
              if (type === FRAME.data) {
                window -= payload.length
                connectionWindow -= payload.length
                expect(Math.min(window, connectionWindow)).toBeGreaterThanOrEqual(0)
                got.push(payload)
              }
              isEnded ||= (flags & FLAG.endStream) !== 0 && type !== FRAME.ping
            }
            if (isEnded) break
            const more = updates[turn % updates.length]!
            window += more
            connectionWindow += more
            receive(windowUpdate(1, more), windowUpdate(0, more))
          }
          expect(Buffer.concat(got).equals(body)).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
  })

  test('a small answer does not wait for a large one', () => {
    const { connection, streams, receive, frames } = bench()
    receive(
      settings(setting(SETTING.initialWindowSize, 10_000_000)),
      windowUpdate(0, 10_000_000),
      request(1),
      request(3),
    )
    frames()
    connection.sender.headers(streams[0]!, HEAD, false)
    connection.sender.data(streams[0]!, Buffer.alloc(1_000_000))
    connection.sender.end(streams[0]!, TRAILERS)
    connection.sender.reply(streams[1]!, HEAD, Buffer.from('12345'), Buffer.from('small'), TRAILERS)
    const order = [...frames(), ...frames()]
    const small = order.findIndex(({ stream, type }) => stream === 3 && type === FRAME.data)
    const largeBytes = order
      .slice(0, small)
      .reduce((sum, { type, payload }) => sum + (type === FRAME.data ? payload.length : 0), 0)
    expect(small).toBeGreaterThan(0)
    expect(largeBytes).toBeLessThan(100_000)
  })

  test('a peer that makes its table smaller is told once that none is used', () => {
    const { connection, streams, receive, frames } = bench()
    receive(settings(setting(SETTING.headerTableSize, 0)), request(1), request(3))
    frames()
    connection.sender.headers(streams[0]!, HEAD, true)
    connection.sender.headers(streams[1]!, HEAD, true)
    expect(frames().map(({ payload }) => payload.toString('hex'))).toEqual(['2088', '88'])
  })

  test('a queue that has become empty is told to whoever wants to know', () => {
    const { connection, streams, events, receive, frames } = bench()
    receive(request(1))
    frames()
    connection.sender.data(streams[0]!, Buffer.alloc(65_535 + 50_000))
    connection.sender.flush()
    streams[0]!.wantsDrain = true
    frames()
    expect(events).not.toContain('drained 1')
    receive(windowUpdate(1, 30_000), windowUpdate(0, 30_000))
    expect(events).not.toContain('drained 1')
    receive(windowUpdate(1, 30_000), windowUpdate(0, 30_000))
    expect(events).toContain('drained 1')
  })
})

describe('limits', () => {
  const CALM = 11
  const longBlock = (stream: number, frames: number): Buffer[] => [
    frame(FRAME.headers, 0, stream, REQUEST),
    ...Array.from({ length: frames }, () => frame(FRAME.continuation, 0, stream, Buffer.from('0001610162', 'hex'))),
  ]
  test.each<[string, (made: Bench) => void, number, string]>([
    [
      'streams that are opened and reset at once',
      ({ receive }) => {
        for (let stream = 1; stream < 300; stream += 2)
          receive(request(stream), frame(FRAME.rstStream, 0, stream, uint32(8)))
      },
      CALM,
      'http2-resets-per-second',
    ],
    [
      'frames that make the server reset streams',
      ({ receive }) => {
        for (let stream = 1; stream < 300; stream += 2) {
          receive(frame(FRAME.headers, FLAG.endHeaders, stream, CUT_SHORT), frame(FRAME.data, FLAG.endStream, stream))
        }
      },
      CALM,
      'http2-resets-per-second',
    ],
    [
      'windows that open byte by byte',
      ({ receive }) => {
        receive(request(1))
        for (let turn = 0; turn < 200; turn++) receive(windowUpdate(1, 1))
      },
      CALM,
      'http2-empty-frames-per-second',
    ],
    [
      'streams beyond the limit, for ever',
      ({ receive }) => {
        for (let stream = 1; stream < 500; stream += 2) receive(request(stream, false))
      },
      CALM,
      'http2-resets-per-second',
    ],
    [
      'a flood of pings',
      ({ receive }) => {
        for (let turn = 0; turn < 200; turn++) receive(frame(FRAME.ping, 0, 0, Buffer.alloc(8)))
      },
      CALM,
      'http2-empty-frames-per-second',
    ],
    [
      'a flood of SETTINGS',
      ({ receive }) => {
        for (let turn = 0; turn < 200; turn++) receive(settings(setting(SETTING.enablePush, 0)))
      },
      CALM,
      'http2-empty-frames-per-second',
    ],
    [
      'a flood of empty DATA frames',
      ({ receive }) => {
        receive(request(1, false))
        for (let turn = 0; turn < 200; turn++) receive(frame(FRAME.data, 0, 1))
      },
      CALM,
      'http2-empty-frames-per-second',
    ],
    [
      'a header block in frames without end',
      ({ receive }) => receive(...longBlock(1, 50)),
      CALM,
      'http2-continuations-max',
    ],
    [
      'a header block of too many bytes',
      ({ receive }) =>
        receive(
          frame(FRAME.headers, 0, 1, REQUEST),
          frame(FRAME.continuation, 0, 1, Buffer.alloc(16_000)),
          frame(FRAME.continuation, 0, 1, Buffer.alloc(16_000)),
        ),
      CALM,
      'http2-header-block-bytes-max',
    ],
    [
      'a frame larger than allowed',
      ({ connection }) => connection.receive(frame(FRAME.data, 0, 1, Buffer.alloc(16_385)), 0),
      6,
      'SETTINGS_MAX_FRAME_SIZE',
    ],
    ['windows that overflow', ({ receive }) => receive(windowUpdate(0, 0x7fffffff)), 3, 'passes 2^31-1'],
    ['something that is not HTTP/2', () => undefined, 1, 'preface'],
    ['a preface that does not come', ({ connection }) => connection.tick(2000), 4, 'did not come in time'],
    [
      'a frame that comes byte by byte',
      ({ connection, receive }) => {
        receive(frame(FRAME.headers, FLAG.endHeaders, 1, REQUEST).subarray(0, 12))
        connection.tick(2000)
      },
      CALM,
      'a frame did not come to its end in time',
    ],
    [
      'a header block that comes frame by frame',
      ({ connection, receive }) => {
        receive(frame(FRAME.headers, 0, 1, REQUEST))
        connection.tick(2000)
      },
      CALM,
      'a header block did not come to its end in time',
    ],
  ])('%s', (name, attack, code, words) => {
    const made = name.startsWith('a preface')
      ? bench({}, Buffer.alloc(0))
      : bench({}, name.startsWith('something') ? Buffer.from('GET / HTTP/1.1\r\n\r\n') : HELLO)
    attack(made)
    const told = goaway(made.frames()) ?? { code: made.connection.fault?.code, words: made.connection.fault?.message }
    expect(told.code).toBe(code)
    expect(told.words).toContain(words)
    expect(made.connection.isOver).toBe(true)
    expect(made.connection.streams.size).toBe(0)
  })

  test('no more streams than allowed; those that are refused can be tried again', () => {
    const { receive, streams, frames } = bench({ streamsMax: 3 })
    receive(...[1, 3, 5, 7].map((stream) => request(stream, false)))
    expect(streams.map(({ id }) => id)).toEqual([1, 3, 5])
    const reset = frames().find(({ type }) => type === FRAME.rstStream)
    expect([reset?.stream, reset?.payload.readUInt32BE(0)]).toEqual([7, 7])
  })

  test('resets are no way around the limit on streams while work goes on', () => {
    const { connection, streams, receive } = bench({ streamsMax: 3 })
    const busy: Http2Stream[] = []
    connection.workEnded = () => undefined
    for (let stream = 1; stream < 30; stream += 2) {
      receive(request(stream, false), frame(FRAME.rstStream, 0, stream, uint32(8)))
      busy.push(...streams.splice(0))
    }
    expect(busy.length).toBe(6)
  })

  test('a stream that takes nothing is reset, and the others go on', () => {
    const { connection, streams, events, receive, frames } = bench()
    receive(settings(setting(SETTING.initialWindowSize, 0)), request(1), request(3))
    connection.sender.data(streams[0]!, Buffer.from('never taken'))
    connection.sender.end(streams[0]!, TRAILERS)
    frames()
    connection.receive(frame(FRAME.ping, 0, 0, Buffer.alloc(8)), 5500)
    connection.tick(6000)
    expect(events).toContain('aborted 1 11')
    expect([...connection.streams.keys()]).toEqual([3])
    expect(connection.isOver).toBe(false)
  })

  test('silence is answered with a ping, and silence after it with the end', () => {
    const { connection, frames } = bench()
    connection.tick(10_001)
    expect(frames().map(({ type }) => type)).toEqual([FRAME.ping])
    connection.tick(12_100)
    expect(connection.fault?.message).toContain('keepalive')
  })

  test('an old connection refuses new streams, finishes those it has, and ends', () => {
    const { connection, streams, receive, frames } = bench()
    receive(request(1))
    frames()
    connection.receive(frame(FRAME.ping, 0, 0, Buffer.alloc(8)), 599_000)
    frames()
    connection.tick(600_001)
    const told = frames()
    expect(told.map(({ type }) => type)).toEqual([FRAME.goaway, FRAME.ping])
    expect(told[0]!.payload.readUInt32BE(0)).toBe(0x7fffffff)
    connection.receive(frame(FRAME.ping, FLAG.ack, 0, told[1]!.payload), 600_002)
    expect(frames()[0]!.payload.readUInt32BE(0)).toBe(1)
    connection.receive(request(3), 600_003)
    expect(streams.length).toBe(1)
    connection.sender.reply(streams[0]!, HEAD, Buffer.alloc(5), Buffer.alloc(1), TRAILERS)
    connection.tick(600_004)
    expect(connection.isOver).toBe(true)
    expect(connection.fault).toBeUndefined()
  })
})

test('windows move once for a frame of SETTINGS, however many values it has', () => {
  const { connection, receive } = bench()
  receive(request(1, false), windowUpdate(1, 0x7fffffff - 65_535))
  // The first of them alone would take the stream's window beyond 2^31-1.
  receive(settings(setting(SETTING.initialWindowSize, 65_536), setting(SETTING.initialWindowSize, 65_535)))
  expect(connection.isOver).toBe(false)
  receive(settings(setting(SETTING.initialWindowSize, 65_535), setting(SETTING.initialWindowSize, 65_536)))
  expect(connection.fault?.reason).toBe('FLOW_CONTROL_ERROR')
})

test('what waits for room begins when the peer has read enough, and one after the other', () => {
  const { connection, streams, receive, frames } = bench({ queuedBytesMax: 100_000 })
  receive(request(1))
  frames()
  const begun: number[] = []
  connection.sender.data(streams[0]!, Buffer.alloc(65_535 + 150_000))
  connection.sender.flush()
  expect(connection.sender.isCrowded).toBe(true)
  for (const which of [1, 2]) {
    connection.sender.whenRoom(() => {
      begun.push(which)
      connection.sender.data(streams[0]!, Buffer.alloc(150_000))
    })
  }
  frames()
  expect(begun).toEqual([])
  receive(windowUpdate(1, 60_000), windowUpdate(0, 60_000))
  expect(begun).toEqual([1])
  for (let turn = 0; turn < 4; turn++) {
    frames()
    receive(windowUpdate(1, 60_000), windowUpdate(0, 60_000))
  }
  expect(begun).toEqual([1, 2])
})

test('answers to pings that nobody sent, and DATA of nothing but padding, are a flood too', () => {
  const pings = bench()
  for (let turn = 0; turn < 200; turn++) pings.receive(frame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8)))
  expect(goaway(pings.frames())?.words).toContain('http2-empty-frames-per-second')
  const padding = bench()
  padding.receive(request(1, false))
  for (let turn = 0; turn < 200; turn++) padding.receive(frame(FRAME.data, 8, 1, Buffer.from([3, 0, 0, 0])))
  expect(goaway(padding.frames())?.words).toContain('http2-empty-frames-per-second')
})

test('a drain ends though the last stream there can be has been opened', () => {
  const { connection, streams, receive, frames } = bench()
  receive(request(0x7fffffff))
  frames()
  connection.drain(0)
  const [, ping] = frames()
  connection.receive(frame(FRAME.ping, FLAG.ack, 0, ping!.payload), 0)
  connection.sender.reply(streams[0]!, HEAD, Buffer.alloc(5), Buffer.alloc(1), TRAILERS)
  connection.tick(1)
  expect(connection.isOver).toBe(true)
})
