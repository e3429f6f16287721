/** What a faulty WriteFeatures or IngestFeatures gets, over the wire from a real server; and that nothing of it is written. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readExportRows } from '../support/export-rows.ts'
import type { Fields } from '../support/raw-client.ts'
import {
  type BadInput,
  type BadInputServer,
  expectRefused,
  startBadInputServer,
  strings,
  TOO_LARGE_A_MESSAGE,
} from './bad-input-fixture.ts'

let server: BadInputServer
beforeAll(async () => {
  server = await startBadInputServer([
    ...[
      '--write-rows-max',
      '3',
      '--value-bytes-max',
      '2000',
      '--row-bytes-max',
      '3000',
      '--entity-key-bytes-max',
      '64',
    ],
    ...['--grpc-message-bytes-max', '16KiB', '--event-time-ahead-max', '1h', '--log-level', 'warn'],
  ])
})
afterAll(() => server.close())

const DAY_MICROS = 86_400_000_000
const text = (stringVal: string) => ({ stringVal })
const write = (view: string, columns: readonly string[], ...rows: readonly (readonly Fields[])[]) => ({
  view,
  columns,
  rows: rows.map((values) => ({ values })),
})
const timed = (...micros: readonly string[]) => ({
  view: 'every_type',
  columns: ['item'],
  rows: micros.map((eventTimestampMicros) => ({ values: [text('a')], eventTimestampMicros })),
})
const TYPED = ['a_bool', 'an_int32', 'an_int64', 'a_float', 'a_double', 'a_string', 'some_bytes', 'a_time', 'a_list']
const WRONG = [
  { int64Val: 1 },
  { int64Val: 1 },
  { int32Val: 1 },
  { doubleVal: 1 },
  { floatVal: 1 },
  { bytesVal: Buffer.from('a') },
  text('a'),
  { int64Val: 1 },
  { doubleListVal: { val: [1] } },
]
const NOT_WRITTEN = 'nothing was written to every_type:\n'

const REFUSED: readonly BadInput[] = [
  [
    'an unknown view',
    write('every_tipe', ['item'], [text('a')]),
    'NOT_FOUND',
    'unknown feature view "every_tipe"; did you mean every_type?',
  ],
  ['no view', write('', ['item'], [text('a')]), 'INVALID_ARGUMENT', 'the request names no view (field `view`)'],
  [
    'an on-demand view',
    write('fragile', ['item'], [text('a')]),
    'NOT_FOUND',
    /^unknown feature view "fragile"; known are /,
  ],
  [
    'an unknown column and a missing join key',
    write('stock', ['item', 'on_hnd'], [text('a'), { int64Val: 1 }]),
    'INVALID_ARGUMENT',
    'nothing was written to stock:\n' +
      '  columns[1]: view stock has no join key or feature "on_hnd"; did you mean on_hand?\n' +
      '  columns: the join key shop (int64) of view stock is not among them',
  ],
  [
    'a column twice',
    write('every_type', ['item', 'item'], [text('a'), text('a')]),
    'INVALID_ARGUMENT',
    /columns\[1\]: item is given twice/,
  ],
  [
    'ragged rows',
    write('every_type', ['item', 'a_bool'], [text('a')], [text('a'), {}, {}]),
    'INVALID_ARGUMENT',
    `${NOT_WRITTEN}  rows[0]: 1 values for 2 columns\n  rows[1]: 3 values for 2 columns`,
  ],
  ['no rows', write('every_type', ['item']), 'INVALID_ARGUMENT', /rows: there are none/],
  [
    'too many rows',
    write('every_type', ['item'], ...Array.from({ length: 4 }, () => [text('a')])),
    'INVALID_ARGUMENT',
    `${NOT_WRITTEN}  rows: more than 3 (option write-rows-max); send them in several requests`,
  ],
  [
    'a wrong type in every column',
    write('every_type', ['item', ...TYPED], [text('a'), ...WRONG]),
    'INVALID_ARGUMENT',
    NOT_WRITTEN +
      '  rows[0].a_bool: expected bool, got int64\n' +
      '  rows[0].an_int32: expected int32, got int64\n' +
      '  rows[0].an_int64: expected int64, got int32\n' +
      '  rows[0].a_float: expected float, got double\n' +
      '  rows[0].a_double: expected double, got float\n' +
      '  rows[0].a_string: expected string, got bytes\n' +
      '  rows[0].some_bytes: expected bytes, got string\n' +
      '  rows[0].a_time: expected timestamp, got int64\n' +
      '  rows[0].a_list: expected list<int64>, got list<double>',
  ],
  [
    'NaN and infinity where they are not allowed',
    write(
      'every_type',
      ['item', 'a_float', 'a_double', 'a_loose_double', 'a_vector'],
      [
        text('a'),
        { floatVal: Number.NaN },
        { doubleVal: Number.POSITIVE_INFINITY },
        { doubleVal: Number.NaN },
        { floatListVal: { val: [1, Number.NaN, 2] } },
      ],
    ),
    'INVALID_ARGUMENT',
    new RegExp(`^${NOT_WRITTEN}.*a_float: NaN and infinity .*\n.*a_double: NaN and .*\n.*a_vector: NaN and [^\n]*$`),
  ],
  [
    'a vector of the wrong length',
    write('every_type', ['item', 'a_vector'], [text('a'), { floatListVal: { val: [1, 2] } }]),
    'INVALID_ARGUMENT',
    /rows\[0\]\.a_vector: expected 3 numbers, got 2/,
  ],
  [
    'a value that is too large',
    write('every_type', ['item', 'a_string'], [text('a'), text('x'.repeat(2001))]),
    'INVALID_ARGUMENT',
    /rows\[0\]\.a_string: the value has 2004 bytes, more than 2000 \(option value-bytes-max\)/,
  ],
  [
    'a row that is too large',
    write(
      'every_type',
      ['item', 'a_string', 'some_bytes'],
      [text('a'), text('x'.repeat(1900)), { bytesVal: Buffer.alloc(1900) }],
    ),
    'INVALID_ARGUMENT',
    /rows\[0\]: the row takes \d+ bytes, more than 3000 \(option row-bytes-max\)/,
  ],
  [
    'an entity key that is too long',
    write('every_type', ['item'], [text('x'.repeat(70))]),
    'INVALID_ARGUMENT',
    /rows\[0\]: the entity key takes 72 bytes, more than 64 \(option entity-key-bytes-max\)/,
  ],
  [
    'a null and a missing join key',
    write('every_type', ['item'], [{ nullVal: 0 }], [{}]),
    'INVALID_ARGUMENT',
    `${NOT_WRITTEN}  rows[0].item: a join key (string) must have a value, got null\n` +
      '  rows[1].item: a join key (string) must have a value, got an unset value',
  ],
  [
    'event timestamps out of range',
    timed('9223372036854775807', '-9223372036854775808'),
    'INVALID_ARGUMENT',
    /rows\[0\]\.event_timestamp_micros: .* is not a time between the years 1700 and 2250[^\n]*\n {2}rows\[1\]\.event_timestamp_micros/,
  ],
  [
    'an event timestamp in the far future',
    timed(String(Date.now() * 1000 + 2 * DAY_MICROS)),
    'INVALID_ARGUMENT',
    /rows\[0\]\.event_timestamp_micros: \S+Z is \d+ s ahead of the server, more than 3600 s \(option event-time-ahead-max\)/,
  ],
  [
    'a timestamp value out of range',
    write('every_type', ['item', 'a_time'], [text('a'), { unixTimestampVal: '9223372036854775807' }]),
    'INVALID_ARGUMENT',
    /rows\[0\]\.a_time: \d+ seconds is outside the supported range/,
  ],
  [
    'faults in several rows beside a good one',
    write(
      'every_type',
      ['item', 'a_bool', 'a_vector'],
      [text('a')],
      [text('good'), {}, {}],
      [text('b'), text('c'), { floatListVal: { val: [] } }],
    ),
    'INVALID_ARGUMENT',
    /rows\[0\]: 1 values for 3 columns\n {2}rows\[2\]\.a_bool: expected bool, got string\n {2}rows\[2\]\.a_vector: expected 3 numbers, got 0$/,
  ],
  [
    'a write id that is too long',
    { ...write('every_type', ['item'], [text('a')]), writeId: 'x'.repeat(129) },
    'INVALID_ARGUMENT',
    /write_id: 129 characters, more than 128/,
  ],
  [
    'an unknown ack',
    { ...write('every_type', ['item'], [text('a')]), ack: 7 },
    'INVALID_ARGUMENT',
    /^ack: 7 is not one this server knows/,
  ],
  [
    'a message that is too large',
    write('every_type', ['item'], [text('x'.repeat(20_000))]),
    'RESOURCE_EXHAUSTED',
    TOO_LARGE_A_MESSAGE,
  ],
  ['text for bytes', Buffer.from('garbage bytes'), 'INVALID_ARGUMENT', /^the bytes are not a WriteFeaturesRequest: /],
  ['an endless varint', Buffer.alloc(16, 0xff), 'INVALID_ARGUMENT', /^the bytes are not a WriteFeaturesRequest: /],
]

test.each(REFUSED)('%s', async (...input) => {
  await expectRefused(server, 'Serving/WriteFeatures', input)
  await expectRefused(server, 'Serving/IngestFeatures', input)
  await expectNothingWritten()
})

/** Neither store has a row. */
async function expectNothingWritten(): Promise<void> {
  const [answer] = await server.raw.call('Serving/GetFeatures', {
    features: { references: ['every_type:a_bool'] },
    columns: [strings('item', 'a', 'b', 'good')],
    consistency: 2,
  })
  const { vectors } = answer as { vectors: { eventTimestamps: string[] }[] }
  expect(vectors.flatMap((vector) => vector.eventTimestamps)).toEqual(['0', '0', '0'])
  const { outbox, tables } = await server.client.status()
  expect(outbox.rows).toBe(0)
  expect(tables.map((table) => table.rows)).toEqual(tables.map(() => 0))
}

