/** The columnar decoder of outbox rows against the decoder of values: one accepts exactly what the other does. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeValue,
  encodeValue,
  type FeatureValue,
  type ScalarValue,
  SECONDS_MAX,
} from '../../src/domain/value-codec.ts'
import { parseTypeName, SCALAR_TYPES, type ScalarType, type ValueType } from '../../src/domain/value-type.ts'
import { WireReader } from '../../src/lib/wire.ts'
import { Column } from '../../src/offline/parquet/column.ts'
import { valueTaker } from '../../src/offline/parquet/take-value.ts'

const TYPES = [...SCALAR_TYPES, ...SCALAR_TYPES.map((kind) => `list<${kind}>`), 'vector<2>'].map(
  (name) => parseTypeName(name)!,
)

const SCALARS: Readonly<Record<ScalarType, fc.Arbitrary<ScalarValue>>> = {
  bool: fc.boolean(),
  int32: fc.integer(),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float: fc.float(),
  double: fc.double(),
  string: fc.string({ unit: 'grapheme' }),
  bytes: fc.uint8Array({ maxLength: 40 }),
  timestamp: fc.integer({ min: -9_000_000_000, max: 9_000_000_000 }),
}

function valueFor(type: ValueType): fc.Arbitrary<FeatureValue> {
  if (type.kind === 'list') return fc.array(SCALARS[type.of], { maxLength: 4 })
  if (type.kind === 'vector') return fc.array(SCALARS.float, { minLength: type.length, maxLength: type.length })
  return SCALARS[type.kind]
}

/** Serialized values of a type, some of them damaged by another byte in one place, one left out or one more. */
const bytesOf = fc.constantFrom(...TYPES).chain((type) =>
  fc
    .tuple(
      fc.option(valueFor(type), { nil: null }),
      fc.constantFrom('none', 'change', 'drop', 'add'),
      fc.nat(),
      fc.nat(255),
    )
    .map(([value, damage, place, byte]) => {
      const sound = encodeValue(type, value) as Buffer
      const at = place % sound.length
      const parts = {
        none: [sound],
        change: [sound.subarray(0, at), Buffer.from([byte]), sound.subarray(at + 1)],
        drop: [sound.subarray(0, at), sound.subarray(at + 1)],
        add: [sound.subarray(0, at), Buffer.from([byte]), sound.subarray(at)],
      }[damage]
      return { type, bytes: Buffer.concat(parts) }
    }),
)

/** Where a page of one list has its first definition level, after a run of repetition levels and two lengths: 0 is no list. */
const LIST_LEVEL_AT = 11

/** The value as the column has it, or that it was refused. */
function taken(type: ValueType, bytes: Buffer): FeatureValue | null | 'refused' {
  const isList = type.kind === 'list' || type.kind === 'vector'
  const of = type.kind === 'list' ? type.of : type.kind === 'vector' ? 'float' : type.kind
  const column = new Column({ name: 'c', of, isList })
  // Other bytes around it: what is beyond the value's end is not the value's.
  const around = Buffer.concat([Buffer.from([0x08]), bytes, Buffer.from([0x08, 0xff])])
  try {
    valueTaker(type)(new WireReader(around, 1, 1 + bytes.length), column)
  } catch {
    return 'refused'
  }
  const values = plainValues(of, column.values.written())
  if (!isList) return values[0] ?? null
  return column.page()[LIST_LEVEL_AT] === 0 ? null : values
}

function plainValues(of: ScalarType, bytes: Buffer): ScalarValue[] {
  const values: ScalarValue[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = of === 'bool' ? 1 : of === 'int32' || of === 'float' ? 4 : 8
    const length = of === 'string' || of === 'bytes' ? 4 + bytes.readUInt32LE(at) : size
    const body = bytes.subarray(at, at + length)
    values.push(
      {
        bool: () => body[0] === 1,
        int32: () => body.readInt32LE(),
        int64: () => body.readBigInt64LE(),
        timestamp: () => Number(body.readBigInt64LE()) / 1_000_000,
        float: () => body.readFloatLE(),
        double: () => body.readDoubleLE(),
        string: () => body.toString('utf8', 4),
        bytes: () => body.subarray(4),
      }[of](),
    )
    at += length
  }
  return values
}

function decoded(type: ValueType, bytes: Buffer): FeatureValue | null | 'refused' {
  try {
    const value = decodeValue(type, bytes) ?? null
    return isTime(type) && [value].flat().some((seconds) => Math.abs(Number(seconds)) > SECONDS_MAX) ? 'refused' : value
  } catch {
    return 'refused'
  }
}

/** A column has microseconds, so that times whose microseconds are not exact are refused here; no write is accepted with one. */
function isTime(type: ValueType): boolean {
  return type.kind === 'timestamp' || (type.kind === 'list' && type.of === 'timestamp')
}

test('property: the columnar decoder takes what the decoder of values takes, as the same value, and refuses the rest', () => {
  const seen = { refused: 0, taken: 0 }
  fc.assert(
    fc.property(bytesOf, ({ type, bytes }) => {
      const expected = decoded(type, bytes)
      seen[expected === 'refused' ? 'refused' : 'taken']++
      expect(taken(type, bytes)).toEqual(expected)
    }),
    { numRuns: 5000 },
  )
  expect(seen.refused).toBeGreaterThan(500)
  expect(seen.taken).toBeGreaterThan(500)
})
