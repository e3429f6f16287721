import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Client, credentials, loadPackageDefinition, status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { protoPath } from 'grpc-health-check'
import { afterEach, expect, test } from 'vitest'
import type { AdminParts } from '../../src/api/admin-handlers.ts'
import { connect, TwinstoreError } from '../../src/client/index.ts'
import { TRANSPORT, transportAt } from '../support/transport.ts'
import { deferred, type Edge, failureOf, type Script, startEdge, unary } from './grpc-fixture.ts'

const DESCRIPTORS = readFileSync(new URL('../../proto/descriptors.binpb', import.meta.url))
const GET = '/twinstore.v1.Serving/GetFeatures'
const REFLECTION_PROTO = fileURLToPath(
  new URL('../../node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto', import.meta.url),
)

let edge: Edge
async function start(script: Script = {}): Promise<Edge> {
  edge = await startEdge(script)
  return edge
}
afterEach(() => edge.close())

/** A client as users of any proto file make one. */
function clientOf(proto: string, path: readonly string[]) {
  let node: unknown = loadPackageDefinition(loadSync(proto, { longs: String, enums: String, oneofs: true }))
  for (const name of path) node = (node as Record<string, unknown>)[name]
  const Service = node as typeof Client
  return new Service(edge.address, credentials.createInsecure()) as Client & Record<string, CallableFunction>
}

function health() {
  const client = clientOf(protoPath, ['grpc', 'health', 'v1', 'Health'])
  return {
    client,
    check: (service: string) =>
      new Promise<unknown>((resolve, reject) => {
        client['check']!({ service }, (error: Error | null, answer: { status: string }) =>
          error === null ? resolve(answer.status) : reject(error),
        )
      }),
  }
}

test('port 0 is reported as the real port, served by the transport asked for, and a taken one is refused by name', async () => {
  await start({ getFeatures: (request) => request })
  expect(edge.address).toMatch(/^127\.0\.0\.1:[1-9]\d+$/)
  expect(await transportAt(edge.address)).toBe(TRANSPORT)
  const port = edge.address.split(':')[1]
  const error = await failureOf(startEdge({ address: edge.address }))
  expect(error.code).toBe('FAILED_PRECONDITION')
  expect(error.message).toContain(`127.0.0.1:${port} is in use`)
  expect(error.message).toContain('option grpc')
})

test('health answers for the server and each service, and says NOT_SERVING while draining', async () => {
  const release = deferred<Buffer>()
  const begun = deferred()
  await start({
    getFeatures: () => {
      begun.resolve()
      return release.promise
    },
  })
  const { client, check } = health()
  for (const name of ['', 'twinstore.v1.Serving', 'twinstore.v1.Offline', 'twinstore.v1.Admin']) {
    expect(await check(name)).toBe('SERVING')
  }
  expect((await failureOf(check('nonsense'))).code).toBe(status.NOT_FOUND)

  const watch = client['watch']!({ service: '' }) as NodeJS.ReadableStream
  const seen: string[] = []
  const first = deferred()
  watch.on('data', (answer: { status: string }) => {
    seen.push(answer.status)
    first.resolve()
  })
  await first.promise
  const watchEnded = once(watch, 'end')
  const inFlight = unary(edge.client, GET, Buffer.alloc(0))
  await begun.promise

  const drained = edge.server.drain(30_000)
  await watchEnded
  expect(seen).toEqual(['SERVING', 'NOT_SERVING'])
  release.resolve(Buffer.from('answered'))
  expect((await inFlight).toString()).toBe('answered')
  client.close()
  expect(await drained).toBe(true)
})

test('a drain ends calls that outlast its deadline', async () => {
  const begun = deferred()
  const aborted = deferred<unknown>()
  await start({
    getFeatures: (_request, caller) => {
      begun.resolve()
      return new Promise(() => caller!.signal.addEventListener('abort', () => aborted.resolve(caller!.signal.reason)))
    },
  })
  const inFlight = failureOf(unary(edge.client, GET, Buffer.alloc(0)))
  await begun.promise
  expect(await edge.server.drain(50)).toBe(false)
  expect([status.CANCELLED, status.UNAVAILABLE]).toContain((await inFlight).code)
  expect(await aborted.promise).toMatchObject({ code: 'CANCELLED' })
})

test('reflection lists the services and describes them', async () => {
  await start()
  const client = clientOf(REFLECTION_PROTO, ['grpc', 'reflection', 'v1', 'ServerReflection'])
  const call = client['serverReflectionInfo']!() as NodeJS.ReadWriteStream & { write(message: object): boolean }
  const answers: Record<string, { service: { name: string }[]; fileDescriptorProto: Buffer[] }>[] = []
  call.on('data', (answer) => answers.push(answer))
  call.write({ listServices: '*' })
  call.write({ fileContainingSymbol: 'twinstore.v1.Serving' })
  call.end()
  await once(call, 'end')
  client.close()
  const names = answers[0]!['listServicesResponse']!.service.map(({ name }) => name)
  for (const name of ['Serving', 'Offline', 'Admin']) expect(names).toContain(`twinstore.v1.${name}`)
  expect(names).toContain('grpc.health.v1.Health')
  const files = answers[1]!['fileDescriptorResponse']!.fileDescriptorProto
  expect(Buffer.concat(files).includes('GetFeaturesRequest')).toBe(true)
  // What a tool gets is what buf compiled, byte for byte: it has map entries and comments as the protocol wants them.
  for (const file of files) expect(DESCRIPTORS.includes(file)).toBe(true)
})

