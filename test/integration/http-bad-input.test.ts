/** What a faulty body gets over HTTP from a real server, and that the server goes on; drain, metrics and workers of a real process. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { acceptedConnections, childrenOf } from '../support/process-tree.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { exchange, openSocket, post, rawPost, request } from './http-fixture.ts'

const EVERY_TYPE = new URL('../fixtures/every-type', import.meta.url).pathname
const GET = '/v1/get-features'
const WRITE = '/v1/write-features'

let dir: string
let server: ServerProcess
let http: string
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-http-bad-'))
  const flags = [
    '--http',
    '127.0.0.1:0',
    '--metrics',
    '127.0.0.1:0',
    '--log-level',
    'warn',
    '--http-answer-bytes-max',
    '64KiB',
  ]
  const limits = [
    '--entities-max',
    '100',
    '--write-rows-max',
    '3',
    '--value-bytes-max',
    '60000',
    '--http-body-bytes-max',
    '2MiB',
  ]
  server = await startServerProcess({
    dataDir: join(dir, 'data'),
    definitions: EVERY_TYPE,
    flags: [...flags, ...limits],
  })
  http = server.httpAddress!
})
afterAll(async () => {
  expect(await server.stop(), 'exit code after a drain').toBe(0)
  rmSync(dir, { recursive: true, force: true })
})

const stock = (members: string) => `{"view": "stock", "rows": [${members}]}`
const item = (members: string) => `{"view": "every_type", "rows": [{"item": "a", ${members}}]}`
const ask = (entities: string, rest = '"feature_service": "stock_only"') => `{${rest}, "entities": ${entities}}`
const NOT_JSON = 'the body is not JSON as it should be: '

/** What, path, body, status, code, and what the message must have. */
const REFUSED: readonly (readonly [string, string, string | Buffer, number, string, string | RegExp])[] = [
  ['no body', GET, '', 400, 'INVALID_ARGUMENT', `${NOT_JSON}line 1, column 1: expected an object, the text ends`],
  [
    'garbage',
    GET,
    '\u0000\u0001',
    400,
    'INVALID_ARGUMENT',
    `${NOT_JSON}line 1, column 1: expected an object, found "\\u0000"`,
  ],
  [
    'bytes that are not UTF-8',
    GET,
    Buffer.from([0x7b, 0xff, 0x7d]),
    400,
    'INVALID_ARGUMENT',
    'the body is not UTF-8, which JSON has to be',
  ],
  ['a list', GET, '[]', 400, 'INVALID_ARGUMENT', /expected an object, found "\["/],
  [
    'a body cut short',
    GET,
    ask('[{"item": "a", "sh').slice(0, -1),
    400,
    'INVALID_ARGUMENT',
    /line 1, column \d+: the string that begins here has no end/,
  ],
  [
    'an unknown field',
    GET,
    '{"feature_servce": "stock_only"}',
    400,
    'INVALID_ARGUMENT',
    'unknown field "feature_servce"; did you mean feature_service?',
  ],
  [
    '__proto__',
    GET,
    '{"__proto__": {"feature_service": "stock_only"}}',
    400,
    'INVALID_ARGUMENT',
    /^unknown field "__proto__"; known are feature_service, features/,
  ],
  ['constructor', GET, '{"constructor": {"prototype": {}}}', 400, 'INVALID_ARGUMENT', /^unknown field "constructor"/],
  [
    'a field given twice',
    GET,
    ask('[]', '"feature_service": "stock_only", "feature_service": "x"'),
    400,
    'INVALID_ARGUMENT',
    'field feature_service is given twice',
  ],
  ['nothing selected', GET, '{"entities": []}', 400, 'INVALID_ARGUMENT', /^give either feature_service/],
  [
    'both selected',
    GET,
    ask('[]', '"feature_service": "stock_only", "features": ["stock:*"]'),
    400,
    'INVALID_ARGUMENT',
    /^give either feature_service/,
  ],
  [
    'a service that is no string',
    GET,
    ask('[]', '"feature_service": {"a": 1}'),
    400,
    'INVALID_ARGUMENT',
    'feature_service: expected a string, got an object',
  ],
  [
    'features that are no strings',
    GET,
    ask('[]', '"features": ["stock:*", 1]'),
    400,
    'INVALID_ARGUMENT',
    'features[1]: expected a string, got number 1',
  ],
  [
    'an unknown service',
    GET,
    ask('[]', '"feature_service": "stock_onyl"'),
    404,
    'NOT_FOUND',
    'unknown feature service "stock_onyl"; did you mean stock_only?',
  ],
  ['an unknown feature', GET, ask('[]', '"features": ["stock:on_hnd"]'), 404, 'NOT_FOUND', /did you mean on_hand\?/],
  [
    'no entities',
    GET,
    '{"feature_service": "stock_only"}',
    400,
    'INVALID_ARGUMENT',
    'entities: not given; a list of rows, each with item, shop',
  ],
  [
    'entities that are none',
    GET,
    ask('"a"'),
    400,
    'INVALID_ARGUMENT',
    'entities: expected an array of rows or an object of columns, got string "a"',
  ],
  [
    'an unknown consistency',
    GET,
    ask('[]', '"feature_service": "stock_only", "consistency": "fresh"'),
    400,
    'INVALID_ARGUMENT',
    'consistency: expected CACHED or FRESH, got "fresh"',
  ],
  [
    'columns of different lengths',
    GET,
    ask('{"item": ["a", "b"], "shop": [1]}'),
    400,
    'INVALID_ARGUMENT',
    /entities\.shop: has 1 values, but item has 2/,
  ],
  [
    'a column that is no list',
    GET,
    ask('{"item": "a", "shop": [1]}'),
    400,
    'INVALID_ARGUMENT',
    /entities\.item: expected an array, a value for each row, got string "a"/,
  ],
  [
    'a key that is null',
    GET,
    ask('[{"item": null, "shop": 1}]'),
    400,
    'INVALID_ARGUMENT',
    /columns\.item\[0\]: expected string, got null/,
  ],
  [
    'an int64 that is too large',
    GET,
    ask('[{"item": "a", "shop": 9223372036854775808}]'),
    400,
    'INVALID_ARGUMENT',
    /entities\[0\]\.shop: 9223372036854775808 is outside int64/,
  ],
  [
    'an int64 of a million digits',
    GET,
    ask(`[{"item": "a", "shop": ${'9'.repeat(1_000_000)}}]`),
    400,
    'INVALID_ARGUMENT',
    /entities\[0\]\.shop: 9{40}\.\.\. is outside int64/,
  ],
  [
    'an int64 with an exponent',
    GET,
    ask('[{"item": "a", "shop": 1e3}]'),
    400,
    'INVALID_ARGUMENT',
    /entities\[0\]\.shop: expected int64, got 1e3; write it in digits/,
  ],
  [
    'a member given twice',
    GET,
    ask('[{"item": "a", "shop": 1, "item": "b"}]'),
    400,
    'INVALID_ARGUMENT',
    /entities\[0\]\.item: given twice/,
  ],
  ['nesting', GET, ask(`${'['.repeat(100_000)}`), 400, 'INVALID_ARGUMENT', /nested more than 32 deep/],
  [
    'too many entities',
    GET,
    ask(JSON.stringify(Array.from({ length: 101 }, (_, shop) => ({ item: 'a', shop })))),
    400,
    'INVALID_ARGUMENT',
    /more than 100 entity rows \(entities-max\)/,
  ],
  [
    'a lone surrogate',
    GET,
    ask('[{"item": "\\ud800", "shop": 1}]'),
    400,
    'INVALID_ARGUMENT',
    /entities\[0\]\.item: not well-formed Unicode/,
  ],
  [
    'an unknown field behind the others',
    WRITE,
    '{"view": "stock", "rows": [{"item": "a", "shop": 1}], "wrte_id": "x"}',
    400,
    'INVALID_ARGUMENT',
    'unknown field "wrte_id"; did you mean write_id?',
  ],
  [
    'something behind the body',
    WRITE,
    `${stock('{"item": "a", "shop": 1}')}]`,
    400,
    'INVALID_ARGUMENT',
    /line 1, column 54: something follows the end of the JSON text, found "\]"$/,
  ],
  ['no view', WRITE, '{"rows": []}', 400, 'INVALID_ARGUMENT', 'view: not given; the name of a feature view'],
  [
    'an unknown view',
    WRITE,
    '{"rows": [], "view": "stok"}',
    404,
    'NOT_FOUND',
    'unknown feature view "stok"; did you mean stock?',
  ],
  ['no rows', WRITE, '{"view": "stock"}', 400, 'INVALID_ARGUMENT', 'rows: not given; a list of objects'],
  ['an empty list of rows', WRITE, stock(''), 400, 'INVALID_ARGUMENT', /rows: there are none/],
  [
    'rows that are none',
    WRITE,
    stock('1, {"item": "a", "shop": 1}'),
    400,
    'INVALID_ARGUMENT',
    /rows\[0\]: expected an object, got number 1/,
  ],
  [
    'too many rows',
    WRITE,
    stock(Array.from({ length: 4 }, () => '{"item": "a", "shop": 1}').join(',')),
    400,
    'INVALID_ARGUMENT',
    /more than 3 \(option write-rows-max\)/,
  ],
  [
    'a missing key',
    WRITE,
    stock('{"item": "a"}'),
    400,
    'INVALID_ARGUMENT',
    /the join key shop \(int64\) of view stock is not among them/,
  ],
  [
    'a key that one row lacks',
    WRITE,
    stock('{"item": "a", "shop": 1}, {"item": "a"}'),
    400,
    'INVALID_ARGUMENT',
    /rows\[1\]\.shop: a join key \(int64\) must have a value, got an unset value/,
  ],
  [
    'an unknown name',
    WRITE,
    stock('{"item": "a", "shop": 1, "on_hnd": 1}'),
    400,
    'INVALID_ARGUMENT',
    /^nothing was written to stock:\n {2}rows\[0\]: view stock has no join key or feature "on_hnd"; did you mean on_hand\?$/,
  ],
  [
    'a name given twice',
    WRITE,
    stock('{"item": "a", "shop": 1, "shop": 1}'),
    400,
    'INVALID_ARGUMENT',
    /rows\[0\]\.shop: given twice/,
  ],
  [
    'a time that is none',
    WRITE,
    stock('{"item": "a", "shop": 1, "event_timestamp": 1700000000}'),
    400,
    'INVALID_ARGUMENT',
    /rows\[0\]\.event_timestamp: expected a time such as .*, got number 1700000000/,
  ],
  [
    'a time far ahead',
    WRITE,
    stock('{"item": "a", "shop": 1, "event_timestamp": "2200-01-01T00:00:00Z"}'),
    400,
    'INVALID_ARGUMENT',
    /option event-time-ahead-max/,
  ],
  [
    'an unknown ack',
    WRITE,
    '{"view": "stock", "ack": "ALL", "rows": []}',
    400,
    'INVALID_ARGUMENT',
    'ack: expected ONLINE or BOTH, got "ALL"',
  ],
  [
    'a value that is too large',
    WRITE,
    item(`"a_string": "${'x'.repeat(60_001)}"`),
    400,
    'INVALID_ARGUMENT',
    /option value-bytes-max/,
  ],
  [
    'a body that is too large',
    WRITE,
    ' '.repeat(2 * 1024 * 1024 + 1),
    413,
    'RESOURCE_EXHAUSTED',
    /option http-body-bytes-max/,
  ],
  ...(
    [
      ['a_bool', '1', 'expected bool, got number 1'],
      ['a_bool', '"true"', 'expected bool, got string "true"'],
      ['an_int32', '2147483648', '2147483648 is outside int32'],
      ['an_int32', '1.0', 'expected int32, got 1.0; write it without fraction and exponent'],
      ['an_int64', 'true', 'expected int64, got boolean true'],
      ['an_int64', '"0x10"', 'expected int64, got 0x10; write it in digits, without fraction and exponent'],
      ['a_float', '1e39', '1e39 is outside float'],
      ['a_double', '1e309', '1e309 is outside double'],
      ['a_double', '"1.5"', 'expected double, got string 1.5; as strings there are NaN, Infinity and -Infinity'],
      ['a_double', '"NaN"', 'NaN and infinity are not allowed (declare the feature with allowNaN to accept them)'],
      ['a_string', '["a"]', 'expected string, got an array'],
      ['some_bytes', '"A"', 'expected bytes, got a string that is not base64: A'],
      ['some_bytes', '"AP8=="', 'expected bytes, got a string that is not base64: AP8=='],
      ['some_bytes', '[0]', 'expected bytes, as a base64 string, got an array'],
      ['a_time', '"2026-11-22"', 'expected timestamp, got 2026-11-22; write it as 2026-11-22T04:38:03Z (RFC 3339)'],
      ['a_time', '"2026-11-22T04:38:03.5Z"', 'timestamps are in whole seconds, which 2026-11-22T04:38:03.5Z is not'],
      ['a_time', '"9999-01-01T00:00:00Z"', '9999-01-01T00:00:00Z is outside the supported range'],
      ['a_time', '1700000000', 'expected timestamp, as an RFC 3339 string, got number 1700000000'],
      ['a_list', '[1, null]', 'item 1: expected int64, got null'],
      ['a_list', '[1, "x", {}]', 'item 1: expected int64, got x; write it in digits, without fraction and exponent'],
      ['a_list', '1', 'expected list<int64>, got number 1'],
      ['a_vector', '[1, 2]', 'expected 3 numbers, got 2'],
    ] as const
  ).map(
    ([name, value, problem]) =>
      [
        `${name}: ${value}`,
        WRITE,
        item(`"${name}": ${value}`),
        400,
        'INVALID_ARGUMENT',
        `nothing was written to every_type:\n  rows[0].${name}: ${problem}`,
      ] as const,
  ),
]

