/** The arithmetic of the replenishment example, against figures from elsewhere. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { normalQuantile, recommend, type Terms } from '../../examples/replenishment/reorder.ts'

const TERMS: Terms = {
  leadTimeDays: 9,
  leadTimeStddevDays: 2,
  reviewPeriodDays: 7,
  serviceLevel: 0.975,
  packSize: 12,
  minOrder: 0,
  safetyStockOverride: null,
}

test.each([
  [0.5, 0],
  [0.9, 1.2815515655446004],
  [0.95, 1.6448536269514722],
  [0.975, 1.959963984540054],
  [0.98, 2.0537489106318225],
  [0.999, 3.090232306167813],
  [0.000001, -4.753424308822899],
])('the normal quantile of %d is that of the tables', (probability, z) => {
  expect(Math.abs(normalQuantile(probability) - z)).toBeLessThanOrEqual(1.15e-9 * Math.max(1, Math.abs(z)))
})

test('the normal quantile rises, and is symmetric', () => {
  const probability = fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true })
  fc.assert(
    fc.property(probability, probability, (a, b) => {
      expect(normalQuantile(Math.max(a, b))).toBeGreaterThanOrEqual(normalQuantile(Math.min(a, b)))
      expect(normalQuantile(a) + normalQuantile(1 - a)).toBeCloseTo(0, 6)
    }),
  )
})

test('safety stock, reorder point and order quantity of an example that can be worked out by hand', () => {
  // 16 days to cover; deviation = sqrt(16 x 3^2 + (10 x 2)^2) = sqrt(544); z = 1.96.
  const expected = { safetyStock: 1.959963984540054 * Math.sqrt(544), orderQuantity: 108 }
  const recommended = recommend({ meanDaily: 10, stddevDaily: 3 }, TERMS, 100)!
  expect(recommended.safetyStock).toBeCloseTo(expected.safetyStock, 6)
  expect(recommended.reorderPoint).toBeCloseTo(160 + expected.safetyStock, 6)
  // 205.7 - 100 = 105.7, up to whole dozens.
  expect(recommended.orderQuantity).toBe(108)
})

test('nothing is ordered at the reorder point; below it at least the smallest order, in whole packs', () => {
  const terms = { ...TERMS, safetyStockOverride: 40, minOrder: 50 }
  const quantityAt = (stock: number): number =>
    recommend({ meanDaily: 10, stddevDaily: 3 }, terms, stock)!.orderQuantity
  expect([200, 199, 150, 100, 0].map(quantityAt)).toEqual([0, 60, 60, 108, 204])
})

test('what makes no sense gives no recommendation, and never throws', () => {
  for (const terms of [{ serviceLevel: 1 }, { serviceLevel: Number.NaN }, { packSize: 0 }, { leadTimeDays: -1 }]) {
    expect(recommend({ meanDaily: 10, stddevDaily: 3 }, { ...TERMS, ...terms }, 0)).toBeNull()
  }
  const any = fc.double()
  fc.assert(
    fc.property(any, any, any, any, any, any, (meanDaily, stddevDaily, leadTimeDays, serviceLevel, packSize, stock) => {
      const recommended = recommend(
        { meanDaily, stddevDaily },
        { ...TERMS, leadTimeDays, serviceLevel, packSize },
        stock,
      )
      if (recommended !== null) expect(recommended.orderQuantity).toBeGreaterThanOrEqual(0)
    }),
  )
})
