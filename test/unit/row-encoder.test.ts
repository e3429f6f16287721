import { DuckDBBlobValue, DuckDBListValue, DuckDBTimestampTZValue, type DuckDBValue } from '@duckdb/node-api'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeValue, type FeatureValue } from '../../src/domain/value-codec.ts'
import type { ValueType } from '../../src/domain/value-type.ts'
import { lengthField } from '../../src/lib/wire.ts'
import { createRowEncoder } from '../../src/offline/duckdb/row-encoder.ts'

interface Cell {
  readonly type: ValueType
  readonly value: FeatureValue | null
  readonly stored: DuckDBValue
}

const scalar = (kind: string, value: fc.Arbitrary<unknown>): fc.Arbitrary<Cell> =>
  fc.option(value, { freq: 6 }).map((given) => ({ type: { kind }, value: given, stored: given }) as Cell)

const cell: fc.Arbitrary<Cell> = fc.oneof(
  scalar('bool', fc.boolean()),
  scalar('int32', fc.integer()),
  scalar('int64', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  scalar('int64', fc.maxSafeInteger().map(BigInt)),
  scalar('float', fc.float({ noNaN: true })),
  scalar('double', fc.double()),
  scalar('string', fc.string({ maxLength: 60 })),
  scalar('string', fc.string({ unit: 'binary', maxLength: 60 })),
  scalar(
    'string',
    fc.nat(20_000).map((length) => 'x'.repeat(length)),
  ),
  fc.uint8Array({ maxLength: 20 }).map(
    (bytes): Cell => ({
      type: { kind: 'bytes' },
      value: bytes,
      stored: new DuckDBBlobValue(bytes),
    }),
  ),
  fc.integer().map(
    (seconds): Cell => ({
      type: { kind: 'timestamp' },
      value: seconds,
      stored: new DuckDBTimestampTZValue(BigInt(seconds) * 1_000_000n),
    }),
  ),
  fc.array(fc.double(), { maxLength: 4 }).map(
    (items): Cell => ({
      type: { kind: 'list', of: 'double' },
      value: items,
      stored: new DuckDBListValue(items),
    }),
  ),
)

/** By the general codec, a buffer per value. */
function plainly(row: readonly Cell[]): Buffer {
  return lengthField(1, Buffer.concat(row.map(({ type, value }) => lengthField(1, encodeValue(type, value) as Buffer))))
}

test('property: rows of any cells have the bytes that the general codec gives', () => {
  fc.assert(
    fc.property(fc.array(fc.array(cell, { maxLength: 8 }), { maxLength: 6 }), (rows) => {
      const all = rows.flat()
      const encoder = createRowEncoder(all.map(({ type }, index) => ({ name: `c${index}`, type })))
      let column = 0
      for (const row of rows) {
        encoder.begin()
        for (const { stored } of row) encoder.cell(column++, stored)
        encoder.end()
      }
      const expected = Buffer.concat(rows.map(plainly))
      expect(encoder.bytes).toBe(expected.length)
      expect(encoder.take().equals(expected)).toBe(true)
      expect(encoder.take()).toHaveLength(0)
    }),
    { numRuns: 300 },
  )
})

test('a value outside its type is refused with the column', () => {
  const encoder = createRowEncoder([{ name: 'at', type: { kind: 'timestamp' } }])
  encoder.begin()
  expect(() => encoder.cell(0, new DuckDBTimestampTZValue(2n ** 63n - 1n))).toThrow(/column at: .* outside/)
})
