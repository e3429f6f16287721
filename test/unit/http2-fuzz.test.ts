/**
 * A million frames of garbage: mutations of valid connections and random ones, without a socket between. What must hold: nothing but an
 * orderly end comes of it, what is kept for a connection stays small, and a connection that is over does nothing more.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GrpcConnection, type GrpcConnectionOptions } from '../../src/grpc/grpc-connection.ts'
import { IncomingBudget } from '../../src/grpc/incoming-budget.ts'
import { messagePrefix } from '../../src/grpc/message-reader.ts'
import type { Method } from '../../src/grpc/method.ts'
import type { Http2Connection } from '../../src/http2/connection.ts'
import { encodeHeaders } from '../../src/http2/hpack/header-encoder.ts'
import { FLAG, FRAME, PREFACE } from '../../src/http2/protocol.ts'
import { createSlots } from '../../src/lib/slots.ts'
import { HTTP2_LIMITS, sharedMemory } from '../support/http2-limits.ts'

const FRAMES = 1_000_000
const FRAMES_A_CONNECTION = 60
const SEED = Number(process.env['TWINSTORE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

/** xorshift32: quick, and the same for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const echo: Method = { kind: 'unary', handle: (request) => Buffer.from(request) }
const later: Method = { kind: 'unary', handle: async (request) => Buffer.from(request) }
const stream: Method = {
  kind: 'bidi',
  async *handle(requests) {
    for await (const request of requests) yield request
  },
}
const METHODS = new Map<string, Method>([
  ['/a.B/Echo', echo],
  ['/a.B/Later', later],
  ['/a.B/Stream', stream],
])

/** One for all connections, as a server has it. */
const SHARED = sharedMemory()
const INCOMING = new IncomingBudget(2 ** 26)
const PING = Buffer.from('000008060000000000aaaaaaaaaaaaaaaa', 'hex')
const GREETING = Buffer.concat([PREFACE, Buffer.from('000000040000000000', 'hex')])

/** The same for all connections, as in a server. */
const OPTIONS: GrpcConnectionOptions = {
  methods: METHODS,
  // More resets and empty frames than elsewhere: a connection of garbage is to go on for a while.
  limits: {
    ...HTTP2_LIMITS,
    streamsMax: 100,
    resetsBurst: 1000,
    emptyFramesBurst: 1000,
    queuedBytesMax: 1 << 20,
  },
  shared: SHARED,
  calls: {
    messageBytesMax: 1 << 20,
    nowMs: () => 0,
    after: () => ({ cancel: () => undefined }),
    incomingBytesMax: 64 * 2 ** 20,
    incoming: INCOMING,
    turns: createSlots(4),
    answerMarginMs: () => 0,
    statusOf: (error) => ({ code: 13, details: String(error) }),
    abortReason: (kind) => new Error(kind),
    onEnded: () => undefined,
  },
}

function openConnection(): Http2Connection {
  return new GrpcConnection(OPTIONS, 0).connection
}

const blocks = ['/a.B/Echo', '/a.B/Later', '/a.B/Stream', '/a.B/None'].map((path) =>
  encodeHeaders([
    ':method',
    'POST',
    ':scheme',
    'http',
    ':path',
    path,
    'content-type',
    'application/grpc',
    'te',
    'trailers',
  ]),
)

function makeFrame(random: (below: number) => number, lastStream: number): Buffer {
  const type = random(11)
  const payload = payloadOf(type, random)
  const bytes = Buffer.allocUnsafe(9 + payload.length)
  // A length that lies is rare, or no frame would come after it.
  const length = random(200) === 0 ? random(20_000) : payload.length
  bytes.writeUIntBE(length, 0, 3)
  bytes[3] = type
  bytes[4] = random(4) === 0 ? random(256) : FLAG.endHeaders | (random(2) === 0 ? FLAG.endStream : 0)
  bytes.writeUInt32BE(random(20) === 0 ? random(100) : streamOf(type, random, lastStream), 5)
  payload.copy(bytes, 9)
  for (let mutations = random(8) === 0 ? random(4) : 0; mutations > 0; mutations--)
    bytes[random(bytes.length)] = random(256)
  return bytes
}

