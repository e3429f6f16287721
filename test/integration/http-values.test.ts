/** Every type of value over HTTP, against what the gRPC client gives for the same rows: written through either, read through both. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type FeatureRow, type PlainValue, type TwinstoreClient } from '../../src/client/index.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { post, request } from './http-fixture.ts'

const EVERY_TYPE = new URL('../fixtures/every-type', import.meta.url).pathname
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

let dir: string
let server: ServerProcess
let client: TwinstoreClient
let http: string
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-http-values-'))
  const flags = ['--http', '127.0.0.1:0', '--lmdb-durability', 'process', '--log-level', 'warn']
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions: EVERY_TYPE, flags })
  client = connect(server.address)
  http = server.httpAddress!
})
afterAll(async () => {
  client.close()
  await server.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** A value as a client of JSON writes it; `undefined` is a member that is left out. */
function json(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Date) return JSON.stringify(value.toISOString().replace('.000Z', 'Z'))
  if (Buffer.isBuffer(value)) return JSON.stringify(value.toString('base64'))
  if (Array.isArray(value)) return `[${value.map(json).join(',')}]`
  if (typeof value === 'number' && !Number.isFinite(value)) return `"${value}"`
  if (Object.is(value, -0)) return '-0'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => `${JSON.stringify(name)}:${json(member)}`)
    .join(',')}}`
}

/** The row of an answer, as the answer to the gRPC client says that it must be. */
function expectedRow(row: FeatureRow): string {
  const statuses = Object.fromEntries(Object.entries(row.statuses).filter(([, status]) => status !== 'PRESENT'))
  const times = Object.entries(row.eventTimestamps).map(
    ([view, time]) => [view, time === null ? null : time.toISOString().replace('.000Z', 'Z')] as const,
  )
  return `{"values":${json(row.values)},"statuses":${json(statuses)},"event_timestamps":${JSON.stringify(Object.fromEntries(times))}}`
}

const seconds = fc.integer({ min: -9_007_199_254, max: 9_007_199_254 }).map((second) => new Date(second * 1000))
const gap = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 5, arbitrary: value }, fc.constant(null), fc.constant(undefined))
const int64 = fc.oneof(
  fc.bigInt(INT64_MIN, INT64_MAX),
  fc.constantFrom(INT64_MIN, INT64_MAX, 2n ** 53n, 2n ** 53n + 1n, 0n),
)
const anyText = fc.string({ unit: 'grapheme', maxLength: 40 })
const number = fc.double({ noNaN: true, noDefaultInfinity: true })
const float = fc.float({ noNaN: true, noDefaultInfinity: true })

const anyRow = fc.record({
  a_bool: gap(fc.boolean()),
  an_int32: gap(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  an_int64: gap(int64),
  a_float: gap(float),
  a_double: gap(number),
  a_loose_double: gap(fc.double()),
  a_string: gap(fc.oneof(anyText, fc.constantFrom('', '"\\\n\u0000\u2028', '😀'))),
  some_bytes: gap(fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))),
  a_time: gap(seconds),
  a_list: gap(fc.array(int64, { maxLength: 5 })),
  a_vector: gap(fc.array(float, { minLength: 3, maxLength: 3 })),
})

let written = 0
const SERVICE = 'all_of_item'

test('what is written and read over either is the same over both', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyRow, { minLength: 1, maxLength: 4 }), fc.boolean(), async (values, overHttp) => {
      const rows = values.map((row) => ({ item: `item ${written++} é`, ...row }))
      if (overHttp) {
        const answer = await post(http, '/v1/write-features', json({ view: 'every_type', rows }))
        expect(answer.status, answer.text).toBe(200)
        expect(answer.body.outcomes.map(({ status }: { status: string }) => status)).toEqual(rows.map(() => 'APPLIED'))
      } else await client.writeFeatures('every_type', rows)

      const entities = [...rows.map(({ item }) => ({ item })), { item: 'nobody' }]
      const known = await client.getFeatures({ service: SERVICE, entities })
      // Twice: with the layout, and as a selection whose layout is known.
      for (let time = 0; time < 2; time++) {
        const answer = await post(http, '/v1/get-features', { feature_service: SERVICE, entities })
        expect(answer.text).toBe(
          `{"fingerprint":"${known.layout.fingerprint}","rows":[${known.rows.map(expectedRow).join(',')}]}`,
        )
      }
      const [first] = rows
      for (const [name, value] of Object.entries(values[0]!)) {
        expect(known.rows[0]!.values[`every_type__${name}`], `${first!.item} ${name}`).toEqual(
          (value ?? null) as PlainValue,
        )
      }
    }),
    { numRuns: 60 },
  )
})

test('an export as rows is a line of JSON for each, with the same values', async () => {
  const rows = [
    {
      item: 'line',
      an_int64: INT64_MAX,
      a_list: [INT64_MIN, 1n],
      a_string: 'ü',
      some_bytes: Buffer.from([0, 255]),
      a_time: new Date(0),
      event_timestamp: new Date('2026-01-02T03:04:05.678Z'),
    },
  ]
  await client.writeFeatures('every_type', rows)
  const { text, status, headers } = await post(http, '/v1/export-features', {
    view: 'every_type',
    format: 'rows',
    entities: [{ item: 'line' }],
    columns: ['item', 'event_timestamp', 'an_int64', 'a_list', 'a_string', 'some_bytes', 'a_time', 'a_bool'],
  })
  expect([status, headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
  expect(text).toBe(
    '{"item":"line","event_timestamp":"2026-01-02T03:04:05.678Z","an_int64":9223372036854775807,"a_list":[-9223372036854775808,1],"a_string":"ü","some_bytes":"AP8=","a_time":"1970-01-01T00:00:00Z","a_bool":null}\n',
  )
})

test('the members of a body may come in any order', async () => {
  await post(http, '/v1/write-features', { view: 'stock', rows: [{ item: 'order', shop: 1, on_hand: 2 }] })
  const members = {
    feature_service: 'stock_only',
    entities: [{ item: 'order', shop: 1 }],
    consistency: 'FRESH',
    features: null,
  }
  const known = await post(http, '/v1/get-features', members)
  expect(known.status, known.text).toBe(200)
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(Object.entries(members), { minLength: 4 }), async (entries) => {
      expect((await post(http, '/v1/get-features', Object.fromEntries(entries))).text).toBe(known.text)
    }),
    { numRuns: 30 },
  )
  const write = { view: 'stock', rows: [{ item: 'order', shop: 1, on_hand: 3 }], ack: 'ONLINE', write_id: 'any order' }
  const first = await post(http, '/v1/write-features', write)
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(Object.entries(write), { minLength: 4 }), async (entries) => {
      expect((await post(http, '/v1/write-features', Object.fromEntries(entries))).text).toBe(first.text)
    }),
    { numRuns: 30 },
  )
})

test('an int64 is read as digits in a string too, a join key as well; entities as columns', async () => {
  const big = '9223372036854775807'
  const write = await post(http, '/v1/write-features', {
    rows: [{ item: 'a', shop: big, on_hand: '-9223372036854775808' }],
    view: 'stock',
  })
  expect(write.status, write.text).toBe(200)
  const asRows = await post(
    http,
    '/v1/get-features',
    `{"feature_service": "stock_only", "entities": [{"item": "a", "shop": ${big}}], "consistency": "FRESH"}`,
  )
  const asColumns = await post(http, '/v1/get-features', {
    features: ['stock:*'],
    entities: { shop: [big], item: ['a'] },
  })
  expect(asRows.text).toContain(
    '"values":{"stock__on_hand":-9223372036854775808,"stock__on_order":0},"statuses":{"stock__on_order":"NOT_FOUND"}',
  )
  expect(asColumns.text).toBe(asRows.text)
})

test('request features are given with the entities; one that fails its computation is a status', async () => {
  const answer = await post(http, '/v1/get-features', {
    feature_service: 'stock_check',
    entities: [
      { item: 'b', shop: 1, fail: false },
      { item: 'b', shop: 1, fail: true },
    ],
  })
  expect(answer.body.rows[0]).toMatchObject({
    values: { fragile__doubled: null },
    statuses: { fragile__doubled: 'NULL' },
  })
  expect(answer.body.rows[1]).toMatchObject({
    values: { fragile__doubled: null },
    statuses: { fragile__doubled: 'UNAVAILABLE' },
  })
})

test('no entities are no rows, and event times are exact to the microsecond', async () => {
  expect((await post(http, '/v1/get-features', { feature_service: 'stock_only', entities: [] })).body.rows).toEqual([])
  const event_timestamp = '2026-03-04T05:06:07.890123Z'
  await post(http, '/v1/write-features', { view: 'stock', rows: [{ item: 't', shop: 1, on_hand: 2, event_timestamp }] })
  const { body } = await post(http, '/v1/get-features', {
    feature_service: 'stock_only',
    entities: [{ item: 't', shop: 1 }],
  })
  expect(body.rows[0].event_timestamps).toEqual({ stock: event_timestamp })
})

test('rows need not give the same members, nor in the same order; a write with the id of an earlier one changes nothing', async () => {
  const first = { item: 'm1', shop: 1, on_hand: 1 }
  const body = (rows: readonly object[]) => ({ view: 'stock', rows, write_id: 'members', ack: 'BOTH' })
  const one = await post(http, '/v1/write-features', body([first, { on_order: 5, shop: 1, item: 'm2' }]))
  const again = await post(
    http,
    '/v1/write-features',
    body([
      { on_hand: 1, shop: 1, item: 'm1' },
      { item: 'm2', shop: 1, on_order: 5 },
    ]),
  )
  expect([one.status, again.status], one.text).toEqual([200, 200])
  expect(again.text).toBe(one.text)
  const other = await post(http, '/v1/write-features', body([first]))
  expect([other.status, other.body.error.code]).toEqual([409, 'ALREADY_EXISTS'])
  const { rows } = await client.getFeatures({
    service: 'stock_only',
    entities: [
      { item: 'm1', shop: 1n },
      { item: 'm2', shop: 1n },
    ],
  })
  expect(rows.map(({ values, statuses }) => [values, statuses])).toEqual([
    [
      { stock__on_hand: 1n, stock__on_order: 0n },
      { stock__on_hand: 'PRESENT', stock__on_order: 'NOT_FOUND' },
    ],
    [
      { stock__on_hand: null, stock__on_order: 5n },
      { stock__on_hand: 'NOT_FOUND', stock__on_order: 'PRESENT' },
    ],
  ])
})

test('the definitions and the state of the server are told as over gRPC', async () => {
  const description = await client.describe()
  const { body } = await request(http, '/v1/describe')
  expect(body.fingerprint).toBe(description.fingerprint)
  expect(body.services).toEqual(
    description.services.map(({ name, entityColumns, requestColumns, features, description: text }) => ({
      name,
      entity_columns: entityColumns,
      request_columns: requestColumns,
      features,
      description: text,
    })),
  )
  const status = (await request(http, '/v1/status')).body
  expect(status).toMatchObject({
    version: (await client.status()).version,
    fingerprint: description.fingerprint,
    problems: [],
  })
  expect(status.tables.map(({ view }: { view: string }) => view)).toEqual(description.views.map(({ name }) => name))
  const head = await request(http, '/v1/describe', { method: 'HEAD' })
  expect([head.status, head.text]).toEqual([200, ''])
})
