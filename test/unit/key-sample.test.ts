import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type EntityKey, entityKey, rowKey, shardOf } from '../../src/domain/entity-key.ts'
import { ALL_KEYS, isInSample, isRowInSample } from '../../src/domain/key-sample.ts'

/** Computed by an independent implementation. Over versions of the program a key keeps its part: never mend a line here. */
const GOLDEN: readonly [hex: string, partOf16: number, partOf1000: number][] = [
  ['530341544c', 0, 504],
  ['530341544c53034f5244', 15, 855],
  ['497fffffffffffffff', 14, 862],
  ['4980000000000003e9', 1, 161],
  ['5306c3a9f09f9880', 5, 941],
  ['5300', 4, 628],
]

test.each(GOLDEN)('golden part of %s', (hex, partOf16, partOf1000) => {
  const key = Buffer.from(hex, 'hex').toString('latin1') as EntityKey
  expect(isInSample(key, { parts: 16, part: partOf16 })).toBe(true)
  expect(isInSample(key, { parts: 1000, part: partOf1000 })).toBe(true)
  expect(isRowInSample(rowKey('airport_daily@2', key), { parts: 1000, part: partOf1000 })).toBe(true)
})

test('every key is in one part, whatever the view; all keys are in the whole', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 20 }), (name, parts) => {
      const key = entityKey(['string'], [name])
      const all = Array.from({ length: parts }, (_, part) => ({ parts, part }))
      const own = all.filter((sample) => isInSample(key, sample))
      expect(own).toHaveLength(1)
      expect(all.filter((sample) => isRowInSample(rowKey('v', key), sample))).toEqual(own)
      expect(isInSample(key, ALL_KEYS)).toBe(true)
    }),
  )
})

test('parts are about equal, and each has its share of every shard', () => {
  const keys = Array.from({ length: 32_000 }, (_, index) => entityKey(['int64'], [BigInt(index)]))
  for (let part = 0; part < 16; part++) {
    const own = keys.filter((key) => isInSample(key, { parts: 16, part }))
    expect(Math.abs(own.length - 2000)).toBeLessThan(300)
    for (let shard = 0; shard < 16; shard++) {
      const ofShard = own.filter((key) => shardOf(key, 16) === shard).length
      expect(Math.abs(ofShard - 125)).toBeLessThan(75)
    }
  }
})
