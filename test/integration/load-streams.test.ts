/** The load generator's streams against a real grpc-js server: calls that are messages of one stream, streamed answers, and lanes. */
import {
  Server,
  type ServerDuplexStream,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Load, type Settings, startLoad, withoutFailures } from '../../bench/load/load.mjs'
import { boundPort } from '../support/grpc-js-port.ts'

const ANSWER_BYTES = 3000
const PARTS = 5
const REQUESTS = 10
/** More than the window of a stream has room for. */
const LARGE_BYTES = 200_000

const closers: (() => unknown)[] = []
const server = new Server()
let conversations = 0
let said: number[] = []
let target: string
let load: Load

const asIs = (bytes: Buffer) => bytes
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Load/${name}`,
  requestStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
})

type Bytes = Buffer<ArrayBufferLike>

beforeAll(async () => {
  const service: unknown = {
    Echo: method('Echo', false, false),
    Many: method('Many', false, true),
    Broken: method('Broken', false, true),
    Talk: method('Talk', true, true),
    Leave: method('Leave', true, true),
  }
  const handlers: unknown = {
    Echo: (_call: unknown, reply: (error: null, answer: Buffer) => void) => reply(null, Buffer.alloc(ANSWER_BYTES)),
    Many(call: ServerWritableStream<Bytes, Bytes>) {
      for (let part = 0; part < PARTS; part++) call.write(Buffer.alloc(ANSWER_BYTES))
      call.end()
    },
    Broken(call: ServerWritableStream<Bytes, Bytes>) {
      call.write(Buffer.alloc(ANSWER_BYTES))
      call.emit('error', { code: 15, details: 'the rest is lost' })
    },
    Talk(call: ServerDuplexStream<Bytes, Bytes>) {
      conversations++
      call.on('data', (message: Buffer) => {
        said.push(message[0]!)
        call.write(Buffer.alloc(ANSWER_BYTES, message[0]))
      })
    },
    Leave: (call: ServerDuplexStream<Bytes, Bytes>) => call.once('data', () => call.end()),
  }
  server.addService(service as ServiceDefinition, handlers as UntypedServiceImplementation)
  const port = await boundPort(server)
  target = `127.0.0.1:${port}`
  load = await startLoad((close) => closers.push(close))
  const numbered = (bytes: number) => Array.from({ length: REQUESTS }, (_, index) => Buffer.alloc(bytes, index))
  await load.prepare('small', numbered(40))
  await load.prepare('large', numbered(LARGE_BYTES))
})

afterAll(async () => {
  for (const close of closers.reverse()) await close()
  server.forceShutdown()
})

function settings(more: Partial<Settings> = {}): Settings {
  return { target, requests: 'small', pace: { kind: 'closed', inFlight: 4 }, seconds: 0.1, ...more }
}

test.each(['small', 'large'])(
  '%s calls are messages of one stream for each connection, in their order',
  async (requests) => {
    said = []
    conversations = 0
    const talk = { client: 'stream', path: '/test.Load/Talk', answerBytesMin: ANSWER_BYTES } as const
    const result = withoutFailures(await load.run(settings({ ...talk, requests })))
    expect(conversations).toBe(1)
    expect(result.calls).toBe(said.length)
    expect(result.completed).toBe(said.length)
    expect(result.answerBytes).toBe(said.length * ANSWER_BYTES)
    expect(said).toEqual(said.map((_, index) => index % REQUESTS))
    withoutFailures(await load.run(settings({ ...talk, requests, connections: 3 })))
    expect(conversations).toBe(4)
  },
)

test('a stream that the server ends fails what waits on it, and what comes after', async () => {
  const pace = { kind: 'open', perSecond: 200, arrivals: 'constant', seed: 1 } as const
  const result = await load.run(settings({ client: 'stream', path: '/test.Load/Leave', pace }))
  expect(result.calls).toBe(20)
  expect(result.failures).toEqual({ 'UNAVAILABLE: the server ended the stream': 20 })
})

test('a streamed answer is any number of messages, and over with its status', async () => {
  const many = settings({ path: '/test.Load/Many', isStreamed: true, answerBytesMin: PARTS * ANSWER_BYTES })
  const result = withoutFailures(await load.run(many))
  expect(result.answerBytes).toBe(result.calls * PARTS * ANSWER_BYTES)
  const unary = await load.run({ ...many, isStreamed: false })
  expect(unary.failures).toEqual({ [`INTERNAL: an answer of ${PARTS} messages`]: unary.calls })
  const broken = await load.run({ ...many, path: '/test.Load/Broken' })
  expect(broken.failures).toEqual({ 'DATA_LOSS: the rest is lost': broken.calls })
  await expect(load.run({ ...many, client: 'grpc-js' })).rejects.toThrow('streamed answers are for the client lean')
})

test('a kind in lanes goes on beside the pace of the others, and is counted apart', async () => {
  const { requests: _, ...others } = settings({
    pace: { kind: 'open', perSecond: 1000, arrivals: 'constant', seed: 1 },
  })
  const result = withoutFailures(
    await load.run({
      ...others,
      mix: [
        { name: 'call', path: '/test.Load/Echo', requests: 'small', share: 1, answerBytesMin: ANSWER_BYTES },
        { name: 'stream', path: '/test.Load/Many', requests: 'small', isStreamed: true, lanes: 2 },
      ],
    }),
  )
  expect(result.byName!['call']!.completed).toBe(100)
  expect(result.byName!['stream']!.completed).toBe(result.calls - 100)
  expect(result.calls).toBeGreaterThan(102)
})
