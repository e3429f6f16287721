/** The HTTP edge itself, over scripted services: errors, deadlines, clients that leave or dawdle, limits, drain. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { ERROR_CODES, TwinstoreError } from '../../src/domain/errors.ts'
import { lengthField, varintField } from '../../src/lib/wire.ts'
import { until } from '../support/redis/until.mjs'
import { deferred } from './grpc-fixture.ts'
import { type HttpEdge, type HttpScript, startHttpEdge } from './http-edge-fixture.ts'
import { exchange, openSocket, post, rawPost, request } from './http-fixture.ts'

const SOON_MS = 20_000
const GET = '/v1/get-features'
const WRITE = '/v1/write-features'
const ASK = { features: ['gate_status:*'], entities: [{ gate: 1 }] }
const ROWS = { view: 'gate_status', rows: [{ gate: 1, closed: true }] }
const NO_ROWS = Buffer.alloc(0)

const edges: HttpEdge[] = []
afterEach(() => {
  for (const edge of edges.splice(0)) edge.close()
})

async function start(script: HttpScript): Promise<HttpEdge> {
  const edge = await startHttpEdge(script)
  edges.push(edge)
  return edge
}

test.each([
  ['INVALID_ARGUMENT', 400],
  ['NOT_FOUND', 404],
  ['ALREADY_EXISTS', 409],
  ['FAILED_PRECONDITION', 400],
  ['RESOURCE_EXHAUSTED', 429],
  ['DEADLINE_EXCEEDED', 504],
  ['CANCELLED', 499],
  ['ABORTED', 409],
  ['UNAVAILABLE', 503],
  ['DATA_LOSS', 500],
  ['INTERNAL', 500],
] as const)('%s is %i, and the cause is logged, not sent', async (code, status) => {
  const error = new TwinstoreError(code, 'this went wrong', {
    cause: new Error('a secret'),
    faults: [{ at: 'rows[0]', problem: 'so' }],
  })
  const edge = await start({
    getFeatures: () => {
      throw error
    },
    writeFeatures: () => Promise.reject(error),
  })
  for (const answer of [await post(edge.address, GET, ASK), await post(edge.address, WRITE, ROWS)]) {
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(answer.body).toEqual({
      error: { code, message: 'this went wrong', faults: [{ at: 'rows[0]', problem: 'so' }] },
    })
  }
  const isLogged = code === 'INTERNAL' || code === 'DATA_LOSS' || code === 'UNAVAILABLE'
  expect(edge.logged).toEqual(
    isLogged
      ? [
          { error, route: GET },
          { error, route: WRITE },
        ]
      : [],
  )
  await until('both are counted', SOON_MS, () => edge.ended.length === 2)
  expect(edge.ended).toEqual([
    { route: GET, status },
    { route: WRITE, status },
  ])
})

test('every code has a status', () => {
  expect(ERROR_CODES.length).toBe(11)
})

test('a fault of the program is INTERNAL, without its stack', async () => {
  const edge = await start({
    getFeatures: () => {
      throw new RangeError('out of range')
    },
  })
  const { status, body } = await post(edge.address, GET, ASK)
  expect([status, body]).toEqual([500, { error: { code: 'INTERNAL', message: 'internal error: out of range' } }])
  expect((edge.logged[0]!.error.cause as Error).stack).toContain('http-server.test.ts')
})

test('a long list of faults is cut, and says so', async () => {
  const faults = Array.from({ length: 250 }, (_, index) => ({ at: `rows[${index}]`, problem: 'x' }))
  const edge = await start({
    writeFeatures: () => Promise.reject(new TwinstoreError('INVALID_ARGUMENT', 'many', { faults })),
  })
  const { body } = await post(edge.address, WRITE, ROWS)
  expect([body.error.faults.length, body.error.faults_left_out]).toEqual([100, 150])
})

test('what is sent is the message that the service layer takes, and the layout is asked for once', async () => {
  const requests: Buffer[] = []
  const id = Buffer.from([0x09, 1, 2, 3, 4, 5, 6, 7, 8])
  const layout = lengthField(
    2,
    Buffer.concat([id, lengthField(2, Buffer.from('f')), lengthField(3, lengthField(1, Buffer.from('gate__closed')))]),
  )
  const vector = lengthField(3, lengthField(1, varintField(7, 1)))
  const edge = await start({
    getFeatures: (bytes) => {
      requests.push(bytes)
      return requests.length === 1 ? Buffer.concat([id, layout, vector]) : Buffer.concat([id, vector])
    },
  })
  for (let time = 0; time < 2; time++) {
    const { text } = await post(edge.address, GET, { ...ASK, consistency: 'FRESH' })
    expect(text).toBe(
      '{"fingerprint":"f","rows":[{"values":{"gate__closed":true},"statuses":{},"event_timestamps":{}}]}',
    )
  }
  const common = Buffer.concat([
    lengthField(2, lengthField(1, Buffer.from('gate_status:*'))),
    lengthField(
      3,
      Buffer.concat([lengthField(1, Buffer.from('gate')), lengthField(3, lengthField(1, Buffer.from([1])))]),
    ),
    varintField(4, 2),
  ])
  expect(requests).toEqual([common, Buffer.concat([common, Buffer.from([0x31, 1, 2, 3, 4, 5, 6, 7, 8])])])
})

test('views that are stale or from the history are named, as are their times and what is not PRESENT', async () => {
  const id = Buffer.from([0x09, 1, 1, 1, 1, 1, 1, 1, 1])
  const layout = Buffer.concat([
    id,
    ...['a"b', 'c'].map((name) => lengthField(3, lengthField(1, Buffer.from(name)))),
    ...['v', 'w'].map((name) => lengthField(4, Buffer.from(name))),
  ])
  const times = Buffer.alloc(16)
  times.writeBigInt64LE(-1n, 0)
  const vector = Buffer.concat([
    lengthField(1, varintField(3, 7)),
    lengthField(1, Buffer.alloc(0)),
    lengthField(2, Buffer.from([4, 3])),
    lengthField(3, times),
    lengthField(4, Buffer.from([0, 1])),
    varintField(5, 1),
  ])
  const edge = await start({
    getFeatures: async () => Buffer.concat([id, lengthField(2, layout), lengthField(3, vector)]),
  })
  expect((await post(edge.address, GET, ASK)).body.rows).toEqual([
    {
      values: { 'a"b': 7, c: null },
      statuses: { 'a"b': 'OUTSIDE_MAX_AGE', c: 'NOT_FOUND' },
      event_timestamps: { v: '1969-12-31T23:59:59.999999Z', w: null },
      stale_views: ['v', 'w'],
      history_views: ['w'],
    },
  ])
})

test('an answer of many slices is whole', async () => {
  const id = Buffer.from([0x09, 2, 2, 2, 2, 2, 2, 2, 2])
  const layout = Buffer.concat([id, lengthField(3, lengthField(1, Buffer.from('text')))])
  const text = 'é'.repeat(30_000)
  const vector = lengthField(3, lengthField(1, lengthField(2, Buffer.from(text))))
  const edge = await start({
    getFeatures: () => Buffer.concat([id, lengthField(2, layout), ...Array.from({ length: 60 }, () => vector)]),
    options: { answerBytesMax: 8 * 1024 * 1024 },
  })
  const { rows } = (await post(edge.address, GET, ASK)).body
  expect([rows.length, rows.every(({ values }: { values: { text: string } }) => values.text === text)]).toEqual([
    60,
    true,
  ])
})

test('the deadline of the header ends the work; a write gives up before it, so that it can say how far it was', async () => {
  const reasons: unknown[] = []
  const never = (signal?: AbortSignal) =>
    new Promise<Buffer>((_, reject) => {
      signal!.addEventListener('abort', () => {
        reasons.push((signal!.reason as TwinstoreError).code)
        reject(signal!.reason)
      })
    })
  const edge = await start({
    getFeatures: (_bytes, caller) => never(caller?.signal),
    writeFeatures: (_bytes, signal) => never(signal),
  })
  for (const [path, body] of [
    [GET, ASK],
    [WRITE, ROWS],
  ] as const) {
    const answer = await post(edge.address, path, body, { headers: { 'x-request-timeout-ms': '50' } })
    expect([answer.status, answer.body.error.code]).toEqual([504, 'DEADLINE_EXCEEDED'])
  }
  expect(reasons).toEqual(['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED'])
  for (const wrong of ['0', '-1', '1.5', '1s', '', '99999999999']) {
    const { status, body } = await post(edge.address, GET, ASK, { headers: { 'x-request-timeout-ms': wrong } })
    expect([status, body.error.message]).toEqual([
      400,
      `header X-Request-Timeout-Ms: expected a number of milliseconds from 1 to 86400000, got "${wrong}"`,
    ])
  }
})

test('a client that goes away cancels its request', async () => {
  const began = deferred<AbortSignal>()
  const edge = await start({
    getFeatures: (_bytes, caller) => {
      const signal = caller?.signal
      began.resolve(signal!)
      return new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)))
    },
  })
  const leave = new AbortController()
  const asking = post(edge.address, GET, ASK, { signal: leave.signal })
  const signal = await began.promise
  leave.abort()
  await expect(asking).rejects.toThrow()
  await until('the signal is aborted', SOON_MS, () => signal.aborted)
  expect((signal.reason as TwinstoreError).code).toBe('CANCELLED')
  await until('it is counted', SOON_MS, () => edge.ended.length === 1)
  expect(edge.ended).toEqual([{ route: GET, status: 499 }])
})

test('one that goes away in the middle of its body is counted, and no fault of the server', async () => {
  const edge = await start({})
  const socket = await openSocket(edge.address)
  socket.write(rawPost(GET, JSON.stringify(ASK)).slice(0, -3))
  // Answered after the head of the other has been read.
  await request(edge.address, '/livez')
  socket.destroy()
  await until('it is counted', SOON_MS, () => edge.ended.some(({ route }) => route === GET))
  expect(edge.ended.filter(({ route }) => route === GET)).toEqual([{ route: GET, status: 499 }])
  expect(edge.logged).toEqual([])
})

test('paths and methods that are not there are refused in JSON, with what is', async () => {
  const edge = await start({})
  const cases = [
    [
      request(edge.address, '/v1/get-feature'),
      404,
      'NOT_FOUND',
      'unknown path "/v1/get-feature"; did you mean /v1/get-features?',
    ],
    [request(edge.address, '/'), 404, 'NOT_FOUND', /^unknown path "\/"; there are \/v1\/get-features, .*\/livez$/],
    [request(edge.address, '/get-online-features', { method: 'POST' }), 404, 'NOT_FOUND', /unknown path/],
    [request(edge.address, GET), 405, 'INVALID_ARGUMENT', '/v1/get-features takes POST, not GET'],
    [
      request(edge.address, '/v1/describe', { method: 'DELETE' }),
      405,
      'INVALID_ARGUMENT',
      '/v1/describe takes GET or HEAD, not DELETE',
    ],
    [
      request(edge.address, '/v1/export-features', { method: 'PUT' }),
      405,
      'INVALID_ARGUMENT',
      '/v1/export-features takes GET or POST, not PUT',
    ],
    [request(edge.address, '/v1/%ff'), 400, 'INVALID_ARGUMENT', 'the path is not one: its percent-encoding is broken'],
    [
      post(edge.address, GET, '{}', { headers: { 'content-type': 'text/plain' } }),
      415,
      'INVALID_ARGUMENT',
      /^a body must be JSON, this one is "text\/plain"; send the header/,
    ],
    [
      post(edge.address, GET, '{}', { headers: { 'content-encoding': 'gzip' } }),
      415,
      'INVALID_ARGUMENT',
      'the body is encoded as "gzip"; send it as it is',
    ],
  ] as const
  for (const [answering, status, code, message] of cases) {
    const answer = await answering
    expect([answer.status, answer.body.error.code], answer.text).toEqual([status, code])
    if (typeof message === 'string') expect(answer.body.error.message).toBe(message)
    else expect(answer.body.error.message).toMatch(message)
  }
  expect((await request(edge.address, GET)).headers.get('allow')).toBe('POST')
  const head = await request(edge.address, GET, { method: 'HEAD' })
  expect([head.status, head.text]).toEqual([405, ''])
})

test('a body that is too large, a head that is too large and bytes that are no request are told so', async () => {
  const edge = await start({ limits: { bodyBytesMax: 2000, headBytesMax: 2048 } })
  const large = await post(edge.address, GET, ' '.repeat(2001))
  expect([large.status, large.body.error]).toEqual([
    413,
    {
      code: 'RESOURCE_EXHAUSTED',
      message: 'the body is larger than 2000 bytes (option http-body-bytes-max); send it in several requests',
    },
  ])
  const head = await exchange(edge.address, `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(3000)}\r\n\r\n`)
  expect(head).toMatch(
    /^HTTP\/1\.1 431 [\s\S]*the head of the request is larger than 2048 bytes \(option http-head-bytes-max\)/,
  )
  const garbage = await exchange(edge.address, '\u0000\u0001\u0002 no such protocol\r\n\r\n')
  expect(garbage).toMatch(
    /^HTTP\/1\.1 400 [\s\S]*"code":"INVALID_ARGUMENT","message":"the bytes are not an HTTP\/1.1 request"/,
  )
  const both = await exchange(
    edge.address,
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  )
  expect(both).toMatch(/^HTTP\/1\.1 400 /)
  expect((await request(edge.address, '/healthz')).status).toBe(200)
})

test('a chunked body is bounded as one whose length is known', async () => {
  const edge = await start({ limits: { bodyBytesMax: 2000 } })
  const chunk = `400\r\n${' '.repeat(1024)}\r\n`
  const head = `POST ${GET} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
  expect(await exchange(edge.address, head + chunk + chunk)).toMatch(/^HTTP\/1\.1 413 [\s\S]*http-body-bytes-max/)
})

test.each([
  ['a head', 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: '],
  ['a body', rawPost(GET, JSON.stringify(ASK)).slice(0, -3)],
])('%s that does not come to its end is given up', async (_what, bytes) => {
  const edge = await start({ limits: { headTimeoutMs: 100, requestTimeoutMs: 200 } })
  expect(await exchange(edge.address, bytes)).toMatch(
    /^HTTP\/1\.1 408 [\s\S]*option http-head-timeout[\s\S]*option http-request-timeout/,
  )
})

test('connections that another process hands over are served, bounded and drained like its own', async () => {
  let accept = (_connection: Duplex): void => {}
  const edge = await start({
    options: {
      connections: (take) => {
        accept = take
      },
    },
    limits: { headTimeoutMs: 100 },
  })
  const listener = createServer((connection) => accept(connection))
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const address = `127.0.0.1:${(listener.address() as AddressInfo).port}`
  expect((await request(address, '/readyz')).body).toEqual({ status: 'SERVING' })
  expect(await exchange(address, 'GET / HTTP/1.1\r\n')).toMatch(/^HTTP\/1\.1 408 /)
  expect(await edge.server.drain(SOON_MS)).toBe(true)
  const late = await openSocket(address)
  await once(late.resume(), 'close')
  listener.close()
})

test('a connection without a request is closed in time, and past the limit there are no more', async () => {
  const edge = await start({ limits: { keepAliveMs: 100, connectionsMax: 2 } })
  const sockets = [await openSocket(edge.address), await openSocket(edge.address)]
  const third = await openSocket(edge.address)
  await once(third.resume(), 'close')
  sockets[0]!.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(sockets[0]!.resume(), 'close')
  expect((await request(edge.address, '/healthz')).status).toBe(200)
  sockets[1]!.destroy()
})

/** More than the kernel's buffers of both ends take. */
const LARGE = Buffer.alloc(32 * 1024 * 1024, 'x').toString()