test('a fault ends an ingest and keeps what was acknowledged before it', async () => {
  const good = write('stock', ['item', 'shop'], [text('kept'), { int64Val: 1 }])
  const bad = write('stock', ['item'], [text('lost')])
  await expectRefused(server, 'Serving/IngestFeatures', [
    'good, bad, good',
    [good, bad, good],
    'INVALID_ARGUMENT',
    /the join key shop/,
  ])
  const rows = await readExportRows(server.client, { view: 'stock', columns: ['item'] })
  expect(rows).toEqual([{ item: 'kept' }])
})

test('a write id belongs to one write', async () => {
  const first = { ...write('stock', ['item', 'shop'], [text('once'), { int64Val: 1 }]), writeId: 'one' }
  const [answer] = await server.raw.call('Serving/WriteFeatures', first)
  expect(await server.raw.call('Serving/WriteFeatures', first)).toEqual([answer])
  await expectRefused(server, 'Serving/WriteFeatures', [
    'the same id for other rows',
    { ...write('stock', ['item', 'shop'], [text('twice'), { int64Val: 1 }]), writeId: 'one' },
    'ALREADY_EXISTS',
    /^write_id one was used by a write with other rows/,
  ])
  const rows = await readExportRows(server.client, { view: 'stock', columns: ['item'] })
  expect(rows.map((row) => row['item']).sort()).toEqual(['kept', 'once'])
})
