/** Data sets whose stream breaks: the reader gets every byte once, or is told why not. */
import { createHash } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { connect, type DatasetStream, TwinstoreError } from '../../src/client/index.ts'
import { lengthField } from '../../src/lib/wire.ts'
import type { Dataset, ExportRequest, Pin } from '../../src/offline/offline-store.ts'
import { callFailure } from '../support/call-failure.ts'
import { startCuttingProxy } from '../support/cutting-proxy.ts'
import { collect, type Edge, FINGERPRINT, type Script, startEdge } from './grpc-fixture.ts'

const opened: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close()
})

const CHUNK = 20_000
const content = Buffer.from(Array.from({ length: 2_000_000 }, (_, index) => (index * 7) % 251))

interface Server extends Edge {
  /** What its store was asked to export. */
  readonly asked: ExportRequest[]
}

/** A server whose exports have this content, at table version 12. */
async function start(script: Script = {}, made: (edge: Edge) => Promise<Dataset> = (edge) => edge.dataset(content)) {
  const asked: ExportRequest[] = []
  const edge: Edge = await startEdge({
    offline: {
      async export(_view, request) {
        asked.push(request)
        return { ...(await made(edge)), tableVersion: 12 }
      },
    },
    ...script,
    settings: { chunkBytes: CHUNK, datasetKeepMs: 60_000, ...script.settings },
  })
  opened.push(edge)
  return { ...edge, asked } as Server
}

/** A client whose connections break after so many bytes. */
async function behindProxy(server: Edge, afterBytes: number, cuts: number) {
  const proxy = await startCuttingProxy(server.address, afterBytes, cuts)
  const client = connect(proxy.address)
  opened.push(proxy, client)
  return { proxy, client }
}

function clientOf(server: Edge) {
  const client = connect(server.address)
  opened.push(client)
  return client
}

/** The first bytes of a data set and its token, as of a reader that went away. */
async function beginning(dataset: DatasetStream, bytes: number): Promise<{ token: string; received: Buffer }> {
  const chunks: Buffer[] = []
  for await (const chunk of dataset) {
    chunks.push(chunk)
    if (Buffer.concat(chunks).length >= bytes) break
  }
  return { token: dataset.info.resumeToken, received: Buffer.concat(chunks).subarray(0, bytes) }
}

async function* pieces(...bytes: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* bytes
}

const VIEW = { view: 'airport_daily', format: 'csv' } as const

test('a connection that breaks again and again: every byte comes once, from one file, which is gone afterwards', async () => {
  const server = await start()
  const { proxy, client } = await behindProxy(server, 400_000, 4)
  const broken: number[] = []
  const dataset = await client.exportFeatures({ ...VIEW, onBroken: ({ bytes }) => broken.push(bytes) })
  expect(Buffer.concat(await collect(dataset)).equals(content)).toBe(true)
  expect(proxy.cuts).toBe(4)
  expect(broken).toHaveLength(4)
  expect(broken).toEqual(broken.toSorted((a, b) => a - b))
  expect(dataset.trailer).toEqual({ rows: 1, sha256: createHash('sha256').update(content).digest('hex') })
  expect(server.asked).toHaveLength(1)
  await expect.poll(() => server.spooledFiles(), { timeout: 20_000 }).toEqual([])
})

test('a server that does not have the data set makes it again at the same table version', async () => {
  const server = await start()
  const other = await start()
  const { client, proxy } = await behindProxy(server, 400_000, 1)
  const onBroken = () => {
    proxy.target = other.address
  }
  const dataset = await client.exportFeatures({ ...VIEW, latestOnly: true, onBroken })
  expect(Buffer.concat(await collect(dataset)).equals(content)).toBe(true)
  const first = { format: 'csv', latestOnly: true }
  expect([server.asked, other.asked]).toEqual([[first], [{ ...first, tableVersion: 12 }]])
  // Only what is new needs the outbox in the history.
  expect([server.flushes.length, other.flushes.length]).toEqual([1, 0])
})

test('another server goes on where the first one ended', async () => {
  const { token, received } = await beginning(await clientOf(await start()).exportFeatures(VIEW), 500_001)
  const other = await start()
  const rest = await clientOf(other).exportFeatures({ ...VIEW, resume: { token, received: pieces(received) } })
  expect(Buffer.concat([received, ...(await collect(rest))]).equals(content)).toBe(true)
  expect(rest.trailer!.sha256).toBe(createHash('sha256').update(content).digest('hex'))
  expect(other.asked).toEqual([{ format: 'csv', tableVersion: 12 }])
})

