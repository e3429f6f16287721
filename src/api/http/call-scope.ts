/**
 * What a request's work must obey: one signal that aborts when the client goes away or its deadline passes.
 *
 * The deadline is what the header `X-Request-Timeout-Ms` gives from the arrival of the request on; without it there is none, as with a
 * gRPC call that has none.
 */
import type { ServerResponse } from 'node:http'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { answerMarginMs, deadlineExceeded } from '../deadline.ts'

export const TIMEOUT_HEADER = 'x-request-timeout-ms'

/** A day, well within what timers take. */
const TIMEOUT_MS_MAX = 86_400_000

export interface CallScope {
  /** Aborts with a `TwinstoreError`: DEADLINE_EXCEEDED or CANCELLED. */
  readonly signal: AbortSignal
  close(): void
}

export interface ScopeOptions {
  /** The client has to hear how far the work was when its deadline passed; see `answerMarginMs`. */
  readonly leavesTimeToAnswer: boolean
}

/** INVALID_ARGUMENT if the header is no number of milliseconds. */
export function openScope(
  response: ServerResponse,
  timeoutHeader: string | readonly string[] | undefined,
  clock: Clock,
  { leavesTimeToAnswer }: ScopeOptions,
): CallScope {
  const timeoutMs = timeoutOf(timeoutHeader)
  const controller = new AbortController()
  const onClose = (): void => {
    if (!response.writableFinished)
      controller.abort(new TwinstoreError('CANCELLED', 'the client closed the connection'))
  }
  response.once('close', onClose)
  const timer =
    timeoutMs === undefined
      ? undefined
      : clock.after(timeoutMs - (leavesTimeToAnswer ? answerMarginMs(timeoutMs) : 0), () =>
          controller.abort(deadlineExceeded()),
        )
  return {
    signal: controller.signal,
    close() {
      response.removeListener('close', onClose)
      timer?.cancel()
    },
  }
}

function timeoutOf(header: string | readonly string[] | undefined): number | undefined {
  if (header === undefined) return undefined
  const text = String(header)
  const timeoutMs = Number(text)
  if (/^[0-9]{1,10}$/.test(text) && timeoutMs >= 1 && timeoutMs <= TIMEOUT_MS_MAX) return timeoutMs
  const problem = `header X-Request-Timeout-Ms: expected a number of milliseconds from 1 to ${TIMEOUT_MS_MAX}, got ${JSON.stringify(text.slice(0, 40))}`
  throw new TwinstoreError('INVALID_ARGUMENT', problem)
}
