/**
 * Header blocks against Node's own HTTP/2 (nghttp2), in both directions: what its encoder makes of random lists our decoder must read,
 * and what ours makes its decoder. Many connections, so that tables fill, evict and change size in many ways.
 *
 * A stream of Node's costs more than its lists do. So most lists are informational answers, of which a stream may have any number: ours
 * to its client, and those of its server, whose encoder is its client's, to a decoder of ours.
 */
import { type ClientHttp2Session, connect, createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Http2Connection } from '../../src/http2/connection.ts'
import { FrameReader } from '../../src/http2/frame-reader.ts'
import { HeaderDecoder } from '../../src/http2/hpack/header-decoder.ts'
import { encodeHeaders } from '../../src/http2/hpack/header-encoder.ts'
import { FLAG, FRAME, PREFACE, SETTING } from '../../src/http2/protocol.ts'
import { serveSocket } from '../../src/http2/socket-shell.ts'
import { settingsFrame } from '../support/hostile-peer.ts'
import { frame } from '../support/http2-frames.ts'
import { HTTP2_LIMITS, sharedMemory } from '../support/http2-limits.ts'

const LISTS = 100_000
const CONNECTIONS = 20
/** Whole requests; each has so many lists of answers. */
const REQUESTS = 10_000
const ANSWERS = LISTS / REQUESTS
const AT_ONCE = 100
const SEED = Number(process.env['TWINSTORE_HEADERS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const TABLE_SIZES = [0, 64, 256, 4096, 65_536]

/** So that nothing but the lists decides what becomes of a connection. */
const LIMITS = {
  ...HTTP2_LIMITS,
  resetsBurst: 1000,
  emptyFramesBurst: 10_000,
  emptyFramesPerSecond: 10_000,
  blockBytesMax: 65_536,
  streamsMax: 1000,
  headerListBytesMax: 65_536,
  queuedBytesMax: 1 << 24,
  times: { ...HTTP2_LIMITS.times, handshakeMs: 10_000, frameMs: 10_000, stallMs: 60_000, keepaliveMs: 60_000 },
}

let port: number
/** The list of each request, by the number it carries. */
const received = new Map<number, readonly string[]>()
const answers = new Map<number, readonly (readonly string[])[]>()

const server = createServer((socket) => {
  const connection: Http2Connection = new Http2Connection(
    LIMITS,
    {
      opened(stream, { fields }) {
        const number = Number(fields[fields.indexOf('number') + 1])
        received.set(number, fields)
        for (const [index, answer] of answers.get(number)!.entries()) {
          const isLast = index === ANSWERS - 1
          connection.sender.headers(stream, encodeHeaders([':status', isLast ? '200' : '103', ...answer]), isLast)
        }
        connection.workEnded(stream)
      },
      data: () => undefined,
      ended: () => undefined,
      aborted: () => undefined,
      received: () => undefined,
      drained: () => undefined,
    },
    sharedMemory(),
    performance.now(),
  )
  serveSocket(socket, connection, { now: () => performance.now(), turnMsMax: 5, onClosed: () => undefined })
})

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})

afterAll(() => {
  server.close()
})

let state = SEED | 1
function random(below: number): number {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % below
}

const NAME = 'abcdefghijklmnopqrstuvwxyz0123456789-_.'
const WORDS = ['grpc-timeout', 'user-agent', 'x-request-id', 'authorization', 'trace-bin', 'accept', 'x', 'etag', 'via']

/** Names and values are cut out of these: drawing each character would take longer than everything that is tested. */
const NAMES = Array.from({ length: 20_000 }, () => NAME[random(NAME.length)]).join('')
const VALUES = Array.from({ length: 50_000 }, () =>
  String.fromCharCode(random(8) === 0 ? 0xa1 + random(0x5e) : 0x21 + random(0x5e)),
).join('')

function cut(from: string, length: number): string {
  const at = random(from.length - length)
  return from.slice(at, at + length)
}

function randomName(): string {
  return random(2) === 0 ? WORDS[random(WORDS.length)]! : `x-${cut(NAMES, 1 + random(12))}`
}

function randomValue(): string {
  if (random(3) === 0) return String(random(40))
  return cut(VALUES, random(random(20) === 0 ? 600 : 40))
}

/** Names occur once: Node joins the values of a name, or takes some names once only. */
function randomFields(): string[] {
  const fields = new Map<string, string>()
  for (let count = random(12); count > 0; count--) fields.set(randomName(), randomValue())
  return [...fields].flat()
}

function asObject(fields: readonly string[]): Record<string, string> {
  const object: Record<string, string> = {}
  for (let index = 0; index < fields.length; index += 2) object[fields[index]!] = fields[index + 1]!
  return object
}

