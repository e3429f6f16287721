/** What a faulty export, history, training set or sync gets, over the wire from a real server. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type BadInput,
  type BadInputServer,
  expectRefused,
  int64s,
  startBadInputServer,
  stockRows,
  strings,
} from './bad-input-fixture.ts'

let server: BadInputServer
beforeAll(async () => {
  server = await startBadInputServer([
    ...['--export-entities-max', '3', '--history-rows-max', '10', '--spine-bytes-max', '2KiB'],
    ...['--log-level', 'warn'],
  ])
  await server.client.writeFeatures('stock', [{ item: 'a', shop: 1n, on_hand: 4n }], { ack: 'BOTH' })
})
afterAll(() => server.close())

const GARBAGE = Buffer.from('garbage bytes')
const oneStock = { view: 'stock', entity: [strings('item', 'a'), int64s('shop', 1)] }

const EXPORTS: readonly BadInput[] = [
  ['nothing to export', {}, 'INVALID_ARGUMENT', 'nothing to export: set `view` or `feature_service`'],
  ['an unknown view', { view: 'stok' }, 'NOT_FOUND', 'unknown feature view "stok"; did you mean stock?'],
  [
    'an unknown service',
    { featureService: 'stock_onyl' },
    'NOT_FOUND',
    /^unknown feature service "stock_onyl"; did you mean stock_only\?/,
  ],
  [
    'a service with a request feature',
    { featureService: 'stock_check' },
    'FAILED_PRECONDITION',
    /^service stock_check needs the request feature fail \(of fragile\), which no history has/,
  ],
  [
    'a range that is empty',
    { view: 'stock', fromMicros: '1000', untilMicros: '1000' },
    'INVALID_ARGUMENT',
    /^from_micros \(.*\) must be before until_micros \(.*\)/,
  ],
  [
    'a time outside the supported years',
    { view: 'stock', untilMicros: '9223372036854775807' },
    'INVALID_ARGUMENT',
    /^until_micros 9223372036854775807 is outside the supported years/,
  ],
  [
    'an unknown column',
    { view: 'stock', columns: ['item', 'on_hnd'] },
    'INVALID_ARGUMENT',
    'unknown column of view stock "on_hnd"; did you mean on_hand?',
  ],
  [
    'a column twice',
    { view: 'stock', columns: ['item', 'item'] },
    'INVALID_ARGUMENT',
    'column item is asked for twice',
  ],
  [
    'a version the table does not have',
    { view: 'stock', tableVersion: 999 },
    'NOT_FOUND',
    /^Delta table views\/stock\/v1 has no version 999: it has versions 0 to \d+/,
  ],
  [
    'a negative version',
    { view: 'stock', tableVersion: -1 },
    'INVALID_ARGUMENT',
    /^table_version -1 is not a table version/,
  ],
  [
    'an unknown format',
    { view: 'stock', format: 99 },
    'INVALID_ARGUMENT',
    /^unknown format 99; known are DATASET_FORMAT_PARQUET/,
  ],
  [
    'too many entities',
    { view: 'stock', entities: stockRows(4) },
    'RESOURCE_EXHAUSTED',
    /^4 entities, more than the 3 of option export-entities-max/,
  ],
  [
    'wrong entity columns',
    { view: 'stock', entities: [strings('itm', 'a')] },
    'INVALID_ARGUMENT',
    /column "itm": not a join key; did you mean item\?\n.*"item": missing: .*\n.*"shop": missing: it is a join key of type int64/,
  ],
  ['text for bytes', GARBAGE, 'INVALID_ARGUMENT', 'the request is not a twinstore.v1.ExportFeaturesRequest message'],
]

test.each(EXPORTS)('export: %s', async (...input) => expectRefused(server, 'Offline/ExportFeatures', input))

const HISTORIES: readonly BadInput[] = [
  ['an unknown view', { view: 'stok' }, 'NOT_FOUND', 'unknown feature view "stok"; did you mean stock?'],
  [
    'a join key that is missing',
    { view: 'stock', entity: [strings('item', 'a')] },
    'INVALID_ARGUMENT',
    /column "shop": missing: it is a join key of type int64/,
  ],
  [
    'an unknown column and a wrong type',
    { view: 'stock', entity: [int64s('item', 1), int64s('shop', 1), int64s('size', 1)] },
    'INVALID_ARGUMENT',
    /column "size": not a join key; known are item, shop\n.*column "item", row 0: expected string, got bigint 1/,
  ],
  [
    'two entities',
    { view: 'stock', entity: stockRows(2) },
    'INVALID_ARGUMENT',
    'history is of one entity; the columns have 2 values',
  ],
  [
    'ragged columns',
    { view: 'stock', entity: [strings('item', 'a', 'b'), int64s('shop', 1)] },
    'INVALID_ARGUMENT',
    /column "shop": 1 values, but the first column has 2/,
  ],
  [
    'too many rows',
    { ...oneStock, limit: 11 },
    'INVALID_ARGUMENT',
    /^limit 11 is above the 10 of option history-rows-max/,
  ],
  [
    'a time outside the supported years',
    { ...oneStock, asOfEventMicros: '9223372036854775807' },
    'INVALID_ARGUMENT',
    /^as_of_event_micros 9223372036854775807 is outside the supported years/,
  ],
  ['text for bytes', GARBAGE, 'INVALID_ARGUMENT', 'the request is not a twinstore.v1.GetHistoryRequest message'],
]

test.each(HISTORIES)('history: %s', async (...input) => expectRefused(server, 'Offline/GetHistory', input))

const spec = (fields: object = {}) => ({
  spec: { featureService: 'stock_only', spineFormat: 2, timestampColumn: 'ts', format: 3, ...fields },
})
const csv = (text: string) => ({ spine: Buffer.from(text) })
const SPINE = csv('item,shop,ts\na,1,2026-01-01\n')

const TRAINING_SETS: readonly BadInput[] = [
  ['nothing', [], 'INVALID_ARGUMENT', 'the first message of GetTrainingSet must have `spec`'],
  ['no spec', [SPINE], 'INVALID_ARGUMENT', 'the first message of GetTrainingSet must have `spec`'],
  ['two specs', [spec(), spec()], 'INVALID_ARGUMENT', 'only the first message of GetTrainingSet may have `spec`'],
  [
    'an unknown service',
    [spec({ featureService: 'stock_onyl' }), SPINE],
    'NOT_FOUND',
    'unknown feature service "stock_onyl"; did you mean stock_only?',
  ],
  [
    'no timestamp column',
    [spec({ timestampColumn: '' }), SPINE],
    'INVALID_ARGUMENT',
    /^spec\.timestamp_column is empty/,
  ],
  [
    'a spine without its columns',
    [spec(), csv('itm,tss\na,2026-01-01\n')],
    'INVALID_ARGUMENT',
    /^the spine does not fit the service:\n {2}ts: missing, .*did you mean tss\?.*\n {2}item: missing, .*did you mean itm\?.*\n {2}shop: missing, expected a join key of type int64/,
  ],
  [
    'a spine without the request feature',
    [spec({ featureService: 'stock_check' }), SPINE],
    'INVALID_ARGUMENT',
    /fail: missing, expected the request feature bool/,
  ],
  [
    'a timestamp column of text',
    [spec(), csv('item,shop,ts\na,1,hello\n')],
    'INVALID_ARGUMENT',
    /ts: expected TIMESTAMP, TIMESTAMPTZ or DATE, got VARCHAR/,
  ],
  [
    'a join key of text',
    [spec(), csv('item,shop,ts\na,x,2026-01-01\n')],
    'INVALID_ARGUMENT',
    /^the spine: Conversion Error: CSV Error on Line: 2(?![\s\S]*(?:file =|tmp))[\s\S]*column "shop"/,
  ],
  ['no spine', [spec()], 'INVALID_ARGUMENT', /^no spine: send `spine` messages after the spec/],
  [
    'a spine that is not Parquet',
    [spec({ spineFormat: 1 }), SPINE],
    'INVALID_ARGUMENT',
    /^the spine: Invalid Input Error: No magic bytes found at end of file the file that was sent$/,
  ],
  [
    'a spine that is not Arrow',
    [spec({ spineFormat: 3 }), SPINE],
    'INVALID_ARGUMENT',
    /^the spine is not an Arrow IPC file or stream/,
  ],
  [
    'a spine that is not text',
    [spec(), { spine: Buffer.from([0, 255, 254, 1, 2, 3]) }],
    'INVALID_ARGUMENT',
    /^the spine: Invalid Input Error: (?![\s\S]*(?:file =|tmp))/,
  ],
  [
    'a spine that is too large',
    [spec(), csv(`item,shop,ts\n${'a,1,2026-01-01\n'.repeat(200)}`)],
    'RESOURCE_EXHAUSTED',
    'the spine is larger than the 2048 bytes of option spine-bytes-max; send it in parts',
  ],
  [
    'an unknown source file',
    [spec({ spineSource: 'flights.parquet' })],
    'NOT_FOUND',
    'unknown source file "flights.parquet"',
  ],
  ['a pin that is not JSON', [spec({ pinJson: '{' }), SPINE], 'INVALID_ARGUMENT', /^the pin is not JSON/],
  [
    'a pin that is something else',
    [spec({ pinJson: '{"a":1}' }), SPINE],
    'INVALID_ARGUMENT',
    /^the pin is not one that Twinstore wrote:\n {2}pin\.pinFormat: [\s\S]*pin\.fingerprint: expected 32 hex digits/,
  ],
  ['text for bytes', GARBAGE, 'INVALID_ARGUMENT', 'the request is not a twinstore.v1.TrainingSetRequest message'],
]

test.each(TRAINING_SETS)('training set: %s', async (...input) => expectRefused(server, 'Offline/GetTrainingSet', input))

test('a pin is refused with another spine, another service, another version and unknown definitions', async () => {
  const answers = await server.raw.call('Offline/GetTrainingSet', [spec(), SPINE])
  const { pinJson } = answers.at(-1)!['trailer'] as { pinJson: string }
  const pin = JSON.parse(pinJson) as Record<string, unknown>
  const changed = (fields: object) => spec({ pinJson: JSON.stringify({ ...pin, ...fields }) })
  const again = await server.raw.call('Offline/GetTrainingSet', [spec({ pinJson }), SPINE])
  expect(again.at(-1)).toMatchObject({ trailer: { pinJson } })
  const refused: readonly BadInput[] = [
    [
      'another spine',
      [spec({ pinJson }), csv('item,shop,ts\nb,1,2026-01-01\n')],
      'FAILED_PRECONDITION',
      /^this is not the spine of the pin: 1 rows with SHA-256/,
    ],
    [
      'another service',
      [spec({ pinJson, featureService: 'stock_check' }), SPINE],
      'INVALID_ARGUMENT',
      /spec\.feature_service: stock_check, but the pin says stock_only/,
    ],
    [
      'another mode',
      [spec({ pinJson, mode: 2 }), SPINE],
      'INVALID_ARGUMENT',
      /spec\.mode: AS_SERVED, but the pin says EVENT_TIME/,
    ],
    [
      'a table version that is not there',
      [changed({ tables: { stock: 999 } }), SPINE],
      'NOT_FOUND',
      /views\/stock\/v1 has no version 999/,
    ],
    ['definitions that are not there', [changed({ fingerprint: '0'.repeat(32) }), SPINE], 'NOT_FOUND', /0{32}/],
  ]
  for (const input of refused) await expectRefused(server, 'Offline/GetTrainingSet', input)
})

test('sync: an unknown view, and one without a source', async () => {
  await expectRefused(server, 'Admin/Sync', [
    '',
    { views: ['stok'] },
    'NOT_FOUND',
    'unknown feature view "stok"; did you mean stock?',
  ])
  await expectRefused(server, 'Admin/Sync', [
    '',
    { views: ['stock'] },
    'FAILED_PRECONDITION',
    /^view stock has no source to sync from/,
  ])
})