test('an export of a service is made again from the same spine rows and the same tables', async () => {
  const calls: unknown[] = []
  const serve = async (spineTable: number, tables: Readonly<Record<string, number>>) => {
    const edge: Edge = await start({
      offline: {
        async export(view, request) {
          calls.push([view.name, request.tableVersion])
          return { ...(await edge.dataset(Buffer.from('spine'))), tableVersion: spineTable }
        },
        async trainingSet(_service, request) {
          calls.push(request.tableVersions)
          return { ...(await edge.dataset(content)), pin: { ...pin, tables } } as never
        },
      },
    })
    return edge
  }
  const request = { service: 'predict_delay', format: 'csv' } as const
  const first = clientOf(await serve(4, { airport_daily: 7, route_daily: 5 }))
  const { token, received } = await beginning(await first.exportFeatures(request), 700_000)
  // Rows were added between the spine and the join: each is made again as it was.
  const other = clientOf(await serve(9, { airport_daily: 10, route_daily: 9 }))
  const rest = await other.exportFeatures({ ...request, resume: { token, received: pieces(received) } })
  expect(Buffer.concat([received, ...(await collect(rest))]).equals(content)).toBe(true)
  const pinned = { airport_daily: 7, route_daily: 5 }
  expect(calls).toEqual([['route_daily', undefined], undefined, ['route_daily', 4], pinned])
})

test('bytes that would be others are refused before the first of them, and the engines are named', async () => {
  const { token, received } = await beginning(await clientOf(await start()).exportFeatures(VIEW), 30_000)
  const resume = () => ({ ...VIEW, resume: { token, received: pieces(received) } })
  const newer = await start({}, (edge) => edge.dataset(Buffer.from('others'), { engine: 'duckdb 9' }))
  const refused = await callFailure(clientOf(newer).exportFeatures(resume()))
  expect(refused.code).toBe('FAILED_PRECONDITION')
  expect(refused.message).toMatch(/written by test 1 and this server runs duckdb 9.*begin anew without resume/)
  expect(await newer.spooledFiles()).toEqual([])
  const same = await start({}, (edge) => edge.dataset(Buffer.from('others')))
  expect((await callFailure(clientOf(same).exportFeatures(resume()))).message).toMatch(/has SHA-256 \w+, the data set/)
})

test('a beginning that was changed is DATA_LOSS at the end', async () => {
  const { token, received } = await beginning(await clientOf(await start()).exportFeatures(VIEW), 30_000)
  received[77]! ^= 1
  const rest = await clientOf(await start()).exportFeatures({ ...VIEW, resume: { token, received: pieces(received) } })
  expect((await callFailure(collect(rest))).code).toBe('DATA_LOSS')
})

test('rows go on message by message', async () => {
  const messages = Array.from({ length: 40 }, (_, index) =>
    Buffer.concat(Array.from({ length: 3 }, () => lengthField(1, Buffer.alloc(9000, index)))),
  )
  const framed = messages.flatMap((message) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(message.length)
    return [length, message]
  })
  const sha256 = createHash('sha256').update(Buffer.concat(messages)).digest('hex')
  const server = await start({}, (edge) => edge.dataset(Buffer.concat(framed), { rows: 120, sha256 }))
  const { client, proxy } = await behindProxy(server, 300_000, 2)
  const dataset = await client.exportFeatures({ view: 'airport_daily', format: 'rows' })
  const arrived = await collect(dataset)
  expect(arrived).toHaveLength(messages.length)
  expect(Buffer.concat(arrived).equals(Buffer.concat(messages))).toBe(true)
  expect(proxy.cuts).toBe(2)
  expect(dataset.trailer).toEqual({ rows: 120, sha256 })
  const again = await client.exportFeatures({ view: 'airport_daily', format: 'rows' })
  again.cancel()
  const within = { token: again.info.resumeToken, received: pieces(Buffer.alloc(5)) }
  const request = { view: 'airport_daily', format: 'rows', resume: within } as const
  const refused = await client
    .exportFeatures(request)
    .then(collect)
    .catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('within a message') })
})

