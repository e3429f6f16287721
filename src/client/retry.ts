/**
 * Retries of calls that failed with UNAVAILABLE, within a budget.
 *
 * The budget is gRPC's retry throttling (gRFC A6): a bucket of tokens (`TOKENS_MAX` unless given), one taken by each failure and `REFUND`
 * given back by each success; no retries while it is at most half full. When a server is down, clients then add at most a
 * few calls to its load instead of multiplying it.
 */
import { randomInt } from 'node:crypto'
import { TwinstoreError } from '../domain/errors.ts'
import { pause } from '../lib/pause.ts'

const TOKENS_MAX = 10
const REFUND = 0.1

export class RetryBudget {
  readonly #tokensMax: number
  #tokens: number

  constructor(tokensMax = TOKENS_MAX) {
    this.#tokensMax = tokensMax
    this.#tokens = tokensMax
  }

  get allowsRetry(): boolean {
    return this.#tokens > this.#tokensMax / 2
  }

  succeeded(): void {
    this.#tokens = Math.min(this.#tokensMax, this.#tokens + REFUND)
  }

  failed(): void {
    this.#tokens = Math.max(0, this.#tokens - 1)
  }
}

export interface RetryPolicy {
  /** Attempts in all. */
  readonly attemptsMax: number
  /** The first pause lasts up to this, each further one up to twice the one before, milliseconds. */
  readonly backoffMs: number
}

/** `attempt` gets the number of the attempt; every attempt must be safe to make again. */
export async function withRetries<T>(
  attempt: (number: number) => Promise<T>,
  policy: RetryPolicy,
  budget: RetryBudget,
  remainingMs: () => number,
): Promise<T> {
  for (let number = 0; ; number++) {
    try {
      const result = await attempt(number)
      budget.succeeded()
      return result
    } catch (error) {
      if (!(error instanceof TwinstoreError) || error.code !== 'UNAVAILABLE') throw error
      budget.failed()
      const delayMs = jittered(policy.backoffMs * 2 ** number)
      if (number + 1 >= policy.attemptsMax || !budget.allowsRetry || delayMs >= remainingMs()) throw error
      await pause(delayMs)
    }
  }
}

/** Full jitter: clients that failed together do not come back together. */
function jittered(capMs: number): number {
  return randomInt(Math.max(1, Math.ceil(capMs)))
}
