import fc from 'fast-check'
import { expect, test } from 'vitest'
import { driftOf, populationStabilityIndex, SHARE_MIN } from '../../src/statistics/psi.ts'

test('values worked out by hand', () => {
  // Shares 0.5, 0.3, 0.2 and 0.4, 0.4, 0.2: -0.1 ln 0.8 + 0.1 ln 4/3 + 0 = 0.0223144 + 0.0287682.
  expect(populationStabilityIndex([50, 30, 20], [40, 40, 20])).toBeCloseTo(0.0510826, 7)
  // Shares 0.1 and 0.9 changed places: 2 (0.8 ln 9).
  expect(populationStabilityIndex([10, 90], [900, 100])).toBeCloseTo(3.5155593, 7)
  // A bin that was empty has 1 %: -0.01 ln 0.99 + (0.01 - 0.0001) ln 100 = 0.0001005 + 0.0455912.
  expect(populationStabilityIndex([100, 0], [990, 10])).toBeCloseTo(0.0456917, 7)
})

test('the same shares are 0, however many rows; empty bins of both sides count nothing', () => {
  expect(populationStabilityIndex([1, 2, 0, 7], [100, 200, 0, 700])).toBe(0)
})

test('there is no index without rows on both sides', () => {
  expect(populationStabilityIndex([0, 0], [1, 2])).toBeUndefined()
  expect(populationStabilityIndex([1, 2], [0, 0])).toBeUndefined()
})

test('property: never negative, the same in both directions and for any order of the bins, bounded by the least share', () => {
  const bins = fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { minLength: 1, maxLength: 22 })
  fc.assert(
    fc.property(bins, (pairs) => {
      const [one, other] = [pairs.map(([count]) => count), pairs.map(([, count]) => count)]
      const psi = populationStabilityIndex(one, other)
      if (psi === undefined) {
        expect(Math.min(Math.max(...one), Math.max(...other))).toBe(0)
        return
      }
      expect(psi).toBeGreaterThanOrEqual(0)
      expect(psi).toBeLessThanOrEqual(2 * Math.log(1 / SHARE_MIN) + 1)
      expect(populationStabilityIndex(other, one)).toBeCloseTo(psi, 10)
      expect(populationStabilityIndex(one.toReversed(), other.toReversed())).toBeCloseTo(psi, 10)
      expect(populationStabilityIndex(one, one)).toBe(0)
    }),
  )
})

test('two samples of one population have about (B - 1)(1/n + 1/m) on average', () => {
  let state = 1
  const random = () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  const sample = (rows: number) => {
    const counts = new Array<number>(10).fill(0)
    for (let row = 0; row < rows; row++) counts[Math.floor(random() * 10)]!++
    return counts
  }
  const indexes = Array.from({ length: 300 }, () => populationStabilityIndex(sample(2000), sample(500))!)
  const mean = indexes.reduce((sum, psi) => sum + psi, 0) / indexes.length
  const expected = 9 * (1 / 2000 + 1 / 500)
  expect(mean / expected).toBeGreaterThan(0.9)
  expect(mean / expected).toBeLessThan(1.1)
})

test('the index is read by the thresholds, each of which belongs to the worse side', () => {
  const thresholds = { shifting: 0.1, drifted: 0.25 }
  const words = [0, 0.0999, 0.1, 0.2499, 0.25, 5].map((psi) => driftOf(psi, thresholds))
  expect(words).toEqual(['stable', 'stable', 'shifting', 'shifting', 'drifted', 'drifted'])
})
