/** Connections that nobody uses: what they have given up, they get again, and what they keep is little. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { GrpcConnection } from '../../src/grpc/grpc-connection.ts'
import { IncomingBudget } from '../../src/grpc/incoming-budget.ts'
import type { Method } from '../../src/grpc/method.ts'
import { encodeHeaders } from '../../src/http2/hpack/header-encoder.ts'
import { FLAG, FRAME, PREFACE } from '../../src/http2/protocol.ts'
import { createSlots } from '../../src/lib/slots.ts'
import { frame } from '../support/http2-frames.ts'
import { HTTP2_LIMITS, sharedMemory } from '../support/http2-limits.ts'

setFlagsFromString('--expose_gc')
const collectGarbage: () => void = runInNewContext('gc')

const CONNECTIONS = 1000
/** Measured: 2400, of which half is what the calls put into the table of header fields. The socket is not counted. */
const HEAP_BYTES_MAX = 3000
const MINUTE_MS = 60_000

const METHODS = ['Echo', 'Other', 'Third']
const echo: Method = { kind: 'unary', handle: (request) => request }
const FOREVER = Number.POSITIVE_INFINITY
const OPTIONS = {
  methods: new Map(METHODS.map((name) => [`/a.B/${name}`, echo])),
  limits: { ...HTTP2_LIMITS, times: { ...HTTP2_LIMITS.times, keepaliveMs: FOREVER, idleMs: FOREVER, ageMs: FOREVER } },
  shared: sharedMemory(),
  calls: {
    messageBytesMax: 1 << 20,
    nowMs: () => 0,
    after: () => ({ cancel: () => undefined }),
    incoming: new IncomingBudget(2 ** 26),
    turns: createSlots(4),
    incomingBytesMax: 1 << 20,
    answerMarginMs: () => 0,
    statusOf: (error: unknown) => ({ code: 13, details: String(error) }),
    abortReason: (kind: string) => new Error(kind),
    onEnded: () => undefined,
  },
}

/** What the encoders of gRPC clients put into the table with their first call. */
const FIELDS: readonly (readonly [string, string])[] = [
  [':authority', '127.0.0.1:50051'],
  ['content-type', 'application/grpc'],
  ['grpc-accept-encoding', 'identity,deflate,gzip'],
  ['accept-encoding', 'identity'],
  ['user-agent', 'grpc-node-js/1.14.7'],
  ['te', 'trailers'],
]
/** An index of the table's newest entry, and a literal that enters the table (RFC 7541, section 6.1 and 6.2.1). */
const NEWEST = 0x80 | 62
const ADDED = 0x40
const MESSAGE = Buffer.from('\0\0\0\0\x03abc', 'latin1')

function call(stream: number): Buffer {
  const path = encodeHeaders([
    ':method',
    'POST',
    ':scheme',
    'http',
    ':path',
    `/a.B/${METHODS[stream % METHODS.length]}`,
  ])
  const fields = FIELDS.map(([name, value], index) =>
    stream === 1
      ? Buffer.concat([
          Buffer.from([ADDED, name.length]),
          Buffer.from(name),
          Buffer.from([value.length]),
          Buffer.from(value),
        ])
      : Buffer.from([NEWEST + FIELDS.length - 1 - index]),
  )
  const block = Buffer.concat([path, ...fields, encodeHeaders(['grpc-timeout', `${30_000 - stream}m`])])
  const headers = frame(FRAME.headers, FLAG.endHeaders, stream, block)
  return Buffer.concat([headers, frame(FRAME.data, FLAG.endStream, stream, MESSAGE)])
}

const GREETING = Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0, Buffer.alloc(0))])

function open(): GrpcConnection {
  const made = new GrpcConnection(OPTIONS, 0)
  made.connection.receive(GREETING, 0)
  return made
}

/** Bytes of what leaves. */
function output({ connection }: GrpcConnection, nowMs: number): Buffer {
  const bytes = Buffer.concat(connection.output.take())
  connection.sent(nowMs)
  return bytes
}

test('after a rest, calls are answered as before it', () => {
  const made = open()
  output(made, 0)
  const answers = [0, 1, 2].map((minute) => {
    for (const first of [1, 3, 5]) made.connection.receive(call(first + minute * 6), minute * MINUTE_MS)
    const bytes = output(made, minute * MINUTE_MS)
    made.connection.tick(minute * MINUTE_MS + MINUTE_MS / 2)
    return bytes.toString('latin1').split('abc').length - 1
  })
  expect(answers).toEqual([3, 3, 3])
  expect(made.connection.fault).toBeUndefined()
})

test('a connection keeps little of its calls', () => {
  const made: GrpcConnection[] = []
  /** Calls on so many connections; how many bytes each connection has. */
  const perConnection = (count: number): number => {
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    for (let index = 0; index < count; index++) {
      const each = open()
      for (const stream of [1, 3, 5, 7, 9, 11, 13]) each.connection.receive(call(stream), 0)
      output(each, 0)
      each.connection.tick(MINUTE_MS)
      made.push(each)
    }
    collectGarbage()
    return (process.memoryUsage().heapUsed - before) / count
  }
  // The first ones make what all others share, compiled code among it.
  perConnection(100)
  expect(perConnection(CONNECTIONS)).toBeLessThan(HEAP_BYTES_MAX)
  expect(made).toHaveLength(100 + CONNECTIONS)
})
