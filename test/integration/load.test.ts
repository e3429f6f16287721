/** The load generator, a process of its own, against a real grpc-js server: every pace, client and order, and what it counts. */
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Load, type Settings, startLoad, withoutFailures } from '../../bench/load/load.mjs'

const ANSWER_BYTES = 2000
const REQUESTS = 10

const closers: (() => unknown)[] = []
const server = new Server()
const seen = new Map<number, number>()
let target: string
let load: Load

const asIs = (bytes: Buffer) => bytes
const method = (path: string) => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
})

beforeAll(async () => {
  const service = { Echo: method('/test.Load/Echo'), Refuse: method('/test.Load/Refuse') } as unknown
  const handlers: unknown = {
    Echo(call: { request: Buffer }, reply: (error: null, answer: Buffer) => void) {
      const first = call.request[0]!
      seen.set(first, (seen.get(first) ?? 0) + 1)
      reply(null, Buffer.alloc(ANSWER_BYTES, first))
    },
    Refuse: (_call: unknown, reply: (error: { code: number; details: string }) => void) =>
      reply({ code: 5, details: 'no such thing: é' }),
  }
  server.addService(service as ServiceDefinition, handlers as UntypedServiceImplementation)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    )
  })
  target = `127.0.0.1:${port}`
  load = await startLoad((close) => closers.push(close))
  await load.prepare(
    'numbered',
    Array.from({ length: REQUESTS }, (_, index) => Buffer.alloc(40, index)),
  )
})

afterAll(async () => {
  for (const close of closers.reverse()) await close()
  server.forceShutdown()
})

function settings(more: Partial<Settings> = {}): Settings {
  return {
    target,
    path: '/test.Load/Echo',
    requests: 'numbered',
    order: { kind: 'inTurn' },
    pace: { kind: 'closed', inFlight: 4 },
    seconds: 0.2,
    answerBytesMin: ANSWER_BYTES,
    ...more,
  }
}

test.each(['lean', 'grpc-js', 'node-http2'] as const)(
  '%s: every call reaches the server and is counted',
  async (client) => {
    seen.clear()
    const result = withoutFailures(await load.run(settings({ client })))
    const served = [...seen.values()].reduce((sum, count) => sum + count, 0)
    expect(result.calls).toBe(served)
    expect(result.completed).toBe(served)
    expect(result.intended.totalCount).toBe(served)
    expect(result.answerBytes).toBe(served * ANSWER_BYTES)
    expect(seen.size).toBe(Math.min(REQUESTS, served))
    expect(result.cpuSeconds).toBeGreaterThan(0)
  },
)

test.each(['lean', 'grpc-js', 'node-http2'] as const)('%s: a status other than OK is a failure', async (client) => {
  const result = await load.run(settings({ client, path: '/test.Load/Refuse', seconds: 0.05 }))
  expect(result.completed).toBe(0)
  expect(Object.values(result.failures)).toEqual([result.calls])
  expect(() => withoutFailures(result)).toThrow('calls failed')
})
