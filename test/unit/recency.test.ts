/** The order of last use, against an array. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Linked, Recency } from '../../src/serving/recency.ts'

interface Thing extends Linked<Thing> {
  readonly id: number
}

test('the oldest is that of an array in which the same happened', () => {
  const step = fc.record({ do: fc.constantFrom('use', 'remove', 'removeOldest'), id: fc.nat(6) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const things = Array.from({ length: 7 }, (_, id): Thing => ({ id, older: undefined, newer: undefined }))
      const recency = new Recency<Thing>()
      let expected: Thing[] = []
      for (const each of steps) {
        const thing = each.do === 'removeOldest' ? expected[0] : things[each.id]!
        if (thing === undefined) continue
        const isIn = expected.includes(thing)
        expected = expected.filter((other) => other !== thing)
        if (each.do === 'use') {
          if (isIn) recency.renew(thing)
          else recency.add(thing)
          expected.push(thing)
        } else if (isIn) recency.remove(thing)
        expect(recency.oldest).toBe(expected[0])
        const seen: Thing[] = []
        for (let at = recency.oldest; at !== undefined; at = at.newer) seen.push(at)
        expect(seen).toEqual(expected)
        if (!expected.includes(thing)) expect([thing.older, thing.newer]).toEqual([undefined, undefined])
      }
    }),
  )
})
