/**
 * The load generator's own client against real servers: the gRPC edge, that of Node's HTTP/2 where the edge cannot be brought to do a thing,
 * and bare sockets that do what no server should.
 */
import { once } from 'node:events'
import {
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import {
  FLAG,
  frame,
  numberFrame,
  PREFACE,
  STREAM_ID_MAX,
  settingsFrame,
  TYPE,
} from '../../bench/load/http2/frames.mjs'
import { encodeBlock } from '../../bench/load/http2/hpack.mjs'
import { type LeanClient, openLeanClient } from '../../bench/load/lean-client.mjs'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { startEdge } from './grpc-fixture.ts'

const PATH = '/twinstore.v1.Serving/GetFeatures'

interface Ended {
  readonly failure: string | null
  readonly bytes: number
}

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** `call(message)` resolves when the call has ended, however. */
async function open(
  target: string,
  more: { deadlineMs?: number; connections?: number; firstStreamId?: number } = {},
): Promise<{ client: LeanClient; call: (message?: Buffer) => Promise<Ended> }> {
  const waiting = new Map<object, (ended: Ended) => void>()
  const client = await openLeanClient({
    target,
    connections: 1,
    deadlineMs: 20_000,
    ...more,
    onDone(call, failure, bytes) {
      waiting.get(call)!({ failure, bytes })
      waiting.delete(call)
    },
  })
  closers.push(() => client.close())
  const prepare = client.method(PATH)
  return {
    client,
    call: (message = Buffer.from('request')) =>
      new Promise((resolve) => {
        const call = { request: prepare(message), sentMs: performance.now() }
        waiting.set(call, resolve)
        client.send(call)
      }),
  }
}

function many(count: number, call: (message?: Buffer) => Promise<Ended>, message?: Buffer): Promise<Ended[]> {
  return Promise.all(Array.from({ length: count }, () => call(message)))
}

async function edge(getFeatures: (request: Buffer) => Buffer | Promise<Buffer>, limits = {}): Promise<string> {
  const started = await startEdge({ getFeatures, limits })
  closers.push(() => started.close())
  return started.address
}

async function listen(server: Http2Server | NetServer): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => new Promise((resolve) => server.close(resolve)))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A server on Node's HTTP/2 that answers with an empty message unless `onStream` says otherwise. */
async function http2(
  onStream: (stream: ServerHttp2Stream, socket: Socket, turn: number) => void,
  settings = {},
): Promise<string> {
  const server = createHttp2Server({ settings })
  const sessions = new Set<ServerHttp2Session>()
  let socket: Socket
  let turn = 0
  server.on('connection', (accepted: Socket) => {
    socket = accepted
  })
  server.on('session', (session) => {
    sessions.add(session)
    session.on('error', () => {})
    session.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => {})
      onStream(stream, socket, turn++)
    })
  })
  const address = await listen(server)
  closers.push(() => {
    for (const session of sessions) session.destroy()
  })
  return address
}

function answerEmpty(stream: ServerHttp2Stream, status = '0', message = ''): void {
  stream.resume()
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status, 'grpc-message': message }))
  stream.end(Buffer.alloc(5))
}

interface Frame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly bytes: number
}

/** A socket that sends its settings and then does `onFrame` for what comes. */
async function bare(
  onFrame: (socket: Socket, frame: Frame) => void,
  settings: readonly (readonly [number, number])[] = [],
): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write(settingsFrame(settings))
    let rest = Buffer.alloc(0)
    let isBegun = false
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      if (!isBegun && rest.length >= PREFACE.length) {
        rest = rest.subarray(PREFACE.length)
        isBegun = true
      }
      while (isBegun && rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const bytes = rest.readUIntBE(0, 3)
        const found = { type: rest[3]!, flags: rest[4]!, id: rest.readUInt32BE(5), bytes }
        rest = rest.subarray(9 + bytes)
        onFrame(socket, found)
      }
    })
  })
  const address = await listen(server)
  closers.push(() => {
    for (const socket of sockets) socket.destroy()
  })
  return address
}

test('a Twinstore server gets the bytes that were sent, and its answers are counted whole', async () => {
  const seen: string[] = []
  const { call } = await open(
    await edge((request) => {
      seen.push(request.toString('latin1'))
      return Buffer.alloc(request.length * 3)
    }),
  )
  const messages = Array.from({ length: 50 }, (_, index) => Buffer.alloc(index * 7, index))
  const ended = await Promise.all(messages.map((message) => call(message)))
  expect(ended).toEqual(messages.map(({ length }) => ({ failure: null, bytes: length * 3 })))
  expect(seen).toEqual(messages.map((message) => message.toString('latin1')))
})

