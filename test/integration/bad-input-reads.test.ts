/** What a faulty GetFeatures or StreamFeatures gets, over the wire from a real server: the exact code, and a message that names the fault. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type BadInput,
  type BadInputServer,
  expectRefused,
  int64s,
  startBadInputServer,
  stockRows,
  strings,
  TOO_LARGE_A_MESSAGE,
} from './bad-input-fixture.ts'

let server: BadInputServer
beforeAll(async () => {
  server = await startBadInputServer([
    ...['--entities-max', '5', '--features-max', '16', '--response-bytes-max', '2KiB'],
    ...['--request-bytes-max', '8KiB', '--grpc-message-bytes-max', '16KiB', '--log-level', 'warn'],
  ])
})
afterAll(() => server.close())

const features = (...references: readonly string[]) => ({ features: { references }, columns: [strings('item', 'a')] })
const stock = (...columns: readonly object[]) => ({ featureService: 'stock_only', columns })
const fail = (...val: readonly boolean[]) => ({ name: 'fail', bools: { val } })

/** `all_of_item` for one item, whose name is any bytes. */
function messageWithKey(key: Buffer): Buffer {
  const column = Buffer.concat([field(1, Buffer.from('item')), field(2, field(1, key))])
  return Buffer.concat([field(1, Buffer.from('all_of_item')), field(3, column)])
}

function field(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
}

const REFUSED: readonly BadInput[] = [
  [
    'an unknown service',
    { featureService: 'stock_onyl' },
    'NOT_FOUND',
    'unknown feature service "stock_onyl"; did you mean stock_only?',
  ],
  [
    'a service like no other',
    { featureService: 'zzz' },
    'NOT_FOUND',
    'unknown feature service "zzz"; known are all_of_item, stock_check, stock_only',
  ],
  [
    'a name of 7000 characters',
    { featureService: 'z'.repeat(7000) },
    'NOT_FOUND',
    /^unknown feature service "z{100}\.\.\."; known are/,
  ],
  [
    'unknown views and features',
    features('every_tipe:a_bool', 'every_type:a_bol', 'every_type:zzz'),
    'NOT_FOUND',
    /features\[0\]: unknown view "every_tipe"; did you mean every_type\?\n.*features\[1\]: view every_type has no feature "a_bol"; did you mean a_bool\?\n.*features\[2\]: view every_type has no feature "zzz"; known are a_bool, /,
  ],
  ['a malformed reference', features('every_type'), 'INVALID_ARGUMENT', /"every_type" is not of the form view:feature/],
  [
    'a feature twice',
    features('every_type:*', 'every_type:a_bool'),
    'INVALID_ARGUMENT',
    /every_type:a_bool is asked for twice/,
  ],
  ['no selection', { columns: [] }, 'INVALID_ARGUMENT', 'nothing is selected: give feature_service or features'],
  [
    'wrong and missing columns, all named',
    { featureService: 'stock_check', columns: [strings('item', 'a'), int64s('shopp', 1)] },
    'INVALID_ARGUMENT',
    "the request's columns do not fit its selection:\n" +
      '  columns.shopp: not a join key or request feature of this selection; did you mean shop?\n' +
      '  columns.shop: not given; expected join key of type int64\n' +
      '  columns.fail: not given; expected request feature of type bool',
  ],
  [
    'ragged columns',
    stock(strings('item', 'a', 'b'), int64s('shop', 1)),
    'INVALID_ARGUMENT',
    /columns\.shop: has 1 values, but column item has 2/,
  ],
  [
    'a column twice',
    stock(strings('item', 'a'), strings('item', 'a'), int64s('shop', 1)),
    'INVALID_ARGUMENT',
    /columns\.item: given twice/,
  ],
  [
    'key columns of the wrong type',
    stock(int64s('item', 1), strings('shop', 'x')),
    'INVALID_ARGUMENT',
    /columns\.item: expected string \(as strings or list\), got int64s\n.*columns\.shop: expected int64 \(as int64s or list\), got strings/,
  ],
  [
    'keys that are null, missing or of another type',
    stock({ name: 'item', list: { val: [{ nullVal: 0 }, {}, { doubleVal: 1 }] } }, int64s('shop', 1, 2, 3)),
    'INVALID_ARGUMENT',
    /columns\.item\[0\]: expected string, got null\n.*\[1\]: expected string, got a missing value\n.*\[2\]: expected string, got double/,
  ],
  [
    'a key that is not UTF-8',
    messageWithKey(Buffer.from([0xff, 0xfe])),
    'INVALID_ARGUMENT',
    /columns\.item\[0\]: not UTF-8/,
  ],
  [
    'a request feature of another type',
    { featureService: 'stock_check', columns: [...stockRows(1), { name: 'fail', list: { val: [{ doubleVal: 1 }] } }] },
    'INVALID_ARGUMENT',
    /columns\.fail\[0\]: expected bool, got double/,
  ],
  [
    'too many entities',
    stock(...stockRows(6)),
    'INVALID_ARGUMENT',
    /columns\.item: more than 5 entity rows \(entities-max\); send them in several requests/,
  ],
  [
    'too many features',
    features('every_type:*', 'stale_served:*', 'stale_null:*', 'stale_default:*', 'stale_rejected:*', 'stock:*'),
    'INVALID_ARGUMENT',
    '17 features, at most 16 (features-max)',
  ],
  [
    'too many references',
    features(...Array.from({ length: 17 }, () => 'every_type:a_bool')),
    'INVALID_ARGUMENT',
    '17 references, at most 16 (features-max)',
  ],
  [
    'an entity key that is too long',
    stock(strings('item', 'x'.repeat(2000)), int64s('shop', 1)),
    'INVALID_ARGUMENT',
    /entities\[0\]: its key for stock takes 2012 bytes, more than 512 \(entity-key-bytes-max\)/,
  ],
  [
    'a request that is too large',
    stock(strings('item', 'x'.repeat(10_000)), int64s('shop', 1)),
    'INVALID_ARGUMENT',
    /the request has \d+ bytes, at most 8192 \(request-bytes-max\)/,
  ],
  [
    'a message that is too large',
    stock(strings('item', 'x'.repeat(20_000)), int64s('shop', 1)),
    'RESOURCE_EXHAUSTED',
    TOO_LARGE_A_MESSAGE,
  ],
  [
    'an unknown format',
    { ...stock(...stockRows(1)), format: 9 },
    'INVALID_ARGUMENT',
    /^format: 9 is not one this server knows/,
  ],
  [
    'an unknown consistency',
    { ...stock(...stockRows(1)), consistency: 9 },
    'INVALID_ARGUMENT',
    /^consistency: 9 is not/,
  ],
  [
    'a tensor of what is not numbers',
    { ...features('every_type:*'), format: 2 },
    'INVALID_ARGUMENT',
    /every_type__a_string \(string\), every_type__some_bytes \(bytes\), every_type__a_list \(list<int64>\)/,
  ],
  ['text for bytes', Buffer.from('garbage bytes'), 'INVALID_ARGUMENT', /^not a GetFeaturesRequest: /],
  ['an endless varint', Buffer.alloc(16, 0xff), 'INVALID_ARGUMENT', /^not a GetFeaturesRequest: /],
  ['a length beyond the message', Buffer.from([0x0a, 0x7f, 0x61]), 'INVALID_ARGUMENT', /^not a GetFeaturesRequest: /],
]

