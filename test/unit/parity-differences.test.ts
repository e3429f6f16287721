import { expect, test } from 'vitest'
import type { Feature } from '../../src/domain/registry.ts'
import { encodeRow } from '../../src/domain/row-codec.ts'
import { encodeValue, type FeatureValue } from '../../src/domain/value-codec.ts'
import { parseTypeName } from '../../src/domain/value-type.ts'
import type { Position } from '../../src/domain/version.ts'
import { rowDifferences, unreadableAs } from '../../src/parity/row-differences.ts'
import { viewOf } from './writing-fixture.ts'

function feature(name: string, type: string, tolerance?: number): Feature {
  return { name, type: parseTypeName(type)!, ...(tolerance === undefined ? {} : { tolerance }) }
}

const FEATURES = [
  feature('exact', 'double'),
  feature('near', 'double', 0.01),
  feature('count', 'int64'),
  feature('text', 'string'),
  feature('blob', 'bytes'),
  feature('flags', 'list<bool>'),
  feature('embedding', 'vector<2>', 0.01),
]
const view = viewOf({ name: 'v', joinKeys: [{ name: 'k', type: 'string' }], features: FEATURES })
type Values = Readonly<Record<string, FeatureValue | null | undefined>>
const SOUND: Values = {
  exact: 1.5,
  near: 1,
  count: 7n,
  text: 'a',
  blob: Buffer.from([1]),
  flags: [true],
  embedding: [1, 2],
}

function row(values: Values, header: { schemaId?: number; created?: number } = {}): Buffer {
  const encoded = FEATURES.map(({ name, type }) => encodeValue(type, values[name]) as Buffer)
  const { schemaId = 1, created = 5 } = header
  return encodeRow({ schemaId, eventMicros: 1, createdMicros: created, position: 5 as Position, values: encoded })
}

const differ = (changed: Values): unknown => rowDifferences(view, row({ ...SOUND, ...changed }), row(SOUND))

test('equal rows do not differ; every other value is named with both', () => {
  expect(differ({})).toEqual([])
  expect(differ({ exact: 1.5000000000000002, text: 'b', blob: Buffer.from([2]), flags: [false] })).toEqual([
    { feature: 'exact', online: '1.5000000000000002', offline: '1.5' },
    { feature: 'text', online: '"b"', offline: '"a"' },
    { feature: 'blob', online: '0x02', offline: '0x01' },
    { feature: 'flags', online: '[false]', offline: '[true]' },
  ])
  expect(differ({ count: 9007199254740993n })).toEqual([{ feature: 'count', online: '9007199254740993', offline: '7' }])
})

test('null and missing are not the same, nor are the two zeros; NaN is equal to itself', () => {
  expect(differ({ text: null, count: undefined })).toEqual([
    { feature: 'count', online: '(missing)', offline: '7' },
    { feature: 'text', online: 'null', offline: '"a"' },
    { feature: '(flag for null and missing values)', online: 'true', offline: 'false' },
  ])
  const pair = (one: number, other: number) =>
    rowDifferences(view, row({ ...SOUND, exact: one }), row({ ...SOUND, exact: other }))
  expect(pair(-0, 0)).toEqual([{ feature: 'exact', online: '-0', offline: '0' }])
  expect(pair(Number.NaN, Number.NaN)).toHaveLength(0)
  expect(pair(Number.NaN, 1)).toHaveLength(1)
})

test('numbers within the tolerance of their feature are equal, also in vectors; a longer list is not', () => {
  expect(differ({ near: 1.0099, embedding: [1.005, 1.995] })).toEqual([])
  expect(differ({ near: 1.02 })).toEqual([{ feature: 'near', online: '1.02', offline: '1' }])
  expect(differ({ embedding: [1, 3] })).toHaveLength(1)
  expect(differ({ flags: [true, true] })).toHaveLength(1)
})

test('the parts of the header that the checksum leaves out count', () => {
  expect(rowDifferences(view, row(SOUND, { created: 6 }), row(SOUND))).toEqual([
    { feature: '(created timestamp)', online: '6', offline: '5' },
  ])
  expect(rowDifferences(view, row(SOUND, { schemaId: 2 }), row(SOUND))).toEqual([
    { feature: '(schema)', online: '2', offline: '1' },
  ])
})

test('bytes that are no value of the type are unreadable, and differ', () => {
  const values = FEATURES.map(({ name, type }) => encodeValue(type, SOUND[name]) as Buffer)
  values[3] = values[0]!
  const broken = encodeRow({ schemaId: 1, eventMicros: 1, createdMicros: 5, position: 5 as Position, values })
  expect(rowDifferences(view, broken, row(SOUND))).toEqual([
    { feature: 'text', online: '(unreadable)', offline: '"a"' },
  ])
  expect(unreadableAs(view, broken)).toContain('text')
  expect(unreadableAs(view, row(SOUND))).toBeUndefined()
  expect(unreadableAs(view, row(SOUND, { schemaId: 2 }))).toContain('schema 2')
})
