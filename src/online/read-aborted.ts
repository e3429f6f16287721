import { TwinstoreError } from '../domain/errors.ts'

/** Why a read ended whose signal aborted: the reason itself if it is ours, else DEADLINE_EXCEEDED or CANCELLED. */
export function readAborted(signal: AbortSignal): TwinstoreError {
  if (signal.reason instanceof TwinstoreError) return signal.reason
  const timedOut = signal.reason instanceof Error && signal.reason.name === 'TimeoutError'
  return timedOut
    ? new TwinstoreError('DEADLINE_EXCEEDED', 'the deadline passed before the online store was read')
    : new TwinstoreError('CANCELLED', 'the read of the online store was cancelled')
}
