/** When calls are due and which they are: the pure parts of the load generator. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextIndex, nextKind } from '../../bench/load/order.mjs'
import { arrivals, Schedule } from '../../bench/load/pace.mjs'
import { seededRandom } from '../../bench/load/seeded-random.mjs'
import { zipf } from '../../bench/load/zipf.mjs'

const DRAWS = 200_000
/** A count of draws with this expectation is further off once in 500 million times; seeds are fixed, so that it never is. */
const SIGMAS = 6

function take(count: number, next: () => number): number[] {
  return Array.from({ length: count }, next)
}

function frequencies(count: number, draws: readonly number[]): number[] {
  const found = new Array<number>(count).fill(0)
  for (const draw of draws) found[draw]!++
  return found
}

test.each([0, 0.5, 0.99, 1, 1.1, 2])('ranks come as often as Zipf says, exponent %f', (exponent) => {
  const count = 1000
  const rank = zipf(count, exponent)
  const random = seededRandom(11)
  const found = frequencies(
    count,
    take(DRAWS, () => rank(random())),
  )
  const weights = found.map((_, index) => 1 / (index + 1) ** exponent)
  const sum = weights.reduce((total, weight) => total + weight, 0)
  for (const [index, weight] of weights.entries()) {
    const share = weight / sum
    const sigma = Math.sqrt(DRAWS * share * (1 - share))
    // Below a few draws the law is not normal any more; six sigmas and a few more cover it.
    expect(Math.abs(found[index]! - DRAWS * share), `rank ${index}`).toBeLessThan(SIGMAS * sigma + 5)
  }
})

test('the ends of the random numbers are the first and the last rank', () => {
  for (const exponent of [0.5, 1, 3]) {
    const rank = zipf(100, exponent)
    expect(rank(0)).toBe(0)
    expect(rank(1 - 2 ** -53)).toBe(99)
  }
  expect(zipf(1, 1)(0.7)).toBe(0)
  expect(() => zipf(0, 1)).toThrow('0 ranks')
  expect(() => zipf(10, -1)).toThrow('exponent is -1')
})

test('the hottest requests are not neighbours, and the same for the same seed', () => {
  const order = { kind: 'zipf', exponent: 1.2, seed: 3 } as const
  const draws = take(20_000, nextIndex(order, 1000))
  expect(take(20_000, nextIndex(order, 1000))).toEqual(draws)
  expect(take(20_000, nextIndex({ ...order, seed: 4 }, 1000))).not.toEqual(draws)
  const hottest = frequencies(1000, draws)
    .map((count, index) => ({ count, index }))
    .sort((a, b) => b.count - a.count)
    .slice(0, 20)
    .map(({ index }) => index)
  const neighbours = hottest.filter((index) => hottest.includes(index + 1))
  expect(neighbours.length).toBeLessThan(5)
  expect(hottest.filter((index) => index < 100).length).toBeLessThan(10)
})

test('in turn and uniform', () => {
  expect(take(7, nextIndex({ kind: 'inTurn' }, 3))).toEqual([0, 1, 2, 0, 1, 2, 0])
  const found = frequencies(10, take(DRAWS, nextIndex({ kind: 'uniform', seed: 1 }, 10)))
  const sigma = Math.sqrt(DRAWS * 0.1 * 0.9)
  for (const count of found) expect(Math.abs(count - DRAWS / 10)).toBeLessThan(SIGMAS * sigma)
  expect(() => nextIndex({ kind: 'other' } as never, 3)).toThrow('no order other')
})

test('kinds come by their shares', () => {
  const kinds = [
    { name: 'read', share: 95 },
    { name: 'write', share: 5 },
  ]
  const next = nextKind(kinds, 2)
  const writes = take(DRAWS, () => (next().name === 'write' ? 1 : 0)).reduce((sum, each) => sum + each, 0)
  expect(Math.abs(writes - DRAWS * 0.05)).toBeLessThan(SIGMAS * Math.sqrt(DRAWS * 0.05 * 0.95))
  expect(nextKind([kinds[0]!], 1)().name).toBe('read')
})

