/** What edges say of a deadline that has passed, and how early work gives up that must say how far it was. */
import { TwinstoreError } from '../domain/errors.ts'

const ANSWER_SHARE = 0.1
const ANSWER_MS_MAX = 100

/**
 * How long before its deadline a call gives up that leaves time to answer: a tenth of the time it has, 100 ms at most. At the deadline itself
 * the client gives up too, and never hears what the server has to say of it.
 */
export function answerMarginMs(leftMs: number): number {
  return Math.min(leftMs * ANSWER_SHARE, ANSWER_MS_MAX)
}

export function deadlineExceeded(): TwinstoreError {
  return new TwinstoreError('DEADLINE_EXCEEDED', 'the deadline of the call passed before the answer was ready')
}
