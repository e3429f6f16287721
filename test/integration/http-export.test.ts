/** Exports as downloads: whole, resumed, slowly read, given up; over scripted stores with real files. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Dataset, ExportRequest } from '../../src/offline/offline-store.ts'
import { until } from '../support/redis/until.mjs'
import { FINGERPRINT } from './grpc-fixture.ts'
import { type HttpEdge, type HttpScript, startHttpEdge } from './http-edge-fixture.ts'
import { openSocket, post, request } from './http-fixture.ts'

const SOON_MS = 20_000
const PATH = '/v1/export-features'
const QUERY = `${PATH}?view=airport_daily`
const CHUNK = 64 * 1024
const content = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => (index * 7) % 251))
const sha256 = createHash('sha256').update(content)
const digest = sha256.copy().digest('base64')

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-http-export-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const edges: HttpEdge[] = []
afterEach(() => {
  for (const edge of edges.splice(0)) edge.close()
})

interface Exporter extends HttpEdge {
  /** What its store was asked to export. */
  readonly asked: ExportRequest[]
  /** Files of data sets that were made. */
  readonly files: string[]
  readonly disposed: string[]
}

/** A server whose exports have this content, at table version 12. */
async function start(bytes = content, script: HttpScript = {}): Promise<Exporter> {
  const asked: ExportRequest[] = []
  const files: string[] = []
  const disposed: string[] = []
  const edge = await startHttpEdge({
    ...script,
    offline: {
      async export(_view, exportRequest) {
        asked.push(exportRequest)
        return { ...dataset(bytes, files, disposed), tableVersion: 12 }
      },
    },
    settings: { chunkBytes: CHUNK, datasetKeepMs: 60_000, ...script.settings },
  })
  edges.push(edge)
  return { ...edge, asked, files, disposed }
}

function dataset(bytes: Buffer, files: string[], disposed: string[]): Dataset {
  const path = join(dir, randomUUID())
  writeFileSync(path, bytes)
  files.push(path)
  return {
    path,
    bytes: bytes.length,
    rows: 7,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    columns: [{ name: 'airport', type: 'VARCHAR' }],
    engine: 'test 1',
    dispose: async () => {
      disposed.push(path)
      rmSync(path, { force: true })
    },
  }
}

async function download(edge: HttpEdge, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`http://${edge.address}${path}`, { headers })
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
}

test('a download says what it is, how long, and how to check it', async () => {
  const edge = await start()
  const { status, headers, bytes } = await download(
    edge,
    `${QUERY}&format=csv&columns=airport,flights&from=2026-01-01T00:00:00Z&until=2026-02-01T01:00:00%2B01:00&latest_only=true&table_version=3`,
  )
  expect(status).toBe(200)
  expect(bytes.equals(content)).toBe(true)
  expect(Object.fromEntries(headers)).toMatchObject({
    'content-type': 'text/csv; charset=utf-8; header=present',
    'content-disposition': 'attachment; filename="airport_daily.csv"',
    'content-length': '1000000',
    'accept-ranges': 'bytes',
    'repr-digest': `sha-256=:${digest}:`,
    'twinstore-rows': '7',
    'twinstore-fingerprint': FINGERPRINT,
    'twinstore-table-versions': 'airport_daily=12',
  })
  expect(edge.asked).toEqual([
    {
      format: 'csv',
      columns: ['airport', 'flights'],
      fromMicros: Date.UTC(2026, 0, 1) * 1000,
      untilMicros: Date.UTC(2026, 1, 1) * 1000,
      latestOnly: true,
      tableVersion: 3,
    },
  ])
  await until('the file is gone', SOON_MS, () => edge.disposed.length === 1)
})

test('a body asks for the same, and for entities', async () => {
  const edge = await start()
  const { status } = await post(edge.address, PATH, {
    view: 'gate_status',
    format: 'arrow',
    entities: [{ gate: 1 }, { gate: '9223372036854775807' }],
    latest_only: true,
  })
  expect(status).toBe(200)
  expect(edge.asked).toEqual([{ format: 'arrow', entities: [[1n], [2n ** 63n - 1n]], latestOnly: true }])
})

test('what is asked for wrongly is refused by name', async () => {
  const edge = await start()
  const cases = [
    [PATH, 400, 'give either view or feature_service, the name of what is to be exported'],
    [
      `${QUERY}&feature_service=predict_delay`,
      400,
      'give either view or feature_service, the name of what is to be exported',
    ],
    [`${PATH}?view=airport_dayly`, 404, 'unknown feature view "airport_dayly"; did you mean airport_daily?'],
    [`${QUERY}&columns=flihgts`, 400, 'unknown column of view airport_daily "flihgts"; did you mean flights?'],
    [`${QUERY}&formt=csv`, 400, 'unknown query parameter "formt"; did you mean format?'],
    [`${QUERY}&format=xlsx`, 400, 'format: expected parquet or arrow or csv or rows, got "xlsx"'],
    [`${QUERY}&format=csv&format=csv`, 400, 'query parameter format is given twice'],
    [`${QUERY}&from=yesterday`, 400, 'from: expected a time such as 2026-11-22T04:38:03Z (RFC 3339), got "yesterday"'],
    [`${QUERY}&table_version=x`, 400, 'table_version: expected an integer, got "x"'],
    [`${QUERY}&latest_only=yes`, 400, 'latest_only: expected true or false, got "yes"'],
  ] as const
  for (const [path, status, message] of cases) {
    const answer = await request(edge.address, path)
    expect([answer.status, answer.body.error.message]).toEqual([status, message])
  }
  const { body } = await post(edge.address, PATH, { view: 'gate_status', entities: [{ gate: 'x' }, { gte: 1 }] })
  expect(body.error.faults).toEqual([
    { at: 'entities[0].gate', problem: 'expected int64, got x; write it in digits, without fraction and exponent' },
    { at: 'entities[1].gte', problem: 'not a join key or request feature of what is asked for; did you mean gate?' },
    { at: 'entities[1].gate', problem: 'not given; expected int64' },
  ])
  expect(edge.asked).toEqual([])
})

