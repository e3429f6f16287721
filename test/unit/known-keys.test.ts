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

const expected = (prefix: string, string: Uint8Array): string =>
  `${prefix}S${String.fromCharCode(string.length)}${Buffer.from(string).toString('latin1')}`

test('whatever was asked before, a key is that of its view and its string', () => {
  const known = new KnownKeys()
  const prefixes = fc.constantFrom('a@1/', 'b@1/', 'ab@12/', 'a@11/')
  // Few different strings, so that most come again, and any bytes.
  const string = fc.oneof(
    fc.constantFrom('', 'S', 'x', 'user-1', 'user-2', 'é').map((text) => Buffer.from(text)),
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

test('more keys than there are places are all right', () => {
  const known = new KnownKeys()
  for (let round = 0; round < 2; round++) {
    for (let first = 0; first < 200_000; first += 1000) {
      const strings = Array.from({ length: 1000 }, (_, index) => Buffer.from(`user-${first + index}`))
      const { bytes, starts } = asked(strings)
      const keys = known.of('v@1/', bytes, starts)
      for (const index of [0, 500, 999]) expect(keys[index]).toBe(expected('v@1/', strings[index]!))
    }
  }
})
