import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KnownKeys } from '../../src/serving/known-keys.ts'

/** Length and bytes of each, one after the other, and where each begins. */
function asked(strings: readonly Uint8Array[]): { bytes: Buffer; starts: number[] } {
  const starts: number[] = []
  let at = 0
  for (const { length } of strings) {
    starts.push(at)
    at += 1 + length
  }
  return { bytes: Buffer.concat(strings.flatMap((each) => [Buffer.from([each.length]), each])), starts }
}

/** Longer than what is kept of a key's bytes in its place, and different only behind that; the last fill it just so. */
const LONG = ['a', 'b'].flatMap((last) => [100, 62, 61].map((bytes) => `${'k'.repeat(bytes)}${last}`))

const expected = (prefix: string, string: Uint8Array): string =>
  `${prefix}S${String.fromCharCode(string.length)}${Buffer.from(string).toString('latin1')}`

test('whatever was asked before, a key is that of its view and its string', () => {
  const known = new KnownKeys()
  const prefixes = fc.constantFrom('a@1/', 'b@1/', 'ab@12/', 'a@11/')
  // Few different strings, so that most come again, and any bytes.
  const string = fc.oneof(
    fc.constantFrom('', 'S', 'x', 'user-1', 'user-2', 'é', ...LONG).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 127 }),
  )
  fc.assert(
    fc.property(prefixes, fc.array(string, { maxLength: 20 }), (prefix, strings) => {
      const { bytes, starts } = asked(strings)
      expect(known.of(prefix, bytes, starts)).toEqual(strings.map((each) => expected(prefix, each)))
      // What a request's memory holds later is another matter.
      bytes.fill(0x41)
    }),
    { numRuns: 500 },
  )
})

test.each(['user-', `${'k'.repeat(70)}-`])('more keys than there are places are all right: %s', (name) => {
  const known = new KnownKeys()
  for (let round = 0; round < 2; round++) {
    for (let first = 0; first < 100_000; first += 1000) {
      const strings = Array.from({ length: 1000 }, (_, index) => Buffer.from(`${name}${first + index}`))
      const { bytes, starts } = asked(strings)
      const keys = known.of('v@1/', bytes, starts)
      const wrong = keys.findIndex((key, index) => key !== expected('v@1/', strings[index]!))
      expect(wrong).toBe(-1)
    }
  }
})

test('more views than are told apart are all right', () => {
  const known = new KnownKeys()
  const { bytes, starts } = asked(LONG.map((text) => Buffer.from(text)))
  for (let round = 0; round < 2; round++) {
    for (let view = 0; view < 600; view++) {
      const keys = known.of(`v@${view}/`, bytes, starts)
      expect(keys).toEqual(LONG.map((text) => expected(`v@${view}/`, Buffer.from(text))))
    }
  }
})