test('an answer of megabytes is many DATA frames, and a request of megabytes waits for windows', async () => {
  let received = 0
  const target = await edge(
    (request) => {
      received += request.length
      for (const [index, byte] of request.entries())
        if (byte !== index % 251) throw new Error(`byte ${index} is ${byte}`)
      return Buffer.alloc(5_000_000, 1)
    },
    { messageBytesMax: 4 * 1024 * 1024 },
  )
  const { call } = await open(target)
  const request = Buffer.from(Uint8Array.from({ length: 1_000_000 }, (_, index) => index % 251))
  expect(await many(8, call, request)).toEqual(new Array(8).fill({ failure: null, bytes: 5_000_000 }))
  expect(received).toBe(8_000_000)
})

test('a status other than OK is a failure with its code and message', async () => {
  const text = `view "x": ${'späť '.repeat(40)}~{}|\\^`
  const { call } = await open(
    await edge((request) => {
      if (request.length > 0) throw new TwinstoreError('NOT_FOUND', text)
      return Promise.reject(new TwinstoreError('RESOURCE_EXHAUSTED', 'full'))
    }),
  )
  expect(await call()).toEqual({ failure: `NOT_FOUND: ${text}`, bytes: 0 })
  expect(await call(Buffer.alloc(0))).toEqual({ failure: 'RESOURCE_EXHAUSTED: full', bytes: 0 })
})

test('a call ends at its deadline, by the server or by the client, which then gives up the stream', async () => {
  const resets: number[] = []
  const target = await http2((stream) => stream.on('close', () => resets.push(stream.rstCode)))
  const { call } = await open(target, { deadlineMs: 100 })
  expect(await many(3, call)).toEqual(
    new Array(3).fill({ failure: 'DEADLINE_EXCEEDED: no answer within 100 ms', bytes: 0 }),
  )
  await expect.poll(() => resets).toEqual([8, 8, 8])
  const unanswered = await open(await edge(() => new Promise(() => {})), { deadlineMs: 50 })
  expect((await unanswered.call()).failure).toMatch(/^DEADLINE_EXCEEDED/)
})

test('a header block may be long and go on in other frames', async () => {
  const message = 'x'.repeat(40_000)
  const target = await http2((stream) => answerEmpty(stream, '13', message))
  const { call } = await open(target)
  expect(await many(3, call)).toEqual(new Array(3).fill({ failure: `INTERNAL: ${message}`, bytes: 0 }))
})

test('as many streams are open as the server allows, and every call gets its turn', async () => {
  const held: ServerHttp2Stream[] = []
  const target = await http2(
    (stream) => {
      held.push(stream)
      if (held.length === 3) for (const each of held.splice(0)) answerEmpty(each)
    },
    { maxConcurrentStreams: 3 },
  )
  const { call } = await open(target)
  expect(await many(39, call)).toEqual(new Array(39).fill({ failure: null, bytes: 0 }))
})

test('pings are answered', async () => {
  let ponged: (error: Error | null) => void
  const pong = new Promise<Error | null>((resolve) => {
    ponged = resolve
  })
  const target = await http2((stream, _socket, turn) => {
    if (turn === 0) stream.session!.ping((error) => ponged(error))
    answerEmpty(stream)
  })
  const { call } = await open(target)
  await call()
  expect(await pong).toBeNull()
})

test('calls on a connection that is lost fail, and the next ones go over another', async () => {
  const target = await http2((stream, socket, turn) => {
    if (turn > 2) answerEmpty(stream)
    else if (turn === 2) socket.destroy()
  })
  const { call } = await open(target)
  const lost = await many(3, call)
  for (const { failure } of lost) expect(failure).toMatch(/^UNAVAILABLE: the connection was lost/)
  expect(await many(3, call)).toEqual(new Array(3).fill({ failure: null, bytes: 0 }))
})

test('a server that is going away ends what it has begun; calls that it has not seen are sent again elsewhere', async () => {
  const sessions = new Set<unknown>()
  const target = await http2((stream, _socket, turn) => {
    sessions.add(stream.session)
    // The last stream it has seen is the first.
    if (turn === 0) stream.session!.goaway(0, stream.id)
    answerEmpty(stream)
  })
  const { call } = await open(target)
  expect(await many(10, call)).toEqual(new Array(10).fill({ failure: null, bytes: 0 }))
  expect(await call()).toEqual({ failure: null, bytes: 0 })
  expect(sessions.size).toBe(2)
})

test('when the numbers of streams are used up, another connection is opened', async () => {
  const ids: number[] = []
  const sessions = new Set<unknown>()
  const target = await http2((stream) => {
    ids.push(stream.id!)
    sessions.add(stream.session)
    answerEmpty(stream)
  })
  const { call } = await open(target, { firstStreamId: STREAM_ID_MAX - 4 })
  expect(await many(6, call)).toEqual(new Array(6).fill({ failure: null, bytes: 0 }))
  expect(ids.sort((a, b) => a - b)).toEqual([1, 3, 5, STREAM_ID_MAX - 4, STREAM_ID_MAX - 2, STREAM_ID_MAX])
  expect(sessions.size).toBe(2)
})

