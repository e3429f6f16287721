import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeEntityKey,
  entityKey,
  int64KeyPart,
  type KeyType,
  type KeyValue,
  rowKey,
  shardOf,
  shardOfRow,
  splitRowKey,
  stringKeyPart,
} from '../../src/domain/entity-key.ts'
import { murmur3 } from '../../src/lib/murmur3.ts'

const hex = (key: string): string => Buffer.from(key, 'latin1').toString('hex')

/**
 * Computed by an independent implementation. These bytes and shards are stored data: a change of any of them strands
 * every row ever written, so a failing line here is never to be mended by changing the line.
 */
const GOLDEN: readonly [KeyType[], KeyValue[], string, number, number][] = [
  [['string'], ['ATL'], '530341544c', 1, 433],
  [['string', 'string'], ['ATL', 'ORD'], '530341544c53034f5244', 12, 828],
  [['int64'], [-1n], '497fffffffffffffff', 8, 856],
  [['int64'], [1001n], '4980000000000003e9', 7, 983],
  [['string'], ['é😀'], '5306c3a9f09f9880', 3, 883],
  [['string'], [''], '5300', 5, 245],
  [['string', 'int64'], ['a'.repeat(200), 9007199254740993n], `53c801${'61'.repeat(200)}498020000000000001`, 0, 688],
]

test.each(GOLDEN)('golden key of %s %s', (types, values, bytes, shardOf16, shardOf1024) => {
  const key = entityKey(types, values)
  expect(hex(key)).toBe(bytes)
  expect(shardOf(key, 16)).toBe(shardOf16)
  expect(shardOf(key, 1024)).toBe(shardOf1024)
  expect(shardOf(key, 1)).toBe(0)
  expect(shardOfRow(rowKey('airport_daily@2', key), 1024)).toBe(shardOf1024)
})

test('murmur3 gives the published values', () => {
  expect(murmur3('')).toBe(0)
  expect(murmur3('', 1)).toBe(0x514e28b7)
  expect(murmur3('hello')).toBe(613153351)
  // A field name in Feast's Redis layout: 26 6d 5f 39 little-endian.
  expect(murmur3('feature_view_1:feature_10')).toBe(0x395f6d26)
})

const typedValue = fc.oneof(
  fc.tuple(fc.constant<KeyType>('string'), fc.string({ unit: 'binary', maxLength: 300 })),
  fc.tuple(fc.constant<KeyType>('int64'), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
)

test('decoding gives the values back', () => {
  fc.assert(
    fc.property(fc.array(typedValue, { minLength: 1, maxLength: 4 }), (pairs) => {
      const types = pairs.map(([type]) => type)
      const values = pairs.map(([, value]) => value)
      expect(decodeEntityKey(types, entityKey(types, values))).toEqual(values)
    }),
  )
})

test('different values never share a key', () => {
  const pair = fc.tuple(fc.string({ maxLength: 4 }), fc.string({ maxLength: 4 }))
  fc.assert(
    fc.property(pair, pair, (a, b) => {
      fc.pre(a[0] !== b[0] || a[1] !== b[1])
      expect(entityKey(['string', 'string'], a)).not.toBe(entityKey(['string', 'string'], b))
    }),
  )
})

test('int64 keys sort as numbers do', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  fc.assert(
    fc.property(int64, int64, (a, b) => {
      const [left, right] = [entityKey(['int64'], [a]), entityKey(['int64'], [b])]
      expect(left < right).toBe(a < b)
    }),
  )
})

test('the parts a request is read into are the canonical ones', () => {
  expect(stringKeyPart(Buffer.from('é').toString('latin1'))).toBe(entityKey(['string'], ['é']))
  expect(int64KeyPart(0xffffffff, 0xffffffff)).toBe(entityKey(['int64'], [-1n]))
})

test('a row key splits into what it was made of, whatever bytes the entity key has', () => {
  const key = entityKey(['string'], ['a/b'])
  expect(splitRowKey(rowKey('airport_daily@2', key))).toEqual({ storageId: 'airport_daily@2', entityKey: key })
})

test('bytes that are not a key are reported as corrupt', () => {
  for (const bytes of ['', '53', '5305aa', '530341544c00', '4900', '58', '53ffffffffff']) {
    expect(() => decodeEntityKey(['string'], Buffer.from(bytes, 'hex').toString('latin1') as never)).toThrow(
      /corrupt entity key/,
    )
  }
})
