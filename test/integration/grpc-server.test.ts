import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Client, credentials, loadPackageDefinition, status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { protoPath } from 'grpc-health-check'
import { afterEach, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
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

test('port 0 is reported as the real port, and a taken one is refused by name', async () => {
  await start({ getFeatures: (request) => request })
  expect(edge.address).toMatch(/^127\.0\.0\.1:[1-9]\d+$/)
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
    getFeatures: (_request, signal) => {
      begun.resolve()
      return new Promise(() => signal!.addEventListener('abort', () => aborted.resolve(signal!.reason)))
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

test('the descriptors in the repository are those of the proto files', () => {
  const dir = mkdtempSync(join(tmpdir(), 'twinstore-descriptors-'))
  try {
    const script = fileURLToPath(new URL('../../proto/build-descriptors.mjs', import.meta.url))
    execFileSync(process.execPath, [script, join(dir, 'built')])
    expect(DESCRIPTORS.equals(readFileSync(join(dir, 'built'))), 'run npm run build:descriptors').toBe(true)
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('Admin describes the definitions and gives the status, with what is wrong', async () => {
  await start({
    offline: {
      health: () => Promise.reject(new Error('bucket gone')),
      status: async (view) => {
        if (view.name === 'gate_status') throw new Error('log unreadable')
        return { view: view.name, tableVersion: 7, rows: 5_000_000_000, files: 2, bytes: 1 }
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
  const result = { view: 'a', rowsRead: 3, rowsAdded: 2, rowsOnline: 1, tableVersion: 4, seconds: 0.5 }
  const asked: unknown[] = []
  await start({
    adminParts: {
      syncer: {
        async sync(views, options) {
          asked.push(views)
          options?.onProgress?.('a', { step: 'reading', fraction: 0.5 })
          await new Promise((resolve) => setImmediate(resolve))
          options?.onResult?.(result)
          return [result]
        },
      },
    },
  })
  const client = connect(edge.address)
  const progress: unknown[] = []
  const results = await client.sync({ onProgress: (view, { step, fraction }) => progress.push([view, step, fraction]) })
  expect(results).toEqual([result])
  expect(progress).toEqual([['a', 'reading', 0.5]])
  await client.sync({ views: ['a'] })
  expect(asked).toEqual(['all', ['a']])
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