/** The token of a download that was broken off after a chunk or a few. */
async function brokenOff(edge: HttpEdge, path: string): Promise<string> {
  const leave = new AbortController()
  const response = await fetch(`http://${edge.address}${path}`, { signal: leave.signal })
  await response.body!.getReader().read()
  leave.abort()
  return response.headers.get('etag')!
}

test('a download that broke off goes on, from the file that was kept', async () => {
  const edge = await start()
  const etag = await brokenOff(edge, QUERY)
  const { status, headers, bytes } = await download(edge, QUERY, { range: 'bytes=400000-', 'if-range': etag })
  expect([status, headers.get('content-range'), headers.get('content-length'), headers.get('etag')]).toEqual([
    206,
    'bytes 400000-999999/1000000',
    '600000',
    etag,
  ])
  expect(bytes.equals(content.subarray(400_000))).toBe(true)
  expect(edge.asked.length).toBe(1)
})

test('and from another server, which makes it again at the same version, or not at all if its bytes would be others', async () => {
  const etag = await brokenOff(await start(), QUERY)
  const other = await start()
  const rest = await download(other, QUERY, { range: 'bytes=999999-', 'if-range': etag })
  expect([rest.status, rest.bytes]).toEqual([206, content.subarray(999_999)])
  expect(other.asked).toEqual([{ format: 'parquet', tableVersion: 12 }])
  const different = await start(Buffer.from('other'))
  const refused = await request(different.address, QUERY, { headers: { range: 'bytes=1-', 'if-range': etag } })
  expect([refused.status, refused.body.error.code]).toEqual([400, 'FAILED_PRECONDITION'])
  expect(refused.body.error.message).toMatch(/^the data set cannot be resumed: /)
})

test('ranges that cannot be are refused, and those that nobody can vouch for are not looked at', async () => {
  const edge = await start()
  const etag = await brokenOff(edge, QUERY)
  const beyond = await request(edge.address, QUERY, { headers: { range: 'bytes=1000000-', 'if-range': etag } })
  expect([beyond.status, beyond.headers.get('content-range'), beyond.body.error.code]).toEqual([
    416,
    'bytes */1000000',
    'INVALID_ARGUMENT',
  ])
  const otherRequest = await request(edge.address, `${QUERY}&format=csv`, {
    headers: { range: 'bytes=1-', 'if-range': etag },
  })
  expect([otherRequest.status, otherRequest.body.error.message]).toEqual([
    400,
    expect.stringMatching(/^resume.token is of another request/),
  ])
  for (const headers of [
    { range: 'bytes=5-' },
    { range: 'bytes=5-9', 'if-range': etag },
    { 'if-range': etag },
    { range: 'bytes=5-', 'if-range': 'W/"x"' },
  ]) {
    const whole = await download(edge, QUERY, headers as Record<string, string>)
    expect([whole.status, whole.bytes.length], JSON.stringify(headers)).toEqual([200, 1_000_000])
  }
})

test('a reader that takes its time costs a few chunks of memory, and the rest is there when it goes on', async () => {
  const large = Buffer.alloc(96 * 1024 * 1024, 'abcdefg')
  const edge = await start(large)
  const response = await fetch(`http://${edge.address}${QUERY}`)
  const reader = response.body!.getReader()
  const first = await reader.read()
  const before = process.memoryUsage().arrayBuffers
  // Requests go to and fro meanwhile, so that the server had every chance to read on.
  for (let round = 0; round < 50; round++) await request(edge.address, '/healthz')
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024)
  const hash = createHash('sha256').update(first.value!)
  for (let part = await reader.read(); !part.done; part = await reader.read()) hash.update(part.value)
  expect(`sha-256=:${hash.digest('base64')}:`).toBe(response.headers.get('repr-digest'))
})

test('one that takes nothing for too long is cut off, and may come back', async () => {
  const edge = await start(Buffer.alloc(64 * 1024 * 1024), { limits: { stallTimeoutMs: 200 } })
  const socket = await openSocket(edge.address)
  socket.pause()
  socket.write(`GET ${QUERY} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await until('it is given up', SOON_MS, () => edge.ended.length === 1)
  expect(edge.ended).toEqual([{ route: PATH, status: 499 }])
  expect(edge.disposed).toEqual([])
  socket.destroy()
})

test('a data set that nobody wants any more goes', async () => {
  const edge = await start(Buffer.alloc(16 * 1024 * 1024), { settings: { datasetKeepMs: 0 } })
  await brokenOff(edge, QUERY)
  await until('the file is gone', SOON_MS, () => edge.disposed.length === 1)
})

test('a failure on the way cuts the connection and is logged: fewer bytes come than were announced', async () => {
  const edge = await start(Buffer.alloc(32 * 1024 * 1024))
  const response = await fetch(`http://${edge.address}${QUERY}`)
  truncateSync(edge.files[0]!, 1000)
  await expect(response.arrayBuffer()).rejects.toThrow()
  await until('it is logged', SOON_MS, () => edge.logged.length === 1)
  expect(edge.logged[0]).toMatchObject({ route: PATH, error: { code: 'INTERNAL' } })
  expect((await request(edge.address, '/healthz')).status).toBe(200)
})
