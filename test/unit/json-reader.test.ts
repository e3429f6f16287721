/** The JSON reader against `JSON.parse`: it accepts the same texts and gives the same values, but for numbers, which stay text. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonReader } from '../../src/api/http/json-reader.ts'

/** As `JSON.parse` makes it, but with numbers as they were written and objects as entries. */
function read(json: JsonReader): unknown {
  switch (json.kind()) {
    case 'object': {
      const entries: [string, unknown][] = []
      json.enterObject()
      for (let name = json.nextName(); name !== undefined; name = json.nextName()) entries.push([name, read(json)])
      return { entries }
    }
    case 'array': {
      const items: unknown[] = []
      json.enterArray()
      while (json.nextItem()) items.push(read(json))
      return items
    }
    case 'string':
      return json.string()
    case 'number':
      return { number: json.number() }
    case 'boolean':
      return json.boolean()
    default:
      json.null()
      return null
  }
}

function readAll(text: string): unknown {
  const json = new JsonReader(text)
  const value = read(json)
  json.end()
  return value
}

/** The value `JSON.parse` would have made. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if ('number' in value) return Number(value.number)
  const made: Record<string, unknown> = Object.create(null)
  for (const [name, member] of (value as { entries: [string, unknown][] }).entries) made[name] = plain(member)
  return made
}

function withoutPrototypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPrototypes)
  if (typeof value !== 'object' || value === null) return value
  return Object.assign(
    Object.create(null),
    Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutPrototypes(member)])),
  )
}

test('it reads what JSON.parse reads', () => {
  const texts = fc
    .tuple(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t', '  '))
    .map(([value, space]) => JSON.stringify(value, null, space))
  fc.assert(
    fc.property(texts, (text) => {
      expect(plain(readAll(text))).toEqual(withoutPrototypes(JSON.parse(text)))
    }),
    { numRuns: 500 },
  )
})

test('it refuses what JSON.parse refuses, and accepts nothing else', () => {
  const damaged = fc
    .tuple(
      fc.jsonValue(),
      fc.nat(),
      fc.constantFrom('', '"', '\\', ',', ':', '{', '}', '[', ']', '0', '-', '.', 'e', 'n', ' ', '\n', '\u0001', 'é'),
    )
    .map(([value, at, piece]) => {
      const text = JSON.stringify(value)
      const cut = at % (text.length + 1)
      return `${text.slice(0, cut)}${piece}${text.slice(cut + 1)}`
    })
  fc.assert(
    fc.property(damaged, (text) => {
      let parsed: unknown
      try {
        parsed = JSON.parse(text)
      } catch {
        expect(() => readAll(text)).toThrow(/^the body is not JSON as it should be: line \d+, column \d+: /)
        return
      }
      expect(plain(readAll(text))).toEqual(withoutPrototypes(parsed))
    }),
    { numRuns: 2000 },
  )
})

test('numbers keep their digits, whatever they are', () => {
  const text = '[9223372036854775807, -9223372036854775808, 1e400, 0.1000, -0, 12345678901234567890123]'
  expect(readAll(text)).toEqual(
    ['9223372036854775807', '-9223372036854775808', '1e400', '0.1000', '-0', '12345678901234567890123'].map(
      (number) => ({ number }),
    ),
  )
})

test('__proto__ is a name like any other, and a name that comes twice comes twice', () => {
  expect(readAll('{"__proto__": {"polluted": true}, "a": 1, "a": 2}')).toEqual({
    entries: [
      ['__proto__', { entries: [['polluted', true]] }],
      ['a', { number: '1' }],
      ['a', { number: '2' }],
    ],
  })
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
})

test('a value can be skipped, up to a depth', () => {
  const skip = (text: string) => () => {
    const json = new JsonReader(text)
    json.skip()
    json.end()
  }
  expect(skip('{"a": [1, {"b": null}], "c": "\\u00e9", "d": [], "e": {}}')).not.toThrow()
  expect(skip(`${'['.repeat(32)}${']'.repeat(32)}`)).not.toThrow()
  expect(skip('['.repeat(1_000_000))).toThrow('line 1, column 33: nested more than 32 deep, found "["')
  expect(skip('[1, 2')).toThrow('line 1, column 6: expected a comma or ], the text ends')
})

test('a fault has its line and column', () => {
  expect(() => readAll('{\n  "a": 1,\n  "b": tru\n}')).toThrow('line 3, column 8: expected true, found "t"')
  expect(() => readAll('"abc')).toThrow('line 1, column 1: the string that begins here has no end')
  expect(() => readAll('"a\u0007"')).toThrow(
    'line 1, column 3: control characters in strings are written as \\u00.., found "\\u0007"',
  )
  expect(() => readAll('"\\x"')).toThrow('line 1, column 1: the string that begins here has a wrong escape')
  expect(() => readAll('[01]')).toThrow('line 1, column 3: expected a comma or ], found "1"')
  expect(() => readAll('\ufeff{}')).toThrow('line 1, column 1: expected a value')
  expect(() => readAll('{} {}')).toThrow('line 1, column 4: something follows the end of the JSON text')
  expect(() => readAll('')).toThrow('line 1, column 1: expected a value, the text ends')
})
