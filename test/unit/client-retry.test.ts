import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RetryBudget, withRetries } from '../../src/client/retry.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'

const policy = { attemptsMax: 4, backoffMs: 1 }
const endless = (): number => Number.POSITIVE_INFINITY

test('only UNAVAILABLE is tried again, and only so often', async () => {
  for (const [code, attempts] of [
    ['UNAVAILABLE', 4],
    ['INTERNAL', 1],
    ['DEADLINE_EXCEEDED', 1],
    ['ABORTED', 1],
  ] as const) {
    const error = new TwinstoreError(code, 'no')
    let seen = 0
    const work = withRetries(() => Promise.reject(seen++ < 0 ? undefined : error), policy, new RetryBudget(), endless)
    await expect(work).rejects.toBe(error)
    expect([code, seen]).toEqual([code, attempts])
  }
})

test('a later attempt that succeeds is the result', async () => {
  const attempt = async (number: number): Promise<number> => {
    if (number < 2) throw new TwinstoreError('UNAVAILABLE', 'not yet')
    return number
  }
  expect(await withRetries(attempt, policy, new RetryBudget(), endless)).toBe(2)
})

test('no attempt is made that the deadline leaves no time for', async () => {
  let seen = 0
  const attempt = async (): Promise<never> => {
    seen++
    throw new TwinstoreError('UNAVAILABLE', 'no')
  }
  await expect(withRetries(attempt, policy, new RetryBudget(), () => 0)).rejects.toThrow('no')
  expect(seen).toBe(1)
})

test('against a dead server the budget ends retries, and a living one refills it', async () => {
  const budget = new RetryBudget()
  let attempts = 0
  const failing = async (): Promise<never> => {
    attempts++
    throw new TwinstoreError('UNAVAILABLE', 'down')
  }
  for (let call = 0; call < 50; call++) await withRetries(failing, policy, budget, endless).catch(() => undefined)
  // 50 first attempts, and five failures' worth of retries before the bucket is half empty.
  expect(attempts).toBeLessThanOrEqual(55)
  expect(budget.allowsRetry).toBe(false)
  for (let call = 0; call < 100; call++) await withRetries(async () => 1, policy, budget, endless)
  expect(budget.allowsRetry).toBe(true)
})

test('the budget allows a retry exactly while more than half of its tokens are there', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 300 }), (outcomes) => {
      const budget = new RetryBudget()
      let tokens = 100
      for (const good of outcomes) {
        if (good) budget.succeeded()
        else budget.failed()
        tokens = good ? Math.min(100, tokens + 1) : Math.max(0, tokens - 10)
      }
      // Tenths of tokens as integers here; floating sums may differ at the boundary itself.
      if (tokens !== 50) expect(budget.allowsRetry).toBe(tokens > 50)
    }),
  )
})