async function ask(session: ClientHttp2Session, number: number): Promise<void> {
  const sent = { ':method': 'POST', ':path': `/${random(5)}`, ...asObject(randomFields()), number: String(number) }
  answers.set(
    number,
    Array.from({ length: ANSWERS }, () => randomFields()),
  )
  const stream = session.request(sent, { endStream: true })
  const got: Record<string, unknown>[] = []
  stream.on('headers', (headers) => got.push(headers))
  await new Promise<void>((resolve, reject) => {
    stream.on('response', (headers) => resolve(void got.push(headers)))
    stream.on('error', reject)
    stream.resume()
  })
  const { ':scheme': scheme, ':authority': authority, ...rest } = asObject(received.get(number)!)
  if (scheme !== 'http' || authority === undefined) throw new Error(`scheme ${scheme}, authority ${authority}`)
  expectSame(rest, sent)
  expect(got.length).toBe(ANSWERS)
  for (const [index, { ':status': status, ...back }] of got.entries()) {
    if (status !== (index === ANSWERS - 1 ? 200 : 103)) throw new Error(`status ${status}`)
    expectSame(back as Record<string, string>, asObject(answers.get(number)![index]!))
  }
  received.delete(number)
  answers.delete(number)
}

function expectSame(got: Record<string, string>, expected: Record<string, string>): void {
  if (!isSame(got, expected)) expect(got).toEqual(expected)
}

/** `expect` costs more than a request does. */
function isSame(a: Record<string, string>, b: Record<string, string>): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}

test(`${REQUESTS} requests and ${LISTS} lists of answers say the same to Node (seed ${SEED})`, async () => {
  let number = 0
  for (let each = 0; each < CONNECTIONS; each++) {
    const session = connect(`http://127.0.0.1:${port}`, {
      maxDeflateDynamicTableSize: TABLE_SIZES[each % TABLE_SIZES.length],
      settings: { headerTableSize: TABLE_SIZES[(each + 2) % TABLE_SIZES.length] },
    })
    const mine = REQUESTS / CONNECTIONS
    const lane = async (): Promise<void> => {
      while (number < (each + 1) * mine) await ask(session, number++)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    session.close()
  }
  expect(number).toBeGreaterThanOrEqual(REQUESTS)
  expect(received.size).toBe(0)
})

test(`${LISTS} lists of Node's encoder are read as they were (seed ${SEED})`, async () => {
  const mine = LISTS / CONNECTIONS
  let read = 0
  for (const each of Array.from({ length: CONNECTIONS }).keys()) {
    const maxDeflateDynamicTableSize = TABLE_SIZES[each % TABLE_SIZES.length]
    const sent: string[][] = []
    const node = createHttp2Server({ maxDeflateDynamicTableSize })
    node.on('stream', (stream) => void sendLists(stream, sent, mine))
    await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve))
    const socket = connectSocket((node.address() as AddressInfo).port, '127.0.0.1')
    await readLists(socket, TABLE_SIZES[(each + 2) % TABLE_SIZES.length]!, (fields) => {
      const [, status, ...rest] = fields
      if (status !== '103') return status === '200'
      expectSame(asObject(rest), asObject(sent[read++ % mine]!))
      return false
    })
    socket.destroy()
    node.close()
  }
  expect(read).toBe(LISTS)
})

async function sendLists(stream: ServerHttp2Stream, sent: string[][], count: number): Promise<void> {
  while (sent.length < count) {
    const fields = randomFields()
    sent.push(fields)
    stream.additionalHeaders({ ':status': 103, ...asObject(fields) })
    if (sent.length % AT_ONCE === 0) await new Promise(setImmediate)
  }
  stream.respond({ ':status': 200 }, { endStream: true })
}

/** Asks for one stream, and reads its header blocks until one is the last. */
function readLists(
  socket: Socket,
  tableBytesMax: number,
  isLast: (fields: readonly string[]) => boolean,
): Promise<void> {
  const decoder = new HeaderDecoder({ tableBytesMax, listBytesMax: 65_536 })
  let parts: Buffer[] = []
  return new Promise((resolve, reject) => {
    const reader = new FrameReader(16_384, {
      frame(type, flags, _stream, bytes, from, to) {
        if (type !== FRAME.headers && type !== FRAME.continuation) return
        parts.push(Buffer.from(bytes.subarray(from, to)))
        if ((flags & FLAG.endHeaders) === 0) return
        const block = Buffer.concat(parts)
        parts = []
        if (isLast(decoder.decode(block, 0, block.length).fields)) resolve()
      },
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection was closed before the last list')))
    socket.on('data', (chunk) => {
      try {
        reader.receive(chunk)
      } catch (error) {
        reject(error)
      }
    })
    const request = encodeHeaders([':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'a'])
    socket.write(
      Buffer.concat([
        PREFACE,
        settingsFrame(SETTING.headerTableSize, tableBytesMax),
        frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, request),
      ]),
    )
  })
}
