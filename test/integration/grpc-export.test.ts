import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { truncate } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Client, credentials, status } from '@grpc/grpc-js'
import { afterEach, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { TwinstoreError as ServerError } from '../../src/domain/errors.ts'
import { lengthField } from '../../src/lib/wire.ts'
import type { Dataset } from '../../src/offline/offline-store.ts'
import { refused } from '../support/call-failure.ts'
import { collect, deferred, type Edge, type Script, serverStream, startEdge, unary } from './grpc-fixture.ts'

let edge: Edge
let client: ReturnType<typeof connect>
async function start(script: Script): Promise<Edge> {
  edge = await startEdge(script)
  client = connect(edge.address)
  return edge
}
afterEach(async () => {
  client.close()
  await edge.close()
})

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Heap and buffers in use, without garbage. */
function liveBytes(): number {
  // The first collection finds dead buffers, the second waits for their memory to be given back.
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** A file of zeros that was never in memory. */
async function zeros(bytes: number): Promise<Dataset> {
  const hash = createHash('sha256')
  const block = Buffer.alloc(1024 * 1024)
  for (let at = 0; at < bytes; at += block.length) hash.update(block)
  const dataset = await edge.dataset(Buffer.alloc(0), { bytes, sha256: hash.digest('hex') })
  await truncate(dataset.path, bytes)
  return dataset
}

const content = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => index % 251))

test('a view is exported in chunks, with header, progress, trailer, and its file is gone afterwards', async () => {
  await start({
    settings: { chunkBytes: 100_000 },
    offline: {
      async export(view, request, options) {
        options?.onProgress?.({ step: 'reading', fraction: 0.25 })
        await new Promise((resolve) => setImmediate(resolve))
        expect([view.name, request]).toEqual([
          'airport_daily',
          {
            format: 'csv',
            fromMicros: 1_000_000,
            untilMicros: 2_000_000,
            entities: [['ATL'], ['JFK']],
            columns: ['airport', 'flights'],
            tableVersion: 3,
            latestOnly: true,
          },
        ])
        const columns = [
          { name: 'airport', type: 'VARCHAR' },
          { name: 'days', type: 'BIGINT[]' },
          { name: 'day', type: 'DATE' },
        ]
        return { ...(await edge.dataset(content, { rows: 9, columns })), tableVersion: 12 }
      },
    },
  })
  const progress: unknown[] = []
  const dataset = await client.exportFeatures({
    view: 'airport_daily',
    format: 'csv',
    from: new Date(1000),
    until: 2_000_000n,
    entities: [{ airport: 'ATL' }, { airport: 'JFK' }],
    columns: ['airport', 'flights'],
    tableVersion: 3,
    latestOnly: true,
    onProgress: ({ step, fraction }) => progress.push([step, fraction]),
  })
  expect(dataset.info).toEqual({
    format: 'csv',
    columns: [
      { name: 'airport', type: 'string' },
      { name: 'days', type: 'list<int64>' },
      { name: 'day', type: 'date' },
    ],
    fingerprint: 'f'.repeat(32),
    tableVersions: { airport_daily: 12 },
    bytes: content.length,
    resumeToken: expect.any(String),
  })
  const chunks = await collect(dataset)
  expect(chunks.map((chunk) => chunk.length)).toEqual(Array.from({ length: 10 }, () => 100_000))
  expect(Buffer.concat(chunks).equals(content)).toBe(true)
  expect(dataset.trailer).toEqual({ rows: 9, sha256: createHash('sha256').update(content).digest('hex') })
  expect(progress).toEqual([['reading', 0.25]])
  expect(edge.flushes).toEqual([['airport_daily']])
  expect(await edge.spooledFiles()).toEqual([])
})

test('rows are passed on as the messages they are, with a checksum of the messages', async () => {
  const messages = [2, 3].map((rows) =>
    Buffer.concat(Array.from({ length: rows }, () => lengthField(1, Buffer.from('x')))),
  )
  const file = Buffer.concat(
    messages.flatMap((message) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(message.length)
      return [length, message]
    }),
  )
  const sha256 = createHash('sha256').update(Buffer.concat(messages)).digest('hex')
  await start({
    offline: { export: async () => ({ ...(await edge.dataset(file, { rows: 5, sha256 })), tableVersion: 0 }) },
  })
  const dataset = await client.exportFeatures({ view: 'airport_daily', format: 'rows' })
  expect(dataset.info.bytes).toBe(0)
  expect(await collect(dataset)).toEqual(messages)
  expect(dataset.trailer).toEqual({ rows: 5, sha256 })
})

test('a data set that is not what its trailer says is DATA_LOSS at the client', async () => {
  await start({
    offline: {
      export: async () => ({ ...(await edge.dataset(content, { sha256: '0'.repeat(64) })), tableVersion: 0 }),
    },
  })
  const dataset = await client.exportFeatures({ view: 'airport_daily' })
  const [code, message] = await refused(collect(dataset))
  expect(code).toBe('DATA_LOSS')
  expect(message).toContain('arrived damaged')
})

