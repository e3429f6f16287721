/** Waiting with a request's deadline: one meaning of an aborted signal for every part of the write path. */
import { TwinstoreError } from '../domain/errors.ts'

/**
 * Why the signal aborted: its own `TwinstoreError` if it carries one, DEADLINE_EXCEEDED for a timeout, else CANCELLED.
 */
function abortCode(signal: AbortSignal): 'DEADLINE_EXCEEDED' | 'CANCELLED' {
  const reason: unknown = signal.reason
  if (reason instanceof TwinstoreError) return reason.code === 'DEADLINE_EXCEEDED' ? reason.code : 'CANCELLED'
  return reason instanceof Error && reason.name === 'TimeoutError' ? 'DEADLINE_EXCEEDED' : 'CANCELLED'
}

/**
 * The result of `work`, or a rejection with `message` once the signal aborts. The work itself goes on: a durable write
 * cannot be taken back, only no longer waited for.
 */
export function waitFor<T>(work: Promise<T>, signal: AbortSignal | undefined, message: string): Promise<T> {
  if (signal === undefined) return work
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(new TwinstoreError(abortCode(signal), message))
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** Rejects work that is no longer wanted before it begins. */
export function refuseAborted(signal: AbortSignal | undefined, message: string): void {
  if (signal?.aborted) throw new TwinstoreError(abortCode(signal), message)
}
