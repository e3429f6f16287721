/** What is told, and to whom, when a call fails. */
import type { TwinstoreError } from '../../domain/errors.ts'
import { isOperatingFault, requestError } from './status.ts'

export interface CallReports {
  /** Told of faults that operators should see, with the method's path. Causes go here and nowhere else. */
  readonly onError: (error: TwinstoreError, method: string) => void
  /** Told of every call that ended: its method's path, the gRPC status code, and how long it took. */
  readonly onEnded: (method: string, code: number, durationMs: number) => void
}

/**
 * The error that the client is told. Whatever fails after the call was aborted fails because of that; a failure that says so itself may
 * say more. `abortReason` is undefined for a call that was not.
 */
export function failureStatus(
  error: unknown,
  abortReason: unknown,
  method: string,
  { onError }: Pick<CallReports, 'onError'>,
): TwinstoreError {
  const own = requestError(error)
  const reason = abortReason === undefined ? own : requestError(abortReason)
  const cause = own.code === reason.code ? own : reason
  if (isOperatingFault(cause)) onError(cause, method)
  return cause
}