test.each(REFUSED)('%s', async (_what, path, body, status, code, message) => {
  const answer = await post(http, path, body)
  expect([answer.status, answer.body.error.code], answer.text.slice(0, 500)).toEqual([status, code])
  if (typeof message === 'string') expect(answer.body.error.message).toBe(message)
  else expect(answer.body.error.message).toMatch(message)
  expect(answer.text, 'a stack trace').not.toMatch(/\\n\s+at /)
  expect(answer.text.length, 'what came is not sent back whole').toBeLessThan(3000)
})

test('base64 is read in both alphabets, with padding and without', async () => {
  for (const text of ['-_8', '+/8=', '-_8=', '+/8', '']) {
    expect((await post(http, WRITE, item(`"some_bytes": "${text}"`))).status, text).toBe(200)
    const { body } = await post(http, GET, { features: ['every_type:some_bytes'], entities: [{ item: 'a' }] })
    expect(body.rows[0].values.every_type__some_bytes).toBe(text === '' ? '' : '+/8=')
  }
})

test('an answer that would be too large is refused, naming the limit', async () => {
  await post(http, WRITE, item(`"a_string": "${'y'.repeat(1000)}"`))
  const entities = Array.from({ length: 100 }, () => ({ item: 'a' }))
  const { status, body } = await post(http, GET, { features: ['every_type:a_string'], entities })
  expect([status, body.error.code, body.error.message]).toEqual([
    429,
    'RESOURCE_EXHAUSTED',
    'the answer would be larger than 65536 bytes (option http-answer-bytes-max); ask for fewer rows or features',
  ])
})

