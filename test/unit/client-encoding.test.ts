/** What the client encodes by hand, against the general message library. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeColumns, rowsToColumns } from '../../src/client/columns.ts'
import { readAnswer } from '../../src/client/feature-answer.ts'
import { readVector } from '../../src/client/feature-vector.ts'
import { fromPlain, toPlain } from '../../src/client/plain-value.ts'
import { decodeMessage, encodeMessage } from '../../src/client/protocol.ts'
import { encodeWrite } from '../../src/client/writes.ts'
import type { ViewDescription } from '../../src/domain/description.ts'
import { decodeValue, encodeValue } from '../../src/domain/value-codec.ts'
import { parseTypeName, type ValueType } from '../../src/domain/value-type.ts'

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const seconds = fc.integer({ min: -9_000_000_000, max: 9_000_000_000 })
const plain: Record<string, fc.Arbitrary<unknown>> = {
  bool: fc.boolean(),
  int32: fc.integer(),
  int64,
  double: fc.double(),
  string: fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed()),
  bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  timestamp: seconds.map((value) => new Date(value * 1000)),
  'list<int64>': fc.array(int64),
  'list<timestamp>': fc.array(seconds.map((value) => new Date(value * 1000))),
  'vector<3>': fc.tuple(fc.float(), fc.float(), fc.float()).map((values) => [...values]),
}

const typed = fc
  .constantFrom(...Object.keys(plain))
  .chain((name) => plain[name]!.map((value) => ({ type: parseTypeName(name)!, value })))

test('plain values come back as they were', () => {
  fc.assert(
    fc.property(typed, ({ type, value }) => {
      const bytes = encodeValue(type, fromPlain(type, value))
      if (typeof bytes === 'string') throw new Error(bytes)
      expect(toPlain(type, decodeValue(type, bytes))).toEqual(value)
    }),
  )
})

interface ColumnMessage {
  readonly name: string
  readonly values: 'strings' | 'int64s' | 'doubles' | 'bools' | 'list'
  readonly [form: string]: unknown
}

test('columns hold the values, in the plain form of their type or, with nulls, one by one', () => {
  const forms = { string: 'strings', int64: 'int64s', double: 'doubles', bool: 'bools' } as const
  const column = fc
    .constantFrom('string', 'int64', 'double', 'bool')
    .chain((kind) =>
      fc.record({ kind: fc.constant(kind), values: fc.array(fc.option(plain[kind]!), { minLength: 1 }) }),
    )
  fc.assert(
    fc.property(column, ({ kind, values }) => {
      const types = new Map<string, ValueType>([['c', { kind: kind as 'int64' }]])
      const [bytes] = encodeColumns(new Map([['c', values]]), types)
      const message = decodeMessage<ColumnMessage>('Column', bytes!)
      expect(message.name).toBe('c')
      const { val } = message[message.values] as { val: readonly unknown[] }
      const sent = values.map((value) => (typeof value === 'bigint' ? String(value) : value))
      if (values.includes(null)) {
        expect(message.values).toBe('list')
        const got = (val as Record<string, unknown>[]).map((item) => item[item['val'] as string])
        expect(got).toEqual(sent.map((value) => value ?? 'NULL'))
      } else {
        expect(message.values).toBe(forms[kind as 'int64'])
        expect(val).toEqual(sent)
      }
    }),
  )
})

test('rows become columns with null where a row lacks one', () => {
  expect([...rowsToColumns([{ a: 1 }, { b: 2 }])]).toEqual([
    ['a', [1, null]],
    ['b', [null, 2]],
  ])
})

const view: ViewDescription = {
  name: 'v',
  version: 1,
  joinKeys: [{ name: 'k', type: 'int64' }],
  features: [
    { name: 'x', type: 'double' },
    { name: 's', type: 'string' },
  ],
  ttlSeconds: 0,
  onStale: 'serve',
  hasSource: false,
  description: '',
}

test('written rows hold values, nulls, gaps and times exactly', () => {
  const row = fc.record(
    { k: int64, x: fc.option(fc.double()), s: plain['string']!, event_timestamp: int64 },
    { requiredKeys: ['k'] },
  )
  interface WriteMessage {
    readonly columns: readonly string[]
    readonly rows: readonly {
      readonly values: readonly Record<string, unknown>[]
      readonly eventTimestampMicros?: string
    }[]
  }
  fc.assert(
    fc.property(fc.array(row), (rows) => {
      const message = decodeMessage<WriteMessage>('WriteFeaturesRequest', encodeWrite(view, rows, { writeId: 'w' }))
      expect(message.rows).toHaveLength(rows.length)
      for (const [index, { values, eventTimestampMicros }] of message.rows.entries()) {
        const given = rows[index]! as Record<string, unknown>
        expect(eventTimestampMicros).toBe(given['event_timestamp']?.toString())
        for (const [at, name] of message.columns.entries()) {
          const value = values[at]!
          const seen =
            value['val'] === undefined ? undefined : value['val'] === 'nullVal' ? null : value[value['val'] as string]
          const expected = given[name]
          expect(seen).toEqual(typeof expected === 'bigint' ? String(expected) : expected)
        }
      }
    }),
  )
})

test('packed and unpacked timestamps and stale views are both read', () => {
  const layoutColumns = [{ name: 'v__x', view: 'v', feature: 'x', type: 'double' }]
  const answer = encodeMessage('GetFeaturesResponse', {
    layoutId: '1',
    layout: { id: '1', fingerprint: 'f', columns: layoutColumns, views: ['v', 'w'] },
    vectors: [{ values: [{ doubleVal: 2 }], eventTimestamps: ['-1000', '1000'], staleViews: [0, 1] }],
  })
  const { layout, vectors } = readAnswer(answer)
  const packed = readVector(layout!, vectors[0]!)
  expect(packed.eventTimestamps).toEqual({ v: new Date(-1), w: new Date(1) })
  expect(packed.staleViews).toEqual(['v', 'w'])
  expect(packed.statuses).toEqual({ v__x: 'PRESENT' })
  const timestamp = Buffer.alloc(9)
  timestamp[0] = (3 << 3) | 1
  timestamp.writeBigInt64LE(1000n, 1)
  const unpacked = readVector(layout!, Buffer.concat([timestamp, timestamp, Buffer.from([4 << 3, 1])]))
  expect(unpacked.eventTimestamps).toEqual({ v: new Date(1), w: new Date(1) })
  expect(unpacked.staleViews).toEqual(['w'])
})
