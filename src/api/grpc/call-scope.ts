/**
 * What a call's work must obey: one signal that aborts when the client cancels, disconnects or its deadline passes.
 *
 * grpc-js announces all three with `cancelled`, except for one case: a stream whose reader has stalled gets its deadline
 * status queued behind the data, and nothing is announced. Streams therefore have a timer of their own.
 * `cancelled` also follows every normal end, so a scope that was closed before it ignores it.
 */
import type { ServerSurfaceCall } from '@grpc/grpc-js/build/src/server-call.js'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { answerMarginMs, deadlineExceeded } from '../deadline.ts'

/** The longest delay timers take (2^31 - 1 ms, 24 days); a deadline beyond it is left to grpc-js. */
const TIMER_MS_MAX = 0x7fffffff

export interface CallScope {
  /** Aborts with a `TwinstoreError`: DEADLINE_EXCEEDED or CANCELLED. */
  readonly signal: AbortSignal
  /** To be called before the status is sent. */
  close(): void
}

/** With `leavesTimeToAnswer` the deadline comes early by `answerMarginMs`. */
export function openUnaryScope(call: ServerSurfaceCall, clock: Clock, leavesTimeToAnswer = false): CallScope {
  const controller = new AbortController()
  let open = true
  call.once('cancelled', () => {
    if (open) controller.abort(abortReason(call, clock))
  })
  const leftMs = remainingMs(call, clock)
  const timer =
    leavesTimeToAnswer && leftMs <= TIMER_MS_MAX
      ? clock.after(leftMs - answerMarginMs(leftMs), () => controller.abort(deadlineExceeded()))
      : undefined
  return {
    signal: controller.signal,
    close() {
      open = false
      timer?.cancel()
    },
  }
}

export function openStreamScope(call: ServerSurfaceCall, clock: Clock): CallScope {
  const controller = new AbortController()
  let open = true
  const abort = (): void => {
    if (open) controller.abort(abortReason(call, clock))
  }
  call.once('cancelled', abort)
  const leftMs = remainingMs(call, clock)
  const timer = leftMs <= TIMER_MS_MAX ? clock.after(Math.max(0, leftMs), abort) : undefined
  return {
    signal: controller.signal,
    close() {
      open = false
      timer?.cancel()
    },
  }
}

/** Negative once the deadline has passed; infinite without one. */
export function remainingMs(call: ServerSurfaceCall, clock: Clock): number {
  return Number(call.getDeadline()) - clock.nowMicros() / 1000
}

function abortReason(call: ServerSurfaceCall, clock: Clock): TwinstoreError {
  return remainingMs(call, clock) <= 0
    ? deadlineExceeded()
    : new TwinstoreError('CANCELLED', 'the client cancelled the call')
}