test('a reader that takes nothing of a large answer loses its connection', async () => {
  const edge = await start({ limits: { stallTimeoutMs: 200 }, status: async () => ({ version: LARGE }) as never })
  const socket = await openSocket(edge.address)
  socket.pause()
  socket.write('GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n')
  await until('it is given up', SOON_MS, () => edge.ended.length === 1)
  expect(edge.ended).toEqual([{ route: '/v1/status', status: 499 }])
  socket.destroy()
})

test('one that takes its time, but takes, gets it all', async () => {
  const edge = await start({ limits: { stallTimeoutMs: 1000 }, status: async () => ({ version: LARGE }) as never })
  const { body } = await request(edge.address, '/v1/status')
  expect(body.version.length).toBe(LARGE.length)
})

test('a drain finishes what is under way, refuses what comes, and says NOT_SERVING', async () => {
  const began = deferred()
  const answer = deferred<Buffer>()
  const edge = await start({
    getFeatures: () => {
      began.resolve()
      return answer.promise
    },
  })
  expect((await request(edge.address, '/readyz')).body).toEqual({ status: 'SERVING' })
  const waiting = await openSocket(edge.address)
  // Pipelined: these come while the first is under way, and are answered after it.
  const later = 'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n'
  let text = ''
  waiting.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  waiting.write(rawPost(GET, JSON.stringify(ASK)))
  await began.promise
  const idle = await openSocket(edge.address)
  const idleClosed = once(idle.resume(), 'close')
  const drained = edge.server.drain(SOON_MS)
  await idleClosed
  waiting.write(later + rawPost(GET, JSON.stringify(ASK)))
  await expect(openSocket(edge.address)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  answer.resolve(NO_ROWS)
  await once(waiting, 'close')
  expect(await drained).toBe(true)
  expect(text).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*[Cc]onnection: close[\s\S]*"rows":\[\]\}\n$/)
})

