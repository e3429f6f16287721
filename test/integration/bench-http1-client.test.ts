/** The HTTP/1.1 client of the load generator, against real servers, good and bad ones. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { type Http1Call, openHttp1Client } from '../../bench/load/http1-client.mjs'

interface Ended {
  readonly failure: string | null
  readonly answerBytes: number
}

interface Call extends Http1Call {
  readonly ended: (end: Ended) => void
}

/** Resolves to how the POST of a body ended. */
type Post = (body: string) => Promise<Ended>

const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function listening(server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const httpServer = (listener: RequestListener): Promise<string> => listening(createServer(listener))

function openClient(target: string, { connections = 1, deadlineMs = 10_000 } = {}): Post {
  const client = openHttp1Client<Call>({
    target,
    connections,
    deadlineMs,
    onDone: ({ ended }, failure, answerBytes) => ended({ failure, answerBytes }),
  })
  closers.push(() => client.close())
  const request = client.method('/get')
  return (body) =>
    new Promise((ended) => {
      const call: Call = { request: request(Buffer.from(body)), ended }
      client.send(call)
    })
}

test('bodies arrive as they were, answers in pieces are counted whole, and connections are kept', async () => {
  const seen: string[] = []
  const server = createServer(async (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['content-type']} ${await buffer(request)}`)
    // Two writes: the answer is chunked, and comes in pieces.
    response.write('one')
    response.end('three')
  })
  let accepted = 0
  server.on('connection', () => accepted++)
  const post = openClient(await listening(server), { connections: 2 })
  for (let turn = 0; turn < 5; turn++) {
    const ends = await Promise.all(['a', 'b', 'c'].map(post))
    expect(ends).toEqual(Array(3).fill({ failure: null, answerBytes: 8 }))
  }
  expect(seen.sort()).toEqual(
    ['a', 'b', 'c'].flatMap((body) => Array<string>(5).fill(`POST /get application/json ${body}`)),
  )
  expect(accepted).toBe(2)
})

test('a status other than 200 is a failure with its text', async () => {
  const post = openClient(await httpServer((_request, response) => response.writeHead(503).end('the pot is empty')))
  expect((await post('x')).failure).toBe('HTTP 503: the pot is empty')
})

test('a connection that closes in the middle of an answer is a failure, and the next request gets a new one', async () => {
  let requests = 0
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      if (requests++ === 0) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf')
      else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole')
    })
  })
  const post = openClient(await listening(server))
  expect((await post('x')).failure).toMatch(/^(UND_ERR|ECONN|HPE)\w*: /)
  expect(await post('again')).toEqual({ failure: null, answerBytes: 5 })
})

test('a request is given up at its deadline, under way or still waiting for a connection', async () => {
  const post = openClient(await httpServer(() => {}), { deadlineMs: 30 })
  const late = { failure: 'deadline: no answer within 30 ms', answerBytes: 0 }
  expect(await Promise.all([post('under way'), post('waiting')])).toEqual([late, late])
})

test('a server that is not there is a failure', async () => {
  const server = createServer()
  const target = await listening(server)
  server.close()
  await once(server, 'close')
  expect((await openClient(target)('x')).failure).toMatch(/^ECONNREFUSED: /)
})
