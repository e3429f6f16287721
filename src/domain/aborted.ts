/** What an aborted signal means, everywhere: the edge gives its own reason; a plain `AbortSignal.timeout` and `abort()` are understood too. */
import { TwinstoreError } from './errors.ts'

/** A signal that aborted, or what stands for one. */
export interface Aborted {
  readonly reason: unknown
}

/** Of the signal's own `TwinstoreError` if it carries one; DEADLINE_EXCEEDED for a timeout; else CANCELLED. */
export function abortCode({ reason }: Aborted): 'DEADLINE_EXCEEDED' | 'CANCELLED' {
  const isDeadline =
    reason instanceof TwinstoreError
      ? reason.code === 'DEADLINE_EXCEEDED'
      : reason instanceof Error && reason.name === 'TimeoutError'
  return isDeadline ? 'DEADLINE_EXCEEDED' : 'CANCELLED'
}

/** The signal's own `TwinstoreError`, or one with these words. */
export function abortError(
  aborted: Aborted,
  words: { readonly late: string; readonly cancelled: string },
): TwinstoreError {
  const { reason } = aborted
  if (reason instanceof TwinstoreError) return reason
  const code = abortCode(aborted)
  return new TwinstoreError(code, code === 'CANCELLED' ? words.cancelled : words.late, { cause: reason })
}