test('a request that comes during a drain is UNAVAILABLE, and health says why', async () => {
  const began = deferred()
  const answer = deferred<Buffer>()
  const edge = await start({
    getFeatures: () => {
      began.resolve()
      return answer.promise
    },
  })
  const [asking, health, live, late] = [
    await openSocket(edge.address),
    await openSocket(edge.address),
    await openSocket(edge.address),
    await openSocket(edge.address),
  ]
  asking.write(rawPost(GET, JSON.stringify(ASK)))
  // The others have sent a part of a request when the drain begins, so that they are not idle.
  for (const [socket, path] of [
    [health, '/healthz'],
    [live, '/livez'],
    [late, '/v1/describe'],
  ] as const) {
    socket.write(`GET ${path} HTTP/1.1\r\n`)
  }
  await began.promise
  await request(edge.address, '/livez')
  const drained = edge.server.drain(SOON_MS)
  const answers = await Promise.all([health, live, late].map(finished))
  expect(answers[0]).toMatch(/^HTTP\/1\.1 503 [\s\S]*\{"status":"NOT_SERVING"\}\n$/)
  expect(answers[1]).toMatch(/^HTTP\/1\.1 200 [\s\S]*\{"status":"ALIVE"\}\n$/)
  expect(answers[2]).toMatch(/^HTTP\/1\.1 503 [\s\S]*"code":"UNAVAILABLE","message":"the server is stopping/)
  answer.resolve(NO_ROWS)
  expect(await drained).toBe(true)
})

/** Ends the head of a request that was begun, and reads its answer to the end of the connection. */
async function finished(socket: Awaited<ReturnType<typeof openSocket>>): Promise<string> {
  let text = ''
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  socket.write('Host: x\r\n\r\n')
  await once(socket, 'close')
  return text
}

test('what does not end in time is cut', async () => {
  const began = deferred()
  const edge = await start({
    getFeatures: () => {
      began.resolve()
      return new Promise(() => {})
    },
  })
  const asking = post(edge.address, GET, ASK)
  asking.catch(() => undefined)
  await began.promise
  expect(await edge.server.drain(50)).toBe(false)
  await expect(asking).rejects.toThrow()
})

test('an address in use is a clear refusal', async () => {
  const { address } = await start({})
  await expect(startHttpEdge({ options: { address } })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: `the HTTP address ${address} is in use: stop the process that listens there or choose another address (option http)`,
  })
})