test('a stream that the server resets is a failure of that call alone', async () => {
  const target = await http2((stream, _socket, turn) => {
    if (turn === 1) stream.close(2)
    else answerEmpty(stream)
  })
  const { call } = await open(target)
  expect((await many(3, call)).map(({ failure }) => failure)).toEqual([
    null,
    'UNAVAILABLE: the server reset the stream: INTERNAL_ERROR',
    null,
  ])
})

test('an answer before the request has been sent ends the call', async () => {
  const target = await http2((stream) => {
    stream.respond({ ':status': 200, 'grpc-status': '8', 'grpc-message': 'too large' }, { endStream: true })
  })
  const { call } = await open(target)
  const ended = await many(3, call, Buffer.alloc(2_000_000))
  expect(ended).toEqual(new Array(3).fill({ failure: 'RESOURCE_EXHAUSTED: too large', bytes: 0 }))
})

test('what is not HTTP/2 ends the connection with a reason', async () => {
  const garbage = await bare((socket, { type }) => {
    if (type === TYPE.HEADERS) socket.write(Buffer.alloc(100, 0xff))
  })
  const first = await open(garbage)
  expect((await first.call()).failure).toMatch(/^UNAVAILABLE: the connection was lost: a frame of 16777215 bytes/)
  const dynamic = await bare((socket, { type }) => {
    if (type === TYPE.HEADERS) socket.write(frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, Buffer.from([0xff, 0x20])))
  })
  const second = await open(dynamic)
  expect((await second.call()).failure).toMatch(/refers to entry 159 of a dynamic table/)
})

test('answers that come in one piece with others, or byte by byte, are told apart', async () => {
  const answerTo = (id: number) =>
    Buffer.concat([
      frame(TYPE.HEADERS, FLAG.END_HEADERS, id, encodeBlock([[':status', '200']])),
      frame(TYPE.DATA, 0, id, Buffer.from([0, 0, 0])),
      frame(TYPE.DATA, FLAG.PADDED, id, Buffer.concat([Buffer.from([4, 0, 3, 1]), Buffer.alloc(4)])),
      frame(TYPE.DATA, 0, id),
      frame(TYPE.DATA, 0, id, Buffer.from([2, 3])),
      frame(TYPE.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, id, encodeBlock([['grpc-status', '0']])),
    ])
  const answers = Buffer.concat([answerTo(1), answerTo(3), answerTo(5)])
  const isThird = ({ flags, id }: Frame) => id === 5 && (flags & FLAG.END_STREAM) !== 0
  const whole = await open(await bare((socket, found) => void (isThird(found) && socket.write(answers))))
  expect(await many(3, whole.call)).toEqual(new Array(3).fill({ failure: null, bytes: 3 }))
  const cut = await open(
    await bare((socket, found) => {
      socket.setNoDelay(true)
      if (isThird(found)) for (const byte of answers) socket.write(Buffer.from([byte]))
    }),
  )
  expect(await many(3, cut.call)).toEqual(new Array(3).fill({ failure: null, bytes: 3 }))
})

test('the windows of a server that keeps them small are minded to the byte', async () => {
  const window = 1000
  const received = new Map<number, number>()
  let isOver = false
  const refusal = encodeBlock([
    [':status', '200'],
    ['grpc-status', '9'],
  ])
  const target = await bare(
    (socket, { type, flags, id, bytes }) => {
      if (type !== TYPE.DATA) return
      const sum = (received.get(id) ?? 0) + bytes
      received.set(id, sum)
      if (sum > Math.ceil((sum - bytes + 1) / window) * window) isOver = true
      if (flags & FLAG.END_STREAM) {
        socket.write(frame(TYPE.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, id, refusal))
      } else if (sum % window === 0) {
        // A window is given back when the last one has been used up, and not before.
        socket.write(numberFrame(TYPE.WINDOW_UPDATE, id, window))
        socket.write(numberFrame(TYPE.WINDOW_UPDATE, 0, window))
      }
    },
    [[4, window]],
  )
  const { call } = await open(target)
  const ended = await many(4, call, Buffer.alloc(30_000))
  expect(ended).toEqual(new Array(4).fill({ failure: 'FAILED_PRECONDITION: ', bytes: 0 }))
  expect([...received.values()]).toEqual(new Array(4).fill(30_005))
  expect(isOver).toBe(false)
})

test('a server that is not there is told at the start, with its address', async () => {
  const target = await bare(() => {})
  for (const close of closers.splice(0).reverse()) await close()
  await expect(open(target)).rejects.toThrow(`${target}: UNAVAILABLE: the connection was lost: connect ECONNREFUSED`)
})
