import { expect, test } from 'vitest'
import { parseRow, parseTime, parseValue, parseWords, typedRow } from '../../src/cli/assignments.ts'

test('a row is name=value pairs, or a JSON object', () => {
  expect(parseRow('origin=ATL,destination=ORD')).toEqual({ origin: 'ATL', destination: 'ORD' })
  expect(parseRow('note=a=b')).toEqual({ note: 'a=b' })
  expect(parseRow('{"name":"a,b","n":7}')).toEqual({ name: 'a,b', n: '7' })
  expect(parseWords(['airport=ATL', 'closed=true'])).toEqual({ airport: 'ATL', closed: 'true' })
})

test.each([
  ['ATL', /"ATL" is not name=value/],
  ['=x', /is not name=value/],
  ['a=1,a=2', /a is given twice/],
  ['{"a":', /not a JSON object/],
])('%s is refused', (word, problem) => {
  expect(() => parseRow(word)).toThrow(problem)
})

test.each([
  ['string', '12', '12'],
  ['bool', 'true', true],
  ['int32', '-5', -5],
  ['int64', '9007199254740993', 9007199254740993n],
  ['double', '1e-3', 0.001],
  ['double', 'null', null],
  ['timestamp', '2026-01-31', new Date('2026-01-31T00:00:00Z')],
  ['timestamp', '2026-01-31 12:00:00', new Date('2026-01-31T12:00:00Z')],
  ['timestamp', '2026-01-31T12:00:00+02:00', new Date('2026-01-31T10:00:00Z')],
  ['list<string>', '["a","b"]', ['a', 'b']],
  ['list<int64>', '[1,2]', [1n, 2n]],
  ['vector<2>', '[0.5,1]', [0.5, 1]],
  ['bytes', 'AAH/', Buffer.from([0, 1, 255])],
])('a %s is read from %s', (type, text, value) => {
  expect(parseValue('x', type, text)).toEqual(value)
})

test.each([
  ['bool', 'yes', /x: "yes" is not true or false/],
  ['int64', '1.5', /not a whole number/],
  ['double', 'many', /not a number/],
  ['double', '', /not a number/],
  ['timestamp', 'today', /not a time such as/],
  ['list<double>', '1,2', /not a JSON array/],
  ['list<int64>', '[1,"b"]', /x\[1\]: "b" is not a whole number/],
])('a %s is not read from %j', (type, text, problem) => {
  expect(() => parseValue('x', type, text)).toThrow(problem)
})

test('an unknown column is named with the nearest known one', () => {
  const columns = new Map([['expected_delay_minutes', 'double']])
  expect(() => typedRow({ expected_delay_minute: '1' }, columns, 'view airport_status')).toThrow(
    /view airport_status has no column expected_delay_minute; did you mean expected_delay_minutes\?/,
  )
})

test('text that is no time gives none', () => {
  for (const text of ['', '12', '2026-13-01', 'now']) expect(parseTime(text)).toBeUndefined()
})