function streamOf(type: number, random: (below: number) => number, lastStream: number): number {
  if (type === FRAME.settings || type === FRAME.ping || type === FRAME.goaway) return 0
  if (type === FRAME.headers) return lastStream + 2
  if (type === FRAME.windowUpdate && random(2) === 0) return 0
  return Math.max(1, lastStream - 2 * random(5))
}

function payloadOf(type: number, random: (below: number) => number): Buffer {
  switch (type) {
    case FRAME.data: {
      const message = Buffer.alloc(random(40))
      return random(3) === 0 ? message : Buffer.concat([messagePrefix(message.length, random(9) === 0), message])
    }
    case FRAME.headers:
      return blocks[random(blocks.length)]!
    case FRAME.settings: {
      const bytes = Buffer.alloc(6 * random(3))
      for (let at = 0; at < bytes.length; at += 6) {
        bytes.writeUInt16BE(random(8), at)
        bytes.writeUInt32BE(random(2) === 0 ? random(100_000) : random(2 ** 31), at + 2)
      }
      return bytes
    }
    case FRAME.ping:
    case FRAME.goaway:
      return Buffer.alloc(8, random(256))
    case FRAME.priority:
      return Buffer.alloc(5, random(256))
    case FRAME.rstStream:
      return Buffer.from([0, 0, 0, random(14)])
    case FRAME.windowUpdate:
      return Buffer.from([0, random(2), random(256), random(256)])
    default:
      return Buffer.alloc(random(30), random(256))
  }
}

const { stackTraceLimit } = Error
// Nearly every connection ends by a fault, whose stack would take longer to note than its frames to read.
beforeAll(() => {
  Error.stackTraceLimit = 0
})
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit
})

test(`a million frames of garbage end connections, and nothing else (seed ${SEED})`, { timeout: 120_000 }, async () => {
  const random = randomOf(SEED)
  let frames = 0
  let ended = 0
  let connections = 0
  const heapBefore = process.memoryUsage().heapUsed
  while (frames < FRAMES) {
    const connection = openConnection()
    connections++
    connection.receive(GREETING, 0)
    let lastStream = -1
    for (let turn = 0; turn < FRAMES_A_CONNECTION; turn++) {
      const bytes = makeFrame(random, lastStream)
      if (bytes[3] === FRAME.headers) lastStream += 2
      if (random(10) === 0) {
        const cut = random(bytes.length)
        connection.receive(bytes.subarray(0, cut), turn)
        connection.receive(bytes.subarray(cut), turn)
      } else connection.receive(bytes, turn)
      frames++
      expectSmall(connection)
      if (random(4) === 0) {
        connection.output.take()
        connection.sent(turn)
      }
      if (connection.isOver) break
    }
    if (connection.isOver) ended++
    connection.close()
    expectOver(connection)
    // Methods that answer later do so between connections.
    if (connections % 200 === 0) await new Promise(setImmediate)
  }
  // Both were tried: what ends a connection, and what goes on after garbage.
  expect(ended).toBeGreaterThan(connections / 10)
  expect(connections - ended).toBeGreaterThan(connections / 100)
  await new Promise(setImmediate)
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(200 * 2 ** 20)
})

/** `expect` would take longer than what is tested. */
function expectSmall({ streams, sender, output }: Http2Connection): void {
  const isSmall = streams.size <= 100 && sender.queuedBytes < 8 << 20 && output.bytes < 1 << 20
  if (!isSmall)
    throw new Error(`${streams.size} streams, ${sender.queuedBytes} bytes queued, ${output.bytes} to be sent`)
}

function expectOver(connection: Http2Connection): void {
  connection.output.take()
  connection.sent(0)
  connection.receive(PING, 0)
  if (!connection.isOver || connection.streams.size > 0 || connection.output.bytes > 0) {
    throw new Error('a connection that is over goes on')
  }
}
