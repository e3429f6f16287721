/**
 * Header blocks against Node's own HTTP/2 (nghttp2), in both directions: what its encoder makes of random lists our decoder must read,
 * and what ours makes its decoder. Many connections, so that tables fill, evict and change size in many ways.
 */
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Http2Connection } from '../../src/http2/connection.ts'
import { encodeHeaders } from '../../src/http2/hpack/header-encoder.ts'
import { serveSocket } from '../../src/http2/socket-shell.ts'
import { AnswerBuffers } from '../../src/lib/answer-buffers.ts'

const LISTS = 100_000
const CONNECTIONS = 20
const AT_ONCE = 100
const SEED = Number(process.env['TWINSTORE_HEADERS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const TABLE_SIZES = [0, 64, 256, 4096, 65_536]

let port: number
/** The list of each request, by the number it carries. */
const received = new Map<number, readonly string[]>()
const answers = new Map<number, readonly string[]>()

const server = createServer((socket) => {
  const connection: Http2Connection = new Http2Connection(
    {
      resetsBurst: 1000,
      resetsPerSecond: 1000,
      emptyFramesBurst: 10_000,
      emptyFramesPerSecond: 10_000,
      blockBytesMax: 65_536,
      continuationsMax: 8,
      streamsMax: 1000,
      headerListBytesMax: 65_536,
      streamWindowBytes: 65_535,
      connectionWindowBytes: 1 << 20,
      outputBytesMax: 1 << 18,
      queuedBytesMax: 1 << 24,
      times: {
        handshakeMs: 10_000,
        frameMs: 10_000,
        stallMs: 60_000,
        keepaliveMs: 60_000,
        keepaliveTimeoutMs: 60_000,
        idleMs: 600_000,
        ageMs: 600_000,
        graceMs: 3000,
      },
    },
    {
      opened(stream, { fields }) {
        const number = Number(fields[fields.indexOf('number') + 1])
        received.set(number, fields)
        connection.sender.headers(stream, encodeHeaders([':status', '200', ...answers.get(number)!]), true)
        connection.workEnded(stream)
      },
      data: () => undefined,
      ended: () => undefined,
      aborted: () => undefined,
      drained: () => undefined,
    },
    new AnswerBuffers(2 ** 20),
    performance.now(),
  )
  serveSocket(socket, connection, { now: () => performance.now(), onClosed: () => undefined })
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

function randomName(): string {
  if (random(2) === 0) return WORDS[random(WORDS.length)]!
  return `x-${Array.from({ length: 1 + random(12) }, () => NAME[random(NAME.length)]).join('')}`
}

function randomValue(): string {
  if (random(3) === 0) return String(random(40))
  const characters = Array.from({ length: random(random(20) === 0 ? 600 : 40) }, () =>
    String.fromCharCode(random(8) === 0 ? 0xa1 + random(0x5e) : 0x21 + random(0x5e)),
  )
  return characters.join('')
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
  const fields = randomFields()
  const answer = randomFields()
  answers.set(number, answer)
  const isSecret = random(10) === 0
  const sent = {
    ':method': 'POST',
    ':path': `/${random(5)}`,
    ...asObject(fields),
    number: String(number),
    ...(isSecret ? { [constants.HTTP2_HEADER_AUTHORIZATION]: 'secret', secret: 'x' } : {}),
  }
  const stream = session.request(sent, { endStream: true })
  const [headers] = await new Promise<[IncomingHttpHeaders]>((resolve, reject) => {
    stream.on('response', (...all) => resolve(all as unknown as [IncomingHttpHeaders]))
    stream.on('error', reject)
    stream.resume()
  })
  const got = asObject(received.get(number)!)
  received.delete(number)
  answers.delete(number)
  const { ':scheme': scheme, ':authority': authority, ...rest } = got
  const expected = Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, String(value)]))
  if (scheme !== 'http' || authority === undefined || !isSame(rest, expected)) expect(rest).toEqual(expected)
  const { ':status': status, ...back } = headers as Record<string, string>
  if (String(status) !== '200' || !isSame(back, asObject(answer))) expect(back).toEqual(asObject(answer))
}

/** `expect` costs more than a request does. */
function isSame(a: Record<string, string>, b: Record<string, string>): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}

test(`${LISTS} random lists each way say the same to Node's HTTP/2 (seed ${SEED})`, { timeout: 180_000 }, async () => {
  let number = 0
  for (let each = 0; each < CONNECTIONS; each++) {
    const session = connect(`http://127.0.0.1:${port}`, {
      maxDeflateDynamicTableSize: TABLE_SIZES[each % TABLE_SIZES.length],
      settings: { headerTableSize: TABLE_SIZES[(each + 2) % TABLE_SIZES.length] },
    })
    const mine = LISTS / CONNECTIONS
    const lane = async (): Promise<void> => {
      while (number < (each + 1) * mine) await ask(session, number++)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    session.close()
  }
  expect(number).toBeGreaterThanOrEqual(LISTS)
  expect(received.size).toBe(0)
})