test('Admin describes the definitions and gives the status, with what is wrong', async () => {
  await start({
    offline: {
      health: () => Promise.reject(new Error('bucket gone')),
      status: async (view) => {
        if (view.name === 'gate_status') throw new Error('log unreadable')
        const size = { rows: 5_000_000_000, files: 2, bytes: 1 }
        return { view: view.name, tableVersion: 7, ...size, syncPosition: 0, newestEventMicros: undefined }
      },
    },
  })
  const client = connect(edge.address)
  const described = await client.describe()
  expect(described.services.find(({ name }) => name === 'predict_delay')).toMatchObject({
    entityColumns: [
      { name: 'origin', type: 'string' },
      { name: 'destination', type: 'string' },
    ],
    requestColumns: [],
  })
  expect(described.views.find(({ name }) => name === 'airport_daily')).toMatchObject({ hasSource: true, ttlSeconds: 0 })
  const seen = await client.status()
  expect(seen).toMatchObject({ version: '1.2.3', outbox: { rows: 3, rowsMax: 10 }, cache: { hits: 4 } })
  expect(seen.tables[0]).toEqual({ view: 'airport_daily', version: 7, rows: 5_000_000_000, files: 2, bytes: 1 })
  expect(seen.problems).toEqual(['offline table of gate_status: log unreadable', 'offline store: bucket gone'])
  client.close()
})

test('Sync streams progress, the results of the views that were done, and then the failure', async () => {
  const result = {
    view: 'a',
    rowsRead: 3,
    rowsAdded: 2,
    rowsOnline: 1,
    tableVersion: 4,
    seconds: 0.5,
    entitiesResumed: 5_000_000_000,
    upToDate: true,
  }
  const asked: unknown[] = []
  const run: AdminParts['syncer']['rebuild'] = async (views, options) => {
    asked.push([views, options?.anew])
    options?.onProgress?.('a', { step: 'reading', fraction: 0.5 })
    await new Promise((resolve) => setImmediate(resolve))
    options?.onResult?.(result)
    if (views !== 'all') return [result]
    options?.onFailure?.('b', new TwinstoreError('ABORTED', 'another one'))
    throw new TwinstoreError('ABORTED', '1 of 2')
  }
  await start({ adminParts: { syncer: { sync: run, rebuild: run } } })
  const client = connect(edge.address)
  const told: unknown[] = []
  const options = {
    onProgress: (view: string, { step, fraction }: { step: string; fraction?: number }) =>
      told.push([view, step, fraction]),
    onResult: (done: unknown) => told.push(done),
    onFailure: (failure: unknown) => told.push(failure),
  }
  await expect(client.sync(options)).rejects.toMatchObject({ code: 'ABORTED', message: '1 of 2' })
  expect(told).toEqual([['a', 'reading', 0.5], result, { view: 'b', code: 'ABORTED', message: 'another one' }])
  expect(await client.sync({ views: ['a'] })).toEqual([result])
  expect(await client.sync({ views: ['a'], rebuild: true, anew: true })).toEqual([result])
  expect(asked).toEqual([
    ['all', undefined],
    [['a'], undefined],
    [['a'], true],
  ])
  await expect(client.sync({ anew: true })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  client.close()
})

test('Status says how the syncs of every view go', async () => {
  const state = {
    view: 'airport_daily',
    everySeconds: 3600,
    ttlSeconds: undefined,
    scheduledHere: true,
    running: false,
    last: { beganMs: 1_700_000_000_123, seconds: 2.5 },
    nextDueMs: 1_700_003_600_123,
    failure: { beganMs: 1_700_000_100_000, error: 'no such column' },
    newestEventMicros: 1_699_999_000_000_000,
    freshnessSeconds: 1000.5,
  }
  const unknown = { last: undefined, nextDueMs: undefined, failure: undefined, newestEventMicros: undefined }
  await start({
    offline: { health: async () => undefined, status: async () => Promise.reject(new Error('not asked here')) },
    adminParts: {
      syncStates: async () => [
        state,
        { ...state, ...unknown, view: 'b', everySeconds: undefined, freshnessSeconds: undefined },
      ],
    },
  })
  const client = connect(edge.address)
  const { syncs } = await client.status()
  expect(syncs).toEqual([
    {
      view: 'airport_daily',
      everySeconds: 3600,
      scheduledHere: true,
      running: false,
      lastSuccess: new Date(1_700_000_000_123),
      lastSeconds: 2.5,
      nextDue: new Date(1_700_003_600_123),
      lastError: 'no such column',
      lastErrorAt: new Date(1_700_000_100_000),
      newestEvent: new Date(1_699_999_000_000),
      freshnessSeconds: 1000.5,
      ttlSeconds: undefined,
    },
    { view: 'b', scheduledHere: true, running: false },
  ])
  client.close()
})

test('bytes that are no message of Offline or Admin are INVALID_ARGUMENT', async () => {
  await start()
  for (const path of [
    '/twinstore.v1.Admin/Describe',
    '/twinstore.v1.Admin/Status',
    '/twinstore.v1.Offline/GetHistory',
  ]) {
    const error = await failureOf(unary(edge.client, path, Buffer.from([0x0a, 0xff])))
    expect([path, error.code]).toEqual([path, status.INVALID_ARGUMENT])
  }
})