test('a slow reader of 200 MB does not grow the memory of the process', async () => {
  const bytes = 200 * 1024 * 1024
  await start({ offline: { export: async () => ({ ...(await zeros(bytes)), tableVersion: 0 }) } })
  const dataset = await client.exportFeatures({ view: 'airport_daily' })
  const before = liveBytes()
  let most = 0
  let received = 0
  let chunks = 0
  for await (const chunk of dataset) {
    received += chunk.length
    // Many turns of the loop for each chunk: a server that did not wait for its reader would get far ahead.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    if (chunks++ % 40 === 0) most = Math.max(most, liveBytes() - before)
  }
  expect(received).toBe(bytes)
  // 16 chunks in the stream, the HTTP/2 windows and what the client holds: measured, 9 MB for both ends together.
  expect(most).toBeLessThan(24 * 1024 * 1024)
}, 120_000)

test('calls are answered while an export of 100 MB is under way on their connection', async () => {
  const bytes = 100 * 1024 * 1024
  await start({
    getFeatures: (request) => request,
    offline: { export: async () => ({ ...(await zeros(bytes)), tableVersion: 0 }) },
  })
  // With usual windows the export would have to pause anyway.
  const options = { 'grpc.use_local_subchannel_pool': 1, 'grpc-node.flow_control_window': 2 ** 30 }
  const wide = new Client(edge.address, credentials.createInsecure(), options)
  const request = Buffer.from('\n\rairport_daily', 'latin1')
  const call = serverStream(wide, '/twinstore.v1.Offline/ExportFeatures', request)
  let received = 0
  call.on('data', (message: Buffer) => {
    received += message.length
  })
  const whole = once(call, 'end')
  await once(call, 'data')
  for (let asked = 0; asked < 10; asked++) {
    const answer = await unary(wide, '/twinstore.v1.Serving/GetFeatures', Buffer.from(`call ${asked}`))
    expect(answer.toString()).toBe(`call ${asked}`)
  }
  expect(received).toBeLessThan(bytes)
  await whole
  wide.close()
  expect(received).toBeGreaterThan(bytes)
})

test("exports that go on at once, and one that is left, do not get each other's bytes", async () => {
  await start({
    settings: { chunkBytes: 100_000 },
    offline: { export: async () => ({ ...(await edge.dataset(randomBytes(3_000_000))), tableVersion: 0 }) },
  })
  const open = () => client.exportFeatures({ view: 'airport_daily' })
  const leave = async (): Promise<void> => {
    for await (const _ of await open()) break
  }
  // The client compares each with the checksum in its trailer.
  const read = async (): Promise<number> => Buffer.concat(await collect(await open())).length
  const work = [read(), leave(), read(), read(), leave(), read()]
  expect((await Promise.all(work)).filter((length) => length !== undefined)).toEqual(Array(4).fill(3_000_000))
})

test('a reader that stalls stops the server, and leaving it disposes of the file', async () => {
  let disposed = deferred()
  await start({
    offline: {
      async export() {
        const dataset = await edge.dataset(Buffer.alloc(64 * 1024 * 1024))
        const dispose = async (): Promise<void> => {
          await dataset.dispose()
          disposed.resolve()
        }
        return { ...dataset, dispose, tableVersion: 0 }
      },
    },
  })
  const cancelled = await client.exportFeatures({ view: 'airport_daily' })
  cancelled.cancel()
  await disposed.promise

  disposed = deferred()
  for await (const _ of await client.exportFeatures({ view: 'airport_daily' })) break
  await disposed.promise

  disposed = deferred()
  const stalled = await client.exportFeatures({ view: 'airport_daily', deadlineMs: 2000 })
  await disposed.promise
  expect((await refused(collect(stalled)))[0]).toBe('DEADLINE_EXCEEDED')
  expect(await edge.spooledFiles()).toEqual([])
})

test('a job that goes on after its call was cancelled leaves no file', async () => {
  const begun = deferred()
  const aborted = deferred()
  const disposed = deferred()
  await start({
    offline: {
      async export(_view, _request, options) {
        options!.signal!.addEventListener('abort', () => aborted.resolve())
        options!.onProgress!({ step: 'working' })
        begun.resolve()
        await aborted.promise
        return { ...(await edge.dataset(content, { dispose: async () => disposed.resolve() })), tableVersion: 0 }
      },
    },
  })
  const request = Buffer.from('\n\rairport_daily', 'latin1')
  const call = serverStream(edge.client, '/twinstore.v1.Offline/ExportFeatures', request)
  call.on('error', () => undefined)
  call.resume()
  await begun.promise
  call.cancel()
  await aborted.promise
  await disposed.promise
})

