/** The load generator, a process of its own, against a real grpc-js server: every pace, client and order, and what it counts. */
import { Server, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Load, type Settings, startLoad, withoutFailures } from '../../bench/load/load.mjs'
import { boundPort } from '../support/grpc-js-port.ts'

const ANSWER_BYTES = 2000
const REQUESTS = 10

const STALL_MS = 300

const closers: (() => unknown)[] = []
const server = new Server()
const seen = new Map<number, number>()
let stalls = 0
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
  const methods = ['Echo', 'Stall', 'Refuse'].map((name) => [name, method(`/test.Load/${name}`)])
  const service: unknown = Object.fromEntries(methods)
  const handlers: unknown = {
    Echo(call: { request: Buffer }, reply: (error: null, answer: Buffer) => void) {
      const first = call.request[0]!
      seen.set(first, (seen.get(first) ?? 0) + 1)
      reply(null, Buffer.alloc(ANSWER_BYTES, first))
    },
    Stall(call: { request: Buffer }, reply: (error: null, answer: Buffer) => void) {
      if (stalls-- > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS)
      reply(null, Buffer.alloc(ANSWER_BYTES, call.request[0]))
    },
    Refuse: (_call: unknown, reply: (error: { code: number; details: string }) => void) =>
      reply({ code: 5, details: 'no such thing: é' }),
  }
  server.addService(service as ServiceDefinition, handlers as UntypedServiceImplementation)
  const port = await boundPort(server)
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

test('an answer that is shorter than it must be is a failure', async () => {
  const result = await load.run(settings({ answerBytesMin: ANSWER_BYTES + 1, seconds: 0.05 }))
  expect(result.failures).toEqual({ [`an answer shorter than ${ANSWER_BYTES + 1} bytes`]: result.calls })
})

test('an open loop makes every call of its schedule, and counts those that were due after the warm-up', async () => {
  const pace = { kind: 'open', perSecond: 500, arrivals: 'constant', seed: 1 } as const
  const result = withoutFailures(await load.run(settings({ pace, warmSeconds: 0.1, seconds: 0.3 })))
  expect(result.calls).toBe(200)
  expect(result.completed).toBe(150)
  expect(result.intended.totalCount).toBe(150)
  expect(result.intended.maxValue).toBeGreaterThanOrEqual(result.actual.maxValue)
})

test('a load is over when its last call is, whether the timer of its end came early or late', async () => {
  for (let seed = 0; seed < 40; seed++) {
    const pace = { kind: 'open', perSecond: 2000, arrivals: 'poisson', seed } as const
    // One that misses its end fails when this deadline and a second have passed.
    withoutFailures(await load.run(settings({ pace, seconds: 0.02, deadlineMs: 10_000 })))
  }
})

test('a server that stands still delays all that was due meanwhile: nothing is left out', async () => {
  stalls = 1
  const pace = { kind: 'open', perSecond: 1000, arrivals: 'constant', seed: 1 } as const
  const result = withoutFailures(await load.run(settings({ path: '/test.Load/Stall', pace, seconds: 0.4 })))
  expect(result.completed).toBe(400)
  // Those that were due in its first 200 ms, half of all, waited at least the rest; in a closed loop it would be one call.
  expect(result.intended.getValueAtPercentile(55)).toBeGreaterThan((STALL_MS - 201) * 1e6)
})

test('the same seeds make the same calls', async () => {
  const pace = { kind: 'open', perSecond: 2000, arrivals: 'poisson', seed: 5 } as const
  const counts: unknown[] = []
  for (const seed of [1, 1, 2]) {
    seen.clear()
    withoutFailures(await load.run(settings({ pace, order: { kind: 'zipf', exponent: 1, seed } })))
    counts.push(Object.fromEntries([...seen].sort(([a], [b]) => a - b)))
  }
  expect(counts[1]).toEqual(counts[0])
  expect(counts[2]).not.toEqual(counts[0])
})

test('kinds of a mix are counted apart', async () => {
  const echo = { name: 'echo', path: '/test.Load/Echo', requests: 'numbered', share: 3 }
  const refuse = { name: 'refuse', path: '/test.Load/Refuse', requests: 'numbered', share: 1 }
  const {
    path: _,
    requests: __,
    order: ___,
    ...others
  } = settings({ pace: { kind: 'open', perSecond: 1000, arrivals: 'constant', seed: 3 } })
  const result = await load.run({ ...others, mix: [echo, refuse] })
  const { echo: echoed, refuse: refused } = result.byName!
  expect(result.calls).toBe(200)
  expect(echoed!.failures).toEqual({})
  expect(echoed!.intended.totalCount).toBe(echoed!.completed)
  expect(Object.values(refused!.failures)).toEqual([200 - echoed!.completed])
  expect(result.completed).toBe(echoed!.completed)
  expect(echoed!.completed).toBeGreaterThan(120)
  expect(echoed!.completed).toBeLessThan(180)
})

test('what cannot be run is refused with a reason, and the process goes on', async () => {
  await expect(load.run(settings({ requests: 'others' }))).rejects.toThrow('no requests were prepared as others')
  await expect(load.run(settings({ client: 'curl' as 'lean' }))).rejects.toThrow('no client curl; there are lean, ')
  await expect(load.run(settings({ order: { kind: 'best' } as never }))).rejects.toThrow('no order best')
  await expect(load.run(settings({ target: '127.0.0.1:1' }))).rejects.toThrow('127.0.0.1:1: UNAVAILABLE: ')
  withoutFailures(await load.run(settings({ seconds: 0.05, connections: 3 })))
})