test.each(REFUSED)('%s', async (...input) => {
  await expectRefused(server, 'Serving/GetFeatures', input)
  await expectRefused(server, 'Serving/StreamFeatures', input)
})

test('an answer that is too large', async () => {
  const text = 'x'.repeat(1500)
  const rows = ['long-1', 'long-2'].map((item) => ({ item, a_string: text }))
  await server.client.writeFeatures('every_type', rows)
  const request = { features: { references: ['every_type:a_string'] }, columns: [strings('item', 'long-1', 'long-2')] }
  const refusal = await server.raw.refused('Serving/GetFeatures', request)
  expect(refusal).toEqual({ code: 'RESOURCE_EXHAUSTED', message: expect.stringContaining('(response-bytes-max)') })
})

test('a fault ends a stream after the answers before it', async () => {
  const good = stock(...stockRows(1))
  await expectRefused(server, 'Serving/StreamFeatures', [
    'a good request and a bad one',
    [good, { featureService: 'stock_onyl' }],
    'NOT_FOUND',
    /unknown feature service "stock_onyl"/,
  ])
  expect(await server.raw.call('Serving/StreamFeatures', [good, good])).toHaveLength(2)
})

test('a computation that fails makes its own slots UNAVAILABLE and is logged with its name', async () => {
  const rows = [
    { item: 'item-0', shop: 1n, on_hand: 4n },
    { item: 'item-1', shop: 2n, on_hand: 5n },
  ]
  await server.client.writeFeatures('stock', rows)
  const [answer] = await server.raw.call('Serving/GetFeatures', {
    featureService: 'stock_check',
    columns: [...stockRows(2), fail(true, false)],
  })
  const { vectors } = answer as { vectors: { values: object[]; statuses: Buffer }[] }
  expect([...vectors[0]!.statuses]).toEqual([1, 3, 5])
  expect(vectors[0]!.values[0]).toMatchObject({ int64Val: '4' })
  expect(vectors[1]!.values[2]).toMatchObject({ doubleVal: 10 })
  await expect.poll(() => server.process.stderr()).toMatch(/"view":"fragile".*told to fail/)
})

test('every onStale says that the value is outside its max age', async () => {
  const views = ['stale_served', 'stale_null', 'stale_default', 'stale_rejected']
  const long = new Date(Date.now() - 3_600_000)
  for (const view of views) {
    await server.client.writeFeatures(view, [{ item: 'old', level: 0.9, event_timestamp: long }])
  }
  const [answer] = await server.raw.call('Serving/GetFeatures', {
    features: { references: views.map((view) => `${view}:level`) },
    columns: [strings('item', 'old')],
  })
  const [vector] = (answer as { vectors: { values: object[]; statuses: Buffer }[] }).vectors
  expect([...vector!.statuses]).toEqual([4, 4, 4, 4])
  expect(vector!.values).toEqual([
    expect.objectContaining({ doubleVal: 0.9 }),
    expect.objectContaining({ nullVal: 'NULL' }),
    expect.objectContaining({ doubleVal: 0.5 }),
    {},
  ])
})
