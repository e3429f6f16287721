/** How much to order: the (R, S) rule of periodic review, and the normal quantile it needs. Pure arithmetic, no definitions. */

export interface Demand {
  /** Units a day, and their standard deviation from day to day. */
  readonly meanDaily: number
  readonly stddevDaily: number
}

export interface Terms {
  readonly leadTimeDays: number
  readonly leadTimeStddevDays: number
  readonly reviewPeriodDays: number
  /** The chance, 0.5 to below 1, that stock lasts from one delivery to the next. */
  readonly serviceLevel: number
  /** Units; an order is a whole number of packs. */
  readonly packSize: number
  /** Units; no order is smaller. */
  readonly minOrder: number
  /** Units that a planner has set instead of the computed ones. */
  readonly safetyStockOverride: number | null
}

export interface Recommendation {
  readonly safetyStock: number
  readonly reorderPoint: number
  readonly orderQuantity: number
}

/**
 * At a review, what is on hand and on order must last until the order of the *next* review arrives, L + R days away:
 *
 *     safety stock   = z x sqrt((L + R) x sigma^2 + d^2 x sigma_L^2)     z: the normal quantile of the service level
 *     reorder point  = d x (L + R) + safety stock
 *     order quantity = reorder point - (on hand + on order), up to whole packs and to the smallest order; none at or above it
 *
 * with daily demand d and its deviation sigma, and lead time L and its deviation sigma_L. Source: E. Silver, D. Pyke, D. Thomas,
 * Inventory and Production Management in Supply Chains, 4th edition, 2017: the chapter on individual items with
 * probabilistic demand, (R, S) systems and variable lead times. Demand over L + R days is taken as normal, which is
 * rough for articles that sell on a few days only.
 *
 * Null where the terms make no sense (a service level of 1 needs endless stock): a batch over all articles must not fail
 * because of what somebody tried with one of them.
 */
export function recommend(demand: Demand, terms: Terms, stockPosition: number): Recommendation | null {
  if (!isSensible(demand, terms)) return null
  const { meanDaily, stddevDaily } = demand
  const days = terms.leadTimeDays + terms.reviewPeriodDays
  const deviation = Math.sqrt(days * stddevDaily ** 2 + (meanDaily * terms.leadTimeStddevDays) ** 2)
  const safetyStock = terms.safetyStockOverride ?? normalQuantile(terms.serviceLevel) * deviation
  const reorderPoint = meanDaily * days + safetyStock
  const short = reorderPoint - stockPosition
  const packs = short > 0 ? Math.ceil(Math.max(short, terms.minOrder) / terms.packSize) : 0
  const orderQuantity = packs * terms.packSize
  return Number.isSafeInteger(orderQuantity) ? { safetyStock, reorderPoint, orderQuantity } : null
}

function isSensible({ meanDaily, stddevDaily }: Demand, terms: Terms): boolean {
  const { leadTimeDays, leadTimeStddevDays, reviewPeriodDays, serviceLevel, packSize, minOrder } = terms
  const quantities = [meanDaily, stddevDaily, leadTimeDays, leadTimeStddevDays, reviewPeriodDays, minOrder]
  return quantities.every((quantity) => quantity >= 0) && serviceLevel >= 0.5 && serviceLevel < 1 && packSize >= 1
}

/** Below this probability, and above one less it, the tail's approximation holds. */
const TAIL = 0.02425

/** From the highest power down. */
const CENTRE_ABOVE = [
  -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1,
  2.506628277459239,
]
const CENTRE_BELOW = [
  -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1, 1,
]
const TAIL_ABOVE = [
  -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968,
  2.938163982698783,
]
const TAIL_BELOW = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1]

/**
 * z with P(Z <= z) = probability, 0 < probability < 1, for a standard normal Z: the rational approximation of P. J. Acklam, "An
 * algorithm for computing the inverse normal cumulative distribution function" (2003); its relative error is below 1.15e-9.
 */
export function normalQuantile(probability: number): number {
  if (probability > 1 - TAIL) return -normalQuantile(1 - probability)
  if (probability < TAIL) {
    const q = Math.sqrt(-2 * Math.log(probability))
    return polynomial(TAIL_ABOVE, q) / polynomial(TAIL_BELOW, q)
  }
  const q = probability - 0.5
  const r = q * q
  return (polynomial(CENTRE_ABOVE, r) * q) / polynomial(CENTRE_BELOW, r)
}

function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0)
}
