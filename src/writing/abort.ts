/** Waiting with a request's deadline. */
import { abortCode } from '../domain/aborted.ts'
import { TwinstoreError } from '../domain/errors.ts'

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
