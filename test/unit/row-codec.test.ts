import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  acceptRow,
  compareRowVersions,
  encodeRow,
  MISSING_VALUE,
  NULL_VALUE,
  ROW_HEADER_BYTES,
  type RowInput,
  rowCreatedMicros,
  rowEventMicros,
  rowFault,
  rowHasGaps,
  rowPosition,
  rowSchemaId,
  rowValues,
  rowVersion,
} from '../../src/domain/row-codec.ts'
import { encodeValue } from '../../src/domain/value-codec.ts'
import {
  compareVersions,
  EVENT_MICROS_MAX,
  EVENT_MICROS_MIN,
  nextPosition,
  type Position,
} from '../../src/domain/version.ts'

const micros = fc.integer({ min: EVENT_MICROS_MIN, max: EVENT_MICROS_MAX })
const position = fc.integer({ min: 0, max: 2 ** 53 - 1 }).map((value) => value as Position)
const value = fc.oneof(
  fc.constant(MISSING_VALUE),
  fc.constant(NULL_VALUE),
  fc.uint8Array({ minLength: 1, maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
)
const input: fc.Arbitrary<RowInput> = fc.record({
  schemaId: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  eventMicros: micros,
  createdMicros: micros,
  position,
  values: fc.array(value, { maxLength: 20 }),
})

test('golden row: the stored layout of format 1', () => {
  const row = encodeRow({
    schemaId: 3,
    eventMicros: -1,
    createdMicros: 978307200000000,
    position: 1700000000000001 as Position,
    values: [encodeValue({ kind: 'double' }, 0.5) as Buffer, NULL_VALUE, MISSING_VALUE],
  })
  expect(row.toString('hex')).toBe(
    '01' +
      '01' +
      '00000003' +
      '3976f558' +
      '7fffffffffffffff' +
      '00060a24181e4001' +
      '800379c3e5232000' +
      '0a0929000000000000e03f' +
      '0a03980100' +
      '0a00',
  )
})

test('reading gives back what was encoded', () => {
  fc.assert(
    fc.property(input, (row) => {
      const bytes = encodeRow(row)
      expect(rowFault(bytes)).toBeUndefined()
      expect(rowSchemaId(bytes)).toBe(row.schemaId)
      expect(rowEventMicros(bytes)).toBe(row.eventMicros)
      expect(rowCreatedMicros(bytes)).toBe(row.createdMicros)
      expect(rowPosition(bytes)).toBe(row.position)
      expect(rowValues(bytes).map((item) => item.toString('hex'))).toEqual(
        row.values.map((item) => Buffer.from(item).toString('hex')),
      )
      expect(rowHasGaps(bytes)).toBe(row.values.some((item) => item.length === 0 || NULL_VALUE.equals(item)))
    }),
  )
})

test('comparing header bytes orders versions as comparing numbers does', () => {
  fc.assert(
    fc.property(input, input, fc.boolean(), (a, b, sameTime) => {
      const other = sameTime ? { ...b, eventMicros: a.eventMicros } : b
      const [left, right] = [encodeRow(a), encodeRow(other)]
      expect(Math.sign(compareRowVersions(left, right))).toBe(
        Math.sign(compareVersions(rowVersion(left), rowVersion(right))),
      )
    }),
  )
})

test('accepting sets position and created timestamp and leaves the given row alone', () => {
  fc.assert(
    fc.property(input, position, (row, at) => {
      const bytes = encodeRow(row)
      const before = Buffer.from(bytes)
      const accepted = acceptRow(bytes, at)
      expect(bytes.equals(before)).toBe(true)
      expect(rowFault(accepted)).toBeUndefined()
      expect([rowPosition(accepted), rowCreatedMicros(accepted), rowEventMicros(accepted)]).toEqual([
        at,
        at,
        row.eventMicros,
      ])
      expect(accepted.subarray(ROW_HEADER_BYTES).equals(bytes.subarray(ROW_HEADER_BYTES))).toBe(true)
    }),
  )
})

test('every changed byte of the body is found', () => {
  fc.assert(
    fc.property(input, fc.nat(), fc.integer({ min: 1, max: 255 }), (row, where, flip) => {
      const bytes = encodeRow({ ...row, values: [...row.values, Buffer.from('x')] })
      const at = ROW_HEADER_BYTES + (where % (bytes.length - ROW_HEADER_BYTES))
      bytes[at] = bytes[at]! ^ flip
      expect(rowFault(bytes)?.code).toBe('DATA_LOSS')
    }),
  )
})

test('a row of another format or too short is named as such', () => {
  const row = encodeRow({ schemaId: 1, eventMicros: 0, createdMicros: 0, position: 1 as Position, values: [] })
  row[0] = 9
  expect(rowFault(row)?.message).toContain('format version 9')
  expect(rowFault(Buffer.alloc(5))?.message).toContain('shorter than a header')
})

test('positions increase even when the clock stands still or steps back', () => {
  expect(nextPosition(100, 500)).toBe(500)
  expect(nextPosition(500, 500)).toBe(501)
  expect(nextPosition(501, 100)).toBe(502)
})
