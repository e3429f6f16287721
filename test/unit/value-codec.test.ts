import fc from 'fast-check'
import protobuf from 'protobufjs'
import { expect, test } from 'vitest'
import { canonicalValue, decodeValue, encodeValue, type FeatureValue } from '../../src/domain/value-codec.ts'
import { parseTypeName, SCALAR_TYPES, type ScalarType, typeName, type ValueType } from '../../src/domain/value-type.ts'

const scalars: Readonly<Record<ScalarType, fc.Arbitrary<boolean | number | bigint | string | Uint8Array>>> = {
  bool: fc.boolean(),
  int32: fc.integer(),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float: fc.float({ noNaN: true }),
  double: fc.double({ noNaN: true }),
  string: fc.string({ unit: 'grapheme' }),
  bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  timestamp: fc.integer({ min: -9_000_000_000, max: 9_000_000_000 }),
}

const typed: fc.Arbitrary<{ type: ValueType; value: FeatureValue }> = fc.constantFrom(...SCALAR_TYPES).chain((kind) =>
  fc.oneof(
    scalars[kind].map((value) => ({ type: { kind } as ValueType, value })),
    fc.array(scalars[kind]).map((value) => ({ type: { kind: 'list', of: kind } as ValueType, value })),
    fc
      .array(scalars.float, { minLength: 1 })
      .map((value) => ({ type: { kind: 'vector', length: value.length } as ValueType, value })),
  ),
)

test('decoding gives the value back, and its bytes are canonical', () => {
  fc.assert(
    fc.property(typed, ({ type, value }) => {
      const bytes = encodeValue(type, value)
      expect(bytes).toBeInstanceOf(Buffer)
      expect(decodeValue(type, bytes as Buffer)).toEqual(value)
      expect(canonicalValue(type, bytes as Buffer, true)).toEqual(bytes)
    }),
  )
})

/** protobufjs, which shares no code with ours, must read what we write and write what we read. */
test('the bytes are those of the published message', async () => {
  const root = await protobuf.load(new URL('../../proto/twinstore/v1/types.proto', import.meta.url).pathname)
  const message = root.lookupType('twinstore.v1.Value')
  fc.assert(
    fc.property(typed, ({ type, value }) => {
      const bytes = encodeValue(type, value) as Buffer
      expect(Buffer.from(message.encode(message.decode(bytes)).finish())).toEqual(bytes)
    }),
  )
})

/** Facts from Feast: the serialized form of single values. */
test.each([
  [{ kind: 'int64' }, 308n, '20b402'],
  [{ kind: 'float' }, 0.5, '350000003f'],
  [{ kind: 'double' }, 0.5, '29000000000000e03f'],
  [{ kind: 'string' }, 'abc', '1203616263'],
  [{ kind: 'bool' }, true, '3801'],
] as const)('golden value %j %s', (type, value, hex) => {
  expect((encodeValue(type, value) as Buffer).toString('hex')).toBe(hex)
})

test('null and missing are different', () => {
  const type: ValueType = { kind: 'double' }
  const [nothing, absent] = [encodeValue(type, null) as Buffer, encodeValue(type, undefined) as Buffer]
  expect(nothing.equals(absent)).toBe(false)
  expect([decodeValue(type, nothing), decodeValue(type, absent)]).toEqual([null, undefined])
})

test.each([
  [{ kind: 'int32' }, 2 ** 31, /outside int32/],
  [{ kind: 'int32' }, 1.5, /expected int32, got number 1.5/],
  [{ kind: 'int64' }, 2n ** 63n, /outside int64/],
  [{ kind: 'int64' }, 2 ** 60, /expected int64/],
  [{ kind: 'bool' }, 'true', /expected bool, got string "true"/],
  [{ kind: 'string' }, '\ud800', /lone surrogate/],
  [{ kind: 'vector', length: 3 }, [1, 2], /expected 3 numbers, got 2/],
  [{ kind: 'list', of: 'string' }, ['a', 1], /item 1: expected string/],
  [{ kind: 'double' }, [1], /expected double, got a list/],
  [{ kind: 'list', of: 'double' }, 1, /expected list<double>, got number 1/],
] as const)('%j refuses %s', (type, value, problem) => {
  expect(encodeValue(type as ValueType, value as FeatureValue)).toMatch(problem)
})

test('a value that a client sent is checked against the type', () => {
  const double = encodeValue({ kind: 'double' }, Number.NaN) as Buffer
  expect(canonicalValue({ kind: 'double' }, double, false)).toMatch(/NaN/)
  expect(canonicalValue({ kind: 'double' }, double, true)).toEqual(double)
  expect(canonicalValue({ kind: 'int64' }, double, true)).toMatch(/expected int64/)
  const vector = encodeValue({ kind: 'list', of: 'float' }, [1, Number.POSITIVE_INFINITY]) as Buffer
  expect(canonicalValue({ kind: 'vector', length: 2 }, vector, false)).toMatch(/infinity/)
  expect(canonicalValue({ kind: 'string' }, Buffer.from('1202c328', 'hex'), false)).toMatch(/UTF-8/)
  // The same int64 with a padded varint: accepted, stored in its one canonical form.
  expect(canonicalValue({ kind: 'int64' }, Buffer.from('20818000', 'hex'), false)).toEqual(Buffer.from('2001', 'hex'))
  // Unpacked list items are read and stored packed.
  expect(canonicalValue({ kind: 'list', of: 'int64' }, Buffer.from('720408010802', 'hex'), false)).toEqual(
    Buffer.from('72040a020102', 'hex'),
  )
})

test('random bytes are refused or canonical, never a crash', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), typed, (bytes, { type }) => {
      const result = canonicalValue(type, Buffer.from(bytes), true)
      if (typeof result !== 'string') expect(canonicalValue(type, result, true)).toEqual(result)
    }),
    { numRuns: 2000 },
  )
})

test('type names are read back', () => {
  for (const name of ['bool', 'int64', 'list<string>', 'vector<128>']) expect(typeName(parseTypeName(name)!)).toBe(name)
  for (const name of ['int', 'list<vector>', 'vector<0>', 'list<>', 'toString'])
    expect(parseTypeName(name)).toBeUndefined()
})