test('constant arrivals are equally far apart, without a sum that drifts', () => {
  const times = arrivals({ perSecond: 300, arrivals: 'constant', seed: 1 })
  const first = take(1_000_001, () => times.next().value)
  expect(first.slice(0, 4)).toEqual([0, 1000 / 300, 2000 / 300, 10])
  expect(first.at(-1)).toBeCloseTo(1_000_000 / 0.3, 6)
})

test('Poisson arrivals: gaps with the mean and the deviation of the exponential law', () => {
  const times = arrivals({ perSecond: 4000, arrivals: 'poisson', seed: 9 })
  const list = take(DRAWS, () => times.next().value)
  const gaps = list.map((time, index) => time - (list[index - 1] ?? 0))
  expect(Math.min(...gaps.slice(0, 1000))).toBeGreaterThanOrEqual(0)
  const mean = list.at(-1)! / DRAWS
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / DRAWS)
  expect(mean).toBeCloseTo(0.25, 2)
  expect(deviation / mean).toBeCloseTo(1, 1)
  // A tenth of the gaps is longer than ln 10 means: not so if they were merely spread about.
  expect(gaps.filter((gap) => gap > mean * Math.log(10)).length / DRAWS).toBeCloseTo(0.1, 2)
})

test('one seed for everything: gaps, kinds and requests have nothing to do with each other', () => {
  const seed = 7
  const times = arrivals({ perSecond: 1000, arrivals: 'poisson', seed })
  const list = take(DRAWS, () => times.next().value)
  const gaps = list.map((time, index) => time - (list[index - 1] ?? 0))
  const kind = nextKind([{ share: 1 }, { share: 1.0001 }], seed)
  const chosen = {
    uniform: take(DRAWS, nextIndex({ kind: 'uniform', seed }, 1000)),
    zipf: take(DRAWS, nextIndex({ kind: 'zipf', exponent: 0.5, seed, drawSeed: seed }, 1000)),
    kinds: take(DRAWS, () => kind().share),
  }
  for (const [name, values] of Object.entries(chosen)) {
    // Independent ones are correlated by 1 / sqrt(draws), give or take.
    expect(Math.abs(correlation(gaps, values)), name).toBeLessThan(SIGMAS / Math.sqrt(DRAWS))
  }
  expect(Math.abs(correlation(chosen.uniform, chosen.kinds))).toBeLessThan(SIGMAS / Math.sqrt(DRAWS))
})

function correlation(xs: readonly number[], ys: readonly number[]): number {
  const mean = (list: readonly number[]) => list.reduce((sum, each) => sum + each, 0) / list.length
  const [meanX, meanY] = [mean(xs), mean(ys)]
  const product = mean(xs.map((x, index) => (x - meanX) * (ys[index]! - meanY)))
  const deviation = (list: readonly number[], of: number) => Math.sqrt(mean(list.map((each) => (each - of) ** 2)))
  return product / (deviation(xs, meanX) * deviation(ys, meanY))
}

test('a pace that is none is refused', () => {
  const pace = { perSecond: 100, arrivals: 'poisson', seed: 1 } as const
  expect(() => arrivals({ ...pace, perSecond: 0 }).next()).toThrow('an open loop of 0 calls')
  expect(() => arrivals({ ...pace, arrivals: 'bursts' as never }).next()).toThrow('no arrivals bursts')
})

test('a schedule sends each call once, by its own time, whenever it is run', () => {
  const pace = { perSecond: 1000, arrivals: 'poisson', seed: 7 } as const
  const times = arrivals(pace)
  const expected = take(2000, () => times.next().value).filter((time) => time < 500)
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 90, noNaN: true }), { maxLength: 30 }), (steps) => {
      const sent: number[] = []
      const schedule = new Schedule(pace, 500, (dueMs) => sent.push(dueMs))
      let nowMs = 0
      for (const step of steps) {
        nowMs += step
        const next = schedule.run(nowMs)
        // All that were due, none before its time, however late this is.
        expect(sent).toEqual(expected.filter((time) => time <= nowMs))
        expect(next).toBe(expected[sent.length])
      }
      expect(schedule.run(500)).toBeUndefined()
      expect(sent).toEqual(expected)
    }),
    { numRuns: 30 },
  )
})
