import { once } from 'node:events'
import { status } from '@grpc/grpc-js'
import { afterEach, expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { WireError } from '../../src/lib/wire.ts'
import { collect, deferred, duplex, type Edge, failureOf, type Script, startEdge, unary } from './grpc-fixture.ts'

const GET = '/twinstore.v1.Serving/GetFeatures'
const STREAM = '/twinstore.v1.Serving/StreamFeatures'
const WRITE = '/twinstore.v1.Serving/WriteFeatures'
const INGEST = '/twinstore.v1.Serving/IngestFeatures'

let edge: Edge
async function start(script: Script): Promise<Edge> {
  edge = await startEdge(script)
  return edge
}
afterEach(() => edge.close())

test('bytes reach the service layer and come back untouched, answered synchronously or not', async () => {
  const hostile = Buffer.from([0xff, 0x00, 0x80, 0x01, 0xfe])
  await start({
    getFeatures: (request) => (request.length === 5 ? Buffer.from(request).reverse() : Promise.resolve(request)),
    writeFeatures: async (request) => request,
  })
  expect(await unary(edge.client, GET, hostile)).toEqual(Buffer.from(hostile).reverse())
  expect(await unary(edge.client, GET, Buffer.from('later'.repeat(2)))).toEqual(Buffer.from('laterlater'))
  expect(await unary(edge.client, WRITE, Buffer.alloc(0))).toEqual(Buffer.alloc(0))
})

test.each([
  ['INVALID_ARGUMENT', status.INVALID_ARGUMENT],
  ['NOT_FOUND', status.NOT_FOUND],
  ['ALREADY_EXISTS', status.ALREADY_EXISTS],
  ['FAILED_PRECONDITION', status.FAILED_PRECONDITION],
  ['RESOURCE_EXHAUSTED', status.RESOURCE_EXHAUSTED],
  ['DEADLINE_EXCEEDED', status.DEADLINE_EXCEEDED],
  ['CANCELLED', status.CANCELLED],
  ['ABORTED', status.ABORTED],
  ['UNAVAILABLE', status.UNAVAILABLE],
  ['DATA_LOSS', status.DATA_LOSS],
  ['INTERNAL', status.INTERNAL],
] as const)('%s is sent with its message and without its cause', async (code, expected) => {
  await start({
    getFeatures() {
      throw new TwinstoreError(code, 'view "x": what was wrong\nand where', { cause: new Error('secret') })
    },
    writeFeatures: () => Promise.reject(new TwinstoreError(code, 'späť')),
  })
  const thrown = await failureOf(unary(edge.client, GET, Buffer.alloc(0)))
  expect([thrown.code, thrown.details]).toEqual([expected, 'view "x": what was wrong\nand where'])
  const rejected = await failureOf(unary(edge.client, WRITE, Buffer.alloc(0)))
  expect([rejected.code, rejected.details]).toEqual([expected, 'späť'])
})

test('faults of operation are logged with their cause, mistakes of clients are not', async () => {
  const cause = new Error('disk on fire')
  await start({
    getFeatures() {
      throw cause
    },
    writeFeatures: () => Promise.reject(new TwinstoreError('INVALID_ARGUMENT', 'no')),
  })
  expect((await failureOf(unary(edge.client, GET, Buffer.alloc(0)))).code).toBe(status.INTERNAL)
  await failureOf(unary(edge.client, WRITE, Buffer.alloc(0)))
  expect(edge.logged.map(({ error, method }) => [error.cause, method])).toEqual([[cause, GET]])
})

test('bytes that are no message are INVALID_ARGUMENT', async () => {
  await start({
    getFeatures() {
      throw new WireError('truncated varint')
    },
  })
  const error = await failureOf(unary(edge.client, GET, Buffer.from([0xff])))
  expect(error.code).toBe(status.INVALID_ARGUMENT)
  expect(error.details).toContain('truncated varint')
})

test('a message beyond what a header carries is cut, and lone surrogates do not break the call', async () => {
  await start({
    getFeatures() {
      throw new TwinstoreError('INVALID_ARGUMENT', `\ud800 ${'ж'.repeat(100_000)}`)
    },
  })
  const error = await failureOf(unary(edge.client, GET, Buffer.alloc(0)))
  expect(error.code).toBe(status.INVALID_ARGUMENT)
  expect(error.details).toMatch(/^\ufffd ж+\.\.\.$/)
})

test('a message above the limit is RESOURCE_EXHAUSTED naming the option', async () => {
  await start({ getFeatures: (request) => request, limits: { messageBytesMax: 1000 } })
  expect(await unary(edge.client, GET, Buffer.alloc(1000))).toHaveLength(1000)
  const error = await failureOf(unary(edge.client, GET, Buffer.alloc(1001)))
  expect(error.code).toBe(status.RESOURCE_EXHAUSTED)
  expect(error.details).toMatch(/1001.* 1000 bytes, option grpc-message-bytes-max/)
})

test('a passed deadline aborts the work and is DEADLINE_EXCEEDED', async () => {
  const aborted = deferred<unknown>()
  await start({
    getFeatures: (_request, caller) =>
      new Promise((_, reject) => {
        caller!.signal.addEventListener('abort', () => {
          aborted.resolve(caller!.signal.reason)
          reject(caller!.signal.reason)
        })
      }),
  })
  const error = await failureOf(unary(edge.client, GET, Buffer.alloc(0), 100))
  expect(error.code).toBe(status.DEADLINE_EXCEEDED)
  expect(await aborted.promise).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
})

test('a cancelled call aborts the work with CANCELLED', async () => {
  const begun = deferred()
  const aborted = deferred<unknown>()
  await start({
    writeFeatures: (_request, signal) => {
      begun.resolve()
      return new Promise(() => signal!.addEventListener('abort', () => aborted.resolve(signal!.reason)))
    },
  })
  const call = edge.client.makeUnaryRequest(
    WRITE,
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes,
    Buffer.alloc(0),
    () => undefined,
  )
  await begun.promise
  call.cancel()
  expect(await aborted.promise).toMatchObject({ code: 'CANCELLED' })
})

test('the signal of a call that ended well stays quiet', async () => {
  const signals: AbortSignal[] = []
  await start({
    getFeatures: async (request, caller) => {
      signals.push(caller!.signal)
      return request
    },
  })
  await unary(edge.client, GET, Buffer.alloc(0))
  await edge.server.drain(10_000)
  expect(signals.map((signal) => signal.aborted)).toEqual([false])
})

test('StreamFeatures answers in request order whatever finishes first', async () => {
  const late = deferred<Buffer>()
  await start({
    getFeatures(request) {
      if (request[0] === 0) return late.promise
      if (request[0] === 3) late.resolve(Buffer.from('first'))
      return request
    },
  })
  const call = duplex(edge.client, STREAM)
  for (let index = 0; index < 10; index++) call.write(Buffer.from([index]))
  call.end()
  const answers = await collect(call as AsyncIterable<Buffer>)
  expect(answers.map((answer) => answer.toString('latin1'))).toEqual([
    'first',
    ...Array.from({ length: 9 }, (_, index) => String.fromCharCode(index + 1)),
  ])
})

test('StreamFeatures has at most the window under way', async () => {
  const waiting: ((answer: Buffer) => void)[] = []
  const full = deferred()
  let underWay = 0
  let mostUnderWay = 0
  await start({
    limits: { streamWindow: 4 },
    getFeatures: (request) => {
      mostUnderWay = Math.max(mostUnderWay, ++underWay)
      return new Promise<Buffer>((resolve) => {
        waiting.push(() => {
          underWay--
          resolve(request)
        })
        if (waiting.length === 4) full.resolve()
      })
    },
  })
  const call = duplex(edge.client, STREAM)
  for (let index = 0; index < 50; index++) call.write(Buffer.from([index]))
  call.end()
  await full.promise
  const received: number[] = []
  call.on('data', (answer: Buffer) => received.push(answer[0]!))
  const ended = once(call, 'end')
  // The newest waiting one is always let go first, so that order has to be restored all the time.
  const pump = setInterval(() => waiting.pop()?.(Buffer.alloc(0)), 0)
  await ended
  clearInterval(pump)
  expect(received).toEqual(Array.from({ length: 50 }, (_, index) => index))
  expect(mostUnderWay).toBe(4)
})

test('StreamFeatures takes no more requests while the client does not read', async () => {
  let served = 0
  const answer = Buffer.alloc(64 * 1024)
  await start({
    getFeatures: () => {
      served++
      return answer
    },
  })
  const call = duplex(edge.client, STREAM)
  call.pause()
  const total = 2000
  for (let index = 0; index < total; index++) call.write(Buffer.from([1]))
  call.end()
  // Other calls to the server go through and take turns with the stalled one.
  for (let index = 0; index < 50; index++) await unary(edge.client, GET, Buffer.alloc(0))
  // What the buffers of both ends and HTTP/2 windows hold depends on the version of Node: 9 to 14 MB of these 128 MB.
  expect(served - 50).toBeLessThan(total / 4)
  let received = 0
  for await (const _ of call) received++
  expect(received).toBe(total)
})

test('a fault in a stream ends it with its status after the answers before it', async () => {
  const aborted = deferred<boolean>()
  await start({
    getFeatures(request, caller) {
      if (request[0] === 2) throw new TwinstoreError('NOT_FOUND', 'unknown service "x"')
      if (request[0] === 0) return new Promise((resolve) => setImmediate(() => resolve(request)))
      if (request[0] === 3) caller!.signal.addEventListener('abort', () => aborted.resolve(true))
      return request
    },
  })
  const call = duplex(edge.client, STREAM)
  const received: number[] = []
  call.on('data', (answer: Buffer) => received.push(answer[0]!))
  for (let index = 0; index < 4; index++) call.write(Buffer.from([index]))
  const [error] = await once(call, 'error')
  expect([error.code, error.details]).toEqual([status.NOT_FOUND, 'unknown service "x"'])
  expect(received).toEqual([0, 1])
})

test('a cancelled stream aborts what is under way', async () => {
  const begun = deferred()
  const aborted = deferred<unknown>()
  await start({
    getFeatures: (_request, caller) => {
      begun.resolve()
      return new Promise(() => caller!.signal.addEventListener('abort', () => aborted.resolve(caller!.signal.reason)))
    },
  })
  const call = duplex(edge.client, STREAM)
  call.on('error', () => undefined)
  call.write(Buffer.from([1]))
  await begun.promise
  call.cancel()
  expect(await aborted.promise).toMatchObject({ code: 'CANCELLED' })
})

test('IngestFeatures writes one batch after the other and acknowledges in order', async () => {
  let underWay = 0
  const order: number[] = []
  await start({
    writeFeatures: async (request) => {
      expect(++underWay).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      order.push(request[0]!)
      underWay--
      return request
    },
  })
  const call = duplex(edge.client, INGEST)
  for (let index = 0; index < 20; index++) call.write(Buffer.from([index]))
  call.end()
  const acknowledged = (await collect(call as AsyncIterable<Buffer>)).map((answer) => answer[0])
  expect(acknowledged).toEqual(Array.from({ length: 20 }, (_, index) => index))
  expect(order).toEqual(acknowledged)
})

test('a faulty batch ends the ingest with its status; earlier batches stay acknowledged', async () => {
  const written: number[] = []
  await start({
    writeFeatures: async (request) => {
      if (request[0] === 2) throw new TwinstoreError('INVALID_ARGUMENT', 'rows[0].x: expected double')
      written.push(request[0]!)
      return request
    },
  })
  const call = duplex(edge.client, INGEST)
  const received: number[] = []
  call.on('data', (answer: Buffer) => received.push(answer[0]!))
  for (let index = 0; index < 4; index++) call.write(Buffer.from([index]))
  const [error] = await once(call, 'error')
  expect([error.code, error.details]).toEqual([status.INVALID_ARGUMENT, 'rows[0].x: expected double'])
  expect([received, written]).toEqual([
    [0, 1],
    [0, 1],
  ])
})
