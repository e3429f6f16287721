/** The HTTP/1.1 client of the load generator, against real servers, good and bad ones. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { type Http1Connection, type Http1Failure, openHttp1 } from '../../bench/load/http1-connection.mjs'

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

function client(address: string, connections = 1): Http1Connection {
  const opened = openHttp1(address, { connections })
  closers.push(() => opened.close())
  return opened
}

const httpServer = (listener: RequestListener): Promise<string> => listening(createServer(listener))

function answerOf(connection: Http1Connection, body: string, deadlineMs = 10_000): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    connection.send('/get', Buffer.from(body), { deadlineMs }, (error, answer) =>
      error ? reject(error) : resolve(answer!),
    )
  })
}

async function failureOf(connection: Http1Connection, deadlineMs?: number): Promise<Http1Failure> {
  const answered = await answerOf(connection, 'x', deadlineMs).then(
    (answer) => `answered: ${answer}`,
    (error) => error,
  )
  if (typeof answered === 'string') throw new Error(answered)
  return answered
}

const echo: RequestListener = async (request, response) => {
  const body = await buffer(request)
  // Two writes: the answer is chunked, and comes in pieces.
  response.write(`${request.method} ${request.url} ${request.headers['content-type']} `)
  response.end(body)
}

test('bodies arrive as they were, answers in pieces are put together, and connections are kept', async () => {
  const server = createServer(echo)
  let accepted = 0
  server.on('connection', () => accepted++)
  const connection = client(await listening(server), 2)
  for (let turn = 0; turn < 5; turn++) {
    const answers = await Promise.all(['a', 'b', 'c'].map((body) => answerOf(connection, body)))
    expect(answers.map(String)).toEqual(['a', 'b', 'c'].map((body) => `POST /get application/json ${body}`))
  }
  expect(accepted).toBe(2)
})

test('a status other than 200 is a failure with its text', async () => {
  const address = await httpServer((_request, response) => response.writeHead(503).end('the pot is empty'))
  const failure = await failureOf(client(address))
  expect(failure).toMatchObject({ what: 'HTTP 503', message: 'HTTP 503: the pot is empty' })
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
  const connection = client(await listening(server))
  expect((await failureOf(connection)).what).toMatch(/^UND_ERR|ECONN|HPE/)
  expect(String(await answerOf(connection, 'again'))).toBe('whole')
})

test('a request is given up at its deadline, under way or still waiting for a connection', async () => {
  const connection = client(await httpServer(() => {}))
  const failures = await Promise.all([failureOf(connection, 30), failureOf(connection, 30)])
  expect(failures.map(({ what }) => what)).toEqual(['deadline', 'deadline'])
})

test('a server that is not there is a failure', async () => {
  const server = createServer()
  const address = await listening(server)
  server.close()
  await once(server, 'close')
  expect((await failureOf(client(address))).what).toBe('ECONNREFUSED')
})
