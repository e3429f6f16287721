/** The generator's own HTTP/2, without a socket: header blocks, frames and messages however they are cut. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Answer } from '../../bench/load/http2/answer.mjs'
import { FrameReader } from '../../bench/load/http2/frame-reader.mjs'
import { FLAG, frame, TYPE } from '../../bench/load/http2/frames.mjs'
import { decodeBlock, encodeBlock } from '../../bench/load/http2/hpack.mjs'

const latin1 = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'))

test('a block of literals is read as it was written', () => {
  const name = fc.oneof(latin1, fc.constantFrom(':path', 'content-type', 'www-authenticate', 'te'))
  fc.assert(
    fc.property(fc.array(fc.tuple(name, latin1)), (fields) => {
      expect(decodeBlock(encodeBlock(fields))).toEqual(fields)
    }),
  )
})

test('blocks of the RFC are read: indexed fields, Huffman strings, a table that is given no room', () => {
  const request = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ]
  const plain = '828684410f7777772e6578616d706c652e636f6d'
  const huffman = '828684418cf1e3c2e5f23a6ba0ab90f4ff'
  for (const block of [plain, huffman, `20${huffman}`]) expect(decodeBlock(Buffer.from(block, 'hex'))).toEqual(request)
  const response =
    '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3'
  expect(decodeBlock(Buffer.from(response, 'hex'))).toEqual([
    [':status', '302'],
    ['cache-control', 'private'],
    ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ['location', 'https://www.example.com'],
  ])
})

test.each([
  ['be', 'entry 62 of a dynamic table'],
  ['80', 'entry 0 of a dynamic table'],
  ['3fe11f', 'allowed none'],
  ['40', 'ends within a field'],
  ['4003616263', 'ends within a field'],
  ['400561', 'ends within a string'],
  ['408100', 'ends within a code'],
  ['4084ffffffff', 'the end of a string'],
  ['ffffffffffff7f', 'too long'],
])('block %s is refused: %s', (block, message) => {
  expect(() => decodeBlock(Buffer.from(block, 'hex'))).toThrow(message)
})

test('any bytes are a block or an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        for (const field of decodeBlock(Buffer.from(bytes))) expect(field.length).toBe(2)
      } catch (error) {
        expect((error as Error).message).toMatch(/header/)
      }
    }),
  )
})

/** A sequence of frames as bytes, and what a reader must make of them. */
const frames = fc
  .array(
    fc.record({
      type: fc.constantFrom(TYPE.DATA, TYPE.HEADERS, TYPE.PING, TYPE.SETTINGS, TYPE.GOAWAY),
      payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      padding: fc.option(fc.integer({ min: 0, max: 255 })),
      isEnd: fc.boolean(),
      streamId: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    }),
    { maxLength: 12 },
  )
  .map((list) => ({
    bytes: Buffer.concat(
      list.map(({ type, payload, padding, isEnd, streamId }) => {
        const isPadded = padding !== null && (type === TYPE.DATA || type === TYPE.HEADERS)
        const flags = (isEnd ? FLAG.END_STREAM : 0) | (isPadded ? FLAG.PADDED : 0)
        const content = isPadded ? Buffer.concat([Buffer.from([padding]), payload, Buffer.alloc(padding)]) : payload
        return frame(type, flags, streamId, content)
      }),
    ),
    expected: list.map(({ type, payload, isEnd, streamId }) => ({
      type,
      streamId,
      isEnd,
      payload: payload.toString('hex'),
    })),
  }))

