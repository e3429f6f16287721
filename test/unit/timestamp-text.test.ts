import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTimestamp, secondsText, timestampText } from '../../src/api/http/timestamp-text.ts'
import { EVENT_MICROS_MAX, EVENT_MICROS_MIN } from '../../src/domain/version.ts'

test('every time that a row can have comes back exact', () => {
  fc.assert(
    fc.property(fc.integer({ min: EVENT_MICROS_MIN, max: EVENT_MICROS_MAX }), (micros) => {
      expect(parseTimestamp(timestampText(micros))).toBe(micros)
    }),
    { numRuns: 1000 },
  )
})

test('fractions are as short as they can be', () => {
  expect([0, 1_000_000, 1_500_000, 1_000_001, -1].map(timestampText)).toEqual([
    '1970-01-01T00:00:00Z',
    '1970-01-01T00:00:01Z',
    '1970-01-01T00:00:01.500Z',
    '1970-01-01T00:00:01.000001Z',
    '1969-12-31T23:59:59.999999Z',
  ])
  expect(secondsText(9e15)).toBe('9000000000000000')
})

test('offsets, lower case, a space and leap days are read', () => {
  const noon = Date.UTC(2024, 1, 29, 12) * 1000
  for (const text of [
    '2024-02-29T12:00:00Z',
    '2024-02-29t12:00:00z',
    '2024-02-29 12:00:00Z',
    '2024-02-29T17:30:00.000+05:30',
    '2024-02-29T04:00:00-08:00',
  ]) {
    expect(parseTimestamp(text), text).toBe(noon)
  }
  expect(parseTimestamp('2024-02-29T12:00:00.000001000Z')).toBe(noon + 1)
})

test('what is no time is none', () => {
  for (const text of [
    '',
    '2024',
    '2024-02-29',
    '2024-02-29T12:00:00',
    '2023-02-29T12:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:60:00Z',
    '2024-01-01T00:00:60Z',
    '2024-01-01T00:00:00+24:00',
    '2024-01-01T00:00:00.0000001Z',
    '1700000000',
    'x2024-01-01T00:00:00Z',
  ]) {
    expect(parseTimestamp(text), text).toBeUndefined()
  }
})