test('no bytes of a body make the server answer with anything but JSON, or not at all', async () => {
  const sound = Buffer.from(stock('{"item": "f", "shop": 1, "on_hand": 2, "event_timestamp": "2026-01-01T00:00:00Z"}'))
  const damaged = fc
    .array(fc.tuple(fc.nat({ max: sound.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 })
    .map((changes) => {
      const bytes = Buffer.from(sound)
      for (const [at, byte] of changes) bytes[at] = byte
      return bytes
    })
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        damaged,
        fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
      ),
      async (bytes) => {
        const { status, body } = await post(http, WRITE, bytes)
        expect([200, 400, 404]).toContain(status)
        expect(Object.keys(body)).toEqual([status === 200 ? 'outcomes' : 'error'])
        expect(body.error?.code ?? 'INVALID_ARGUMENT').toMatch(/^(INVALID_ARGUMENT|NOT_FOUND)$/)
      },
    ),
    { numRuns: 150 },
  )
})

test('requests are counted by route and status, whatever paths are asked for', async () => {
  const before = await counts()
  await post(http, GET, ask('[]'))
  await post(http, GET, '{')
  for (const path of ['/a', '/b', '/v1/none']) await request(http, path)
  const after = await counts()
  const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0)
  expect(grown('{route="/v1/get-features",status="200"}')).toBe(1)
  expect(grown('{route="/v1/get-features",status="400"}')).toBe(1)
  expect(grown('{route="unknown",status="404"}')).toBe(3)
})

