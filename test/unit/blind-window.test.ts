/** The formulas of the blind window against a simulation, the case they are made for, and the rule that follows from them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  blindWindow,
  type EventTimeMeans,
  inWords,
  isSyncedInTime,
  type SyncTimes,
  waysOut,
} from '../../src/domain/blind-window.ts'

const HOUR = 3600
const MEANS: readonly EventTimeMeans[] = ['ready', 'read']

/** Second by second: syncs begin, their values arrive and grow old. Blind seconds between two arrivals, `failing` syncs between them. */
function simulated({ ttlSeconds, everySeconds, computeSeconds }: SyncTimes, means: EventTimeMeans, failing: number) {
  const begins: number[] = [0]
  while (begins.length < 3 + failing) {
    const last = begins.at(-1)!
    begins.push(Math.max(last + everySeconds, last + computeSeconds))
  }
  const arrivals = begins
    .filter((_, index) => index < 1 || index > failing)
    .map((began) => {
      const arrivesAt = began + computeSeconds
      return { arrivesAt, eventTime: means === 'read' ? began : arrivesAt }
    })
  const [first, second] = arrivals
  let blind = 0
  for (let now = first!.arrivesAt; now < second!.arrivesAt; now++) if (now - first!.eventTime >= ttlSeconds) blind++
  return blind
}

const times = fc.record({
  ttlSeconds: fc.integer({ min: 1, max: 60 }),
  everySeconds: fc.integer({ min: 1, max: 60 }),
  computeSeconds: fc.integer({ min: 0, max: 90 }),
})

test('the formulas are what a simulation counts', () => {
  fc.assert(
    fc.property(times, fc.constantFrom(...MEANS), (each, means) => {
      const found = blindWindow(each, means)
      expect(found.blindSeconds).toBe(simulated(each, means, 0))
      expect(found.blindAfterFailureSeconds).toBe(simulated(each, means, 1))
    }),
  )
})

test('within half of the TTL nothing is blind, and nothing when one sync fails if timestamps say when values were ready', () => {
  fc.assert(
    fc.property(times, (each) => {
      fc.pre(isSyncedInTime(each))
      expect(MEANS.map((means) => blindWindow(each, means).blindSeconds)).toEqual([0, 0])
      expect(blindWindow(each, 'ready').blindAfterFailureSeconds).toBe(0)
    }),
  )
})

test('each way out is one: with it nothing is blind, and with a second less something is', () => {
  fc.assert(
    fc.property(times, fc.constantFrom(...MEANS), (each, means) => {
      const ways = waysOut(each, means)
      const blindAt = (change: Partial<SyncTimes>) => blindWindow({ ...each, ...change }, means)
      expect(blindAt({ ttlSeconds: ways.ttlSeconds }).blindAfterFailureSeconds).toBe(0)
      expect(blindAt({ ttlSeconds: ways.ttlSeconds - 1 }).blindAfterFailureSeconds).toBe(1)
      expect(blindAt({ ttlSeconds: ways.ttlWithoutMarginSeconds }).blindSeconds).toBe(0)
      expect(blindAt({ ttlSeconds: ways.ttlWithoutMarginSeconds - 1 }).blindSeconds).toBe(1)
      if (each.computeSeconds <= ways.everySeconds && each.ttlSeconds - 2 >= blindAt({}).ageOnArrivalSeconds) {
        expect(blindAt({ everySeconds: ways.everySeconds }).blindAfterFailureSeconds).toBe(0)
        expect(blindAt({ everySeconds: ways.everySeconds + 1 }).blindAfterFailureSeconds).toBeGreaterThan(0)
      }
    }),
  )
})

test('compute 4 h, TTL 2 h, sync every 6 h: a gap of 4 h; never fresh if timestamps say when data was read', () => {
  const each = { ttlSeconds: 2 * HOUR, everySeconds: 6 * HOUR, computeSeconds: 4 * HOUR }
  expect(blindWindow(each, 'ready')).toEqual({
    cycleSeconds: 6 * HOUR,
    ageOnArrivalSeconds: 0,
    blindSeconds: 4 * HOUR,
    blindAfterFailureSeconds: 10 * HOUR,
  })
  expect(blindWindow(each, 'read')).toEqual({
    cycleSeconds: 6 * HOUR,
    ageOnArrivalSeconds: 4 * HOUR,
    blindSeconds: 6 * HOUR,
    blindAfterFailureSeconds: 12 * HOUR,
  })
  expect(waysOut(each, 'ready')).toEqual({
    ttlSeconds: 12 * HOUR,
    ttlWithoutMarginSeconds: 6 * HOUR,
    everySeconds: HOUR,
  })
})

test.each([
  [0, '0 s'],
  [90, '1 min 30 s'],
  [2.04, '2 s'],
  [3600, '1 h'],
  [5400, '1 h 30 min'],
  [172_800, '48 h'],
])('%d seconds in words are %s', (seconds, words) => {
  expect(inWords(seconds)).toBe(words)
})