test('frames are found however they are cut, DATA in pieces and all others whole', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), ({ bytes, expected }, cuts) => {
      const found: (typeof expected)[number][] = []
      let begun: Buffer[] | undefined
      let windowBytes = 0
      const reader = new FrameReader({
        dataFrame(count) {
          windowBytes += count
          begun = []
        },
        data(streamId, chunk, start, end, isEnd) {
          begun!.push(Buffer.from(chunk.subarray(start, end)))
          const last = found.at(-1)
          const payload = Buffer.concat(begun!).toString('hex')
          if (begun!.length > 1 && last !== undefined) found.pop()
          found.push({ type: TYPE.DATA, streamId, isEnd, payload })
        },
        frame(type, flags, streamId, payload) {
          found.push({ type, streamId, isEnd: (flags & FLAG.END_STREAM) !== 0, payload: payload.toString('hex') })
        },
      })
      let at = 0
      for (let turn = 0; at < bytes.length; turn++) {
        const end = Math.min(bytes.length, at + cuts[turn % cuts.length]!)
        // A socket's buffer is longer than what was read, and is used again.
        const chunk = Buffer.alloc(100, 0xee)
        bytes.copy(chunk, 0, at, end)
        reader.read(chunk, end - at)
        chunk.fill(0xdd)
        at = end
      }
      expect(found).toEqual(expected)
      expect(windowBytes).toBeGreaterThanOrEqual(
        expected.reduce((sum, { type, payload }) => sum + (type === TYPE.DATA ? payload.length / 2 : 0), 0),
      )
    }),
  )
})

test('a frame that is longer than was allowed, or all padding, is refused', () => {
  const read = (bytes: Buffer) => {
    const ignore = () => {}
    new FrameReader({ dataFrame: ignore, data: ignore, frame: ignore }).read(bytes, bytes.length)
  }
  expect(() => read(frame(TYPE.DATA, 0, 1, Buffer.alloc(16_385)))).toThrow('a frame of 16385 bytes')
  expect(() => read(frame(TYPE.DATA, FLAG.PADDED, 1, Buffer.from([3, 0, 0])))).toThrow('more padding than bytes')
  expect(() => read(frame(TYPE.DATA, FLAG.PADDED, 1))).toThrow('more padding than bytes')
})

function message(bytes: number, flag = 0): Buffer {
  const prefixed = Buffer.alloc(5 + bytes, 7)
  prefixed[0] = flag
  prefixed.writeUInt32BE(bytes, 1)
  return prefixed
}

const OK = encodeBlock([['grpc-status', '0']])

test('an answer is its one message, however it is cut', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 1, max: 700 }), (bytes, step) => {
      const answer = new Answer()
      answer.headers(encodeBlock([[':status', '200']]))
      const body = message(bytes)
      for (let at = 0; at < body.length; at += step) answer.data(body, at, Math.min(body.length, at + step))
      answer.headers(OK)
      expect([answer.failure(), answer.bytes]).toEqual([null, bytes])
    }),
  )
})

test.each([
  ['two messages', Buffer.concat([message(3), message(0)]), 'INTERNAL: an answer of 2 messages'],
  ['none', Buffer.alloc(0), 'INTERNAL: an answer of 0 messages'],
  ['a message cut short', message(9).subarray(0, 10), 'INTERNAL: an answer that ends within a message'],
  ['a prefix cut short', message(9).subarray(0, 3), 'INTERNAL: an answer that ends within a message'],
  ['a compressed message', message(9, 1), 'INTERNAL: an answer that is compressed, which was not asked for'],
])('status OK with %s is a failure', (_name, body, failure) => {
  const answer = new Answer()
  answer.data(body, 0, body.length)
  answer.headers(OK)
  expect(answer.failure()).toBe(failure)
})

test.each([
  [
    [
      ['grpc-status', '5'],
      ['grpc-message', 'no such: sp%C3%A4t'],
    ],
    'NOT_FOUND: no such: spät',
  ],
  [
    [
      ['grpc-status', '5'],
      ['grpc-message', '100%'],
    ],
    'NOT_FOUND: 100%',
  ],
  [[['grpc-status', '99']], '99: '],
  [[[':status', '503']], 'UNAVAILABLE: HTTP status 503'],
  [[[':status', '200']], 'UNKNOWN: an answer without a status'],
  [[], 'UNKNOWN: an answer without a status'],
] as const)('%j is a failure', (fields, failure) => {
  const answer = new Answer()
  answer.data(message(3), 0, 8)
  answer.headers(encodeBlock(fields))
  expect(answer.failure()).toBe(failure)
})

test('trailers do not make good of a status of HTTP', () => {
  const answer = new Answer()
  answer.headers(encodeBlock([[':status', '502']]))
  answer.data(message(3), 0, 8)
  answer.headers(OK)
  expect(answer.failure()).toBe('UNAVAILABLE: HTTP status 502')
  expect(new Answer().failure()).toBe('INTERNAL: an answer without headers')
})