async function counts(): Promise<Map<string, number>> {
  const { text } = await request(server.metricsAddress!, '/metrics')
  const samples = [...text.matchAll(/^twinstore_http_requests_total(\{.*\}) (\d+)$/gm)]
  return new Map(samples.map(([, labels, value]) => [labels!, Number(value)]))
}

test('two workers share an HTTP address too, and both drain', async () => {
  const flags = ['--http', '127.0.0.1:0', '--workers', '2', '--archive-interval', '50ms', '--log-level', 'warn']
  const workers = await startServerProcess({ dataDir: join(dir, 'workers'), definitions: EVERY_TYPE, flags })
  try {
    const address = workers.httpAddress!
    const body = { view: 'stock', rows: [{ item: 'w', shop: 1, on_hand: 3 }] }
    expect((await post(address, WRITE, body)).status).toBe(200)
    const opened = await Promise.all(Array.from({ length: 8 }, () => openSocket(address)))
    for (const socket of opened) socket.write('GET /v1/describe HTTP/1.1\r\nHost: x\r\n\r\n')
    await Promise.all(opened.map((socket) => new Promise((resolve) => socket.once('data', resolve))))
    const port = Number(address.split(':')[1])
    const spread = acceptedConnections(port, childrenOf(workers.process.pid!))
    expect(
      spread.every((count) => count >= 4),
      `connections by worker: ${spread}`,
    ).toBe(true)
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        exchange(
          address,
          rawPost(
            GET,
            ask('[{"item": "w", "shop": 1}]', '"feature_service": "stock_only", "consistency": "FRESH"'),
            'Connection: close\r\n',
          ),
        ),
      ),
    )
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*"stock__on_hand":3,/)
    for (const socket of opened) socket.destroy()
    const client = connect(workers.address)
    expect((await client.describe()).services.length).toBe(3)
    client.close()
    expect(await workers.stop()).toBe(0)
  } finally {
    // After a failure nothing of it may stay.
    if (workers.process.exitCode === null) await workers.stop()
  }
})
