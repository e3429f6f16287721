import { abortError } from '../domain/aborted.ts'
import type { TwinstoreError } from '../domain/errors.ts'

/** Why a read ended whose signal aborted. */
export function readAborted(signal: AbortSignal): TwinstoreError {
  return abortError(signal, {
    late: 'the deadline passed before the online store was read',
    cancelled: 'the read of the online store was cancelled',
  })
}