test('a stream that never gets further is given up, with what broke it', async () => {
  const server = await start()
  const { client, proxy } = await behindProxy(server, 30_000, Number.POSITIVE_INFINITY)
  const dataset = await client.exportFeatures(VIEW).catch((error: unknown) => error)
  // The header may not have come through either.
  const failed = dataset instanceof TwinstoreError ? dataset : await callFailure(collect(dataset as DatasetStream))
  expect(failed.code).toBe('UNAVAILABLE')
  expect(proxy.cuts).toBeGreaterThan(1)
  expect(proxy.cuts).toBeLessThan(200)
})

test('what is no token, is of another request, or says too much is refused before any work', async () => {
  const server = await start()
  const client = clientOf(server)
  const { token } = await beginning(await client.exportFeatures(VIEW), 1)
  const ask = (more: object, text: string, bytes = 1) =>
    callFailure(
      client
        .exportFeatures({ ...VIEW, ...more, resume: { token: text, received: pieces(Buffer.alloc(bytes)) } })
        .then(collect),
    )
  expect(await ask({ latestOnly: true }, token)).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('of another request'),
  })
  expect((await ask({}, 'x'.repeat(400_000))).message).toContain('not a token')
  expect((await ask({}, '%%%')).message).toContain('not a token')
  const forged = JSON.parse(Buffer.from(token, 'base64url').toString())
  const encoded = (members: object) => Buffer.from(JSON.stringify({ ...forged, ...members })).toString('base64url')
  expect((await ask({}, encoded({ tables: { airport_daily: 1.5 } }))).message).toContain('resume.token.tables')
  expect((await ask({}, encoded({ id: 'elsewhere', tables: {} }))).message).toContain(
    'no table version of view airport_daily',
  )
  expect((await ask({}, encoded({ fingerprint: '0'.repeat(32) }))).code).toBe('NOT_FOUND')
  expect((await ask({}, token, content.length + 1)).message).toContain(`the data set has ${content.length}`)
  expect(server.asked).toHaveLength(1)
})

const pin: Pin = {
  pinFormat: 1,
  service: 'predict_delay',
  fingerprint: FINGERPRINT,
  mode: 'EVENT_TIME',
  format: 'csv',
  timestampColumn: 'at',
  tables: { airport_daily: 4, route_daily: 5 },
  spine: { sha256: '1'.repeat(64), rows: 3 },
  output: { sha256: '2'.repeat(64), rows: 3 },
  engine: 'test 1',
}

/** A server whose training sets have the content; `spines` are those it was sent, with the table versions asked for. */
async function training() {
  const joins: unknown[] = []
  const edge: Edge = await start({
    offline: {
      async trainingSet(_service, request) {
        joins.push(request.tableVersions)
        return { ...(await edge.dataset(content)), pin } as never
      },
    },
  })
  return { edge, joins }
}

const SET = { service: 'predict_delay', timestampColumn: 'at', format: 'csv', spineFormat: 'csv' } as const

test('the rest of a training set needs no spine while the server has it, and its spine and pin when it has not', async () => {
  const { edge, joins } = await training()
  const { client, proxy } = await behindProxy(edge, 400_000, 2)
  const dataset = await client.trainingSet({ ...SET, spine: pieces(Buffer.from('spine')) })
  expect(Buffer.concat(await collect(dataset)).equals(content)).toBe(true)
  expect([proxy.cuts, joins.length]).toEqual([2, 1])
  expect(JSON.parse(dataset.trailer!.pinJson!)).toEqual(pin)

  const begun = await client.trainingSet({ ...SET, spine: pieces(Buffer.from('spine')) })
  const { token, received } = await beginning(begun, 123_456)
  const other = await training()
  const rest = await clientOf(other.edge).trainingSet({
    ...SET,
    spine: pieces(Buffer.from('spine')),
    resume: { token, received: pieces(received) },
  })
  expect(Buffer.concat([received, ...(await collect(rest))]).equals(content)).toBe(true)
  expect(other.joins).toEqual([pin.tables])
})

test('a training set that is gone when its stream breaks says what to do', async () => {
  const [{ edge }, other] = [await training(), await training()]
  const { client, proxy } = await behindProxy(edge, 400_000, 1)
  const onBroken = () => {
    proxy.target = other.edge.address
  }
  const dataset = await client.trainingSet({ ...SET, spine: pieces(Buffer.from('spine')), onBroken })
  const failed = await callFailure(collect(dataset))
  expect(failed.code).toBe('NOT_FOUND')
  expect(failed.message).toContain('send the same request with its spine')
})