test('the spine of a service export is the view that has all its keys, renamed to the request columns', async () => {
  await start({
    offline: {
      async export(view, request) {
        expect([view.name, request]).toEqual([
          'route_daily',
          {
            format: 'parquet',
            columns: ['destination', 'origin', 'event_timestamp'],
            rename: {},
            fromMicros: 5,
            entities: [['ORD', 'ATL']],
          },
        ])
        return { ...(await edge.dataset(Buffer.from('spine'))), tableVersion: 0 }
      },
      async trainingSet(service, request) {
        expect([service.name, request.timestampColumn, request.mode, request.format]).toEqual([
          'predict_delay',
          'event_timestamp',
          'EVENT_TIME',
          'arrow',
        ])
        expect(request.spineMayBeEmpty).toBe(true)
        const pin = { tables: { airport_daily: 4, route_daily: 5 } } as never
        return { ...(await edge.dataset(content)), pin, manifest: {} as never }
      },
    },
  })
  const entities = [{ origin: 'ATL', destination: 'ORD' }]
  const dataset = await client.exportFeatures({ service: 'predict_delay', format: 'arrow', from: 5n, entities })
  expect(Buffer.concat(await collect(dataset)).equals(content)).toBe(true)
  expect(dataset.info.tableVersions).toEqual({ airport_daily: 4, route_daily: 5 })
  expect(edge.flushes).toEqual([['airport_daily', 'route_daily']])
  expect(await edge.spooledFiles()).toEqual([])
})

test.each([
  ['an unknown view', { view: 'airport_dayly' }, 'NOT_FOUND', /"airport_dayly"; did you mean airport_daily\?/],
  ['an unknown service', { service: 'predict_dely' }, 'NOT_FOUND', /"predict_dely"; did you mean predict_delay\?/],
  [
    'an unknown column',
    { view: 'airport_daily', columns: ['flihgts'] },
    'INVALID_ARGUMENT',
    /"flihgts"; did you mean flights/,
  ],
  [
    'a doubled column',
    { view: 'airport_daily', columns: ['flights', 'flights'] },
    'INVALID_ARGUMENT',
    /flights.*twice/,
  ],
  ['an empty range', { view: 'airport_daily', from: 5n, until: 5n }, 'INVALID_ARGUMENT', /must be before until_micros/],
  [
    'a time out of range',
    { view: 'airport_daily', from: 2n ** 62n },
    'INVALID_ARGUMENT',
    /from_micros 4611686018427387904/,
  ],
  ['a negative version', { view: 'airport_daily', tableVersion: -1 }, 'INVALID_ARGUMENT', /table_version -1/],
  ['columns of a service', { service: 'predict_delay', columns: ['a'] }, 'INVALID_ARGUMENT', /for a view only/],
  ['a version of a service', { service: 'predict_delay', tableVersion: 1 }, 'INVALID_ARGUMENT', /GetTrainingSet/],
  ['a service without a spine', { service: 'two_kinds' }, 'FAILED_PRECONDITION', /airport, gate.*GetTrainingSet/],
  ['a required request feature', { service: 'risky' }, 'FAILED_PRECONDITION', /scheduled_hour.*GetTrainingSet/],
  [
    'a wrong key column',
    { view: 'airport_daily', entities: [{ airprt: 'x' }] },
    'INVALID_ARGUMENT',
    /"airprt".*did you mean airport/,
  ],
  [
    'a null key',
    { view: 'airport_daily', entities: [{ airport: null }] },
    'INVALID_ARGUMENT',
    /row 0: expected string, got null/,
  ],
  [
    'too many entities',
    { view: 'gate_status', entities: Array.from({ length: 11 }, (_, gate) => ({ gate })) },
    'RESOURCE_EXHAUSTED',
    /11 entities.*export-entities-max/,
  ],
])('%s is refused before any work', async (_name, options, code, message) => {
  await start({})
  const [seenCode, seenMessage] = await refused(client.exportFeatures(options))
  expect(seenCode).toBe(code)
  expect(seenMessage).toMatch(message)
  expect(edge.flushes).toEqual([])
})

test('a request without a source or with an unknown format is INVALID_ARGUMENT', async () => {
  await start({})
  for (const [request, message] of [
    [Buffer.alloc(0), 'set `view` or `feature_service`'],
    [Buffer.from([...Buffer.from('\n\rairport_daily', 'latin1'), 0x18, 99]), 'unknown format 99'],
    [Buffer.from([0x0a, 0xff]), 'not a twinstore.v1.ExportFeaturesRequest message'],
  ] as const) {
    const call = serverStream(edge.client, '/twinstore.v1.Offline/ExportFeatures', request)
    call.resume()
    const [error] = await once(call, 'error')
    expect(error.code).toBe(status.INVALID_ARGUMENT)
    expect(error.details).toContain(message)
  }
})

test('what the store throws arrives with its code', async () => {
  await start({
    offline: {
      export: () =>
        Promise.reject(new ServerError('RESOURCE_EXHAUSTED', 'too many jobs wait (option offline-jobs-max)')),
    },
  })
  expect(await refused(client.exportFeatures({ view: 'airport_daily' }))).toEqual([
    'RESOURCE_EXHAUSTED',
    'too many jobs wait (option offline-jobs-max)',
  ])
})
