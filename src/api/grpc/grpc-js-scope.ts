/**
 * What a call's work must obey: one signal that aborts when the client cancels, disconnects or its deadline passes.
 *
 * grpc-js announces all three with `cancelled`, except for one case: a stream whose reader has stalled gets its deadline
 * status queued behind the data, and nothing is announced. Streams therefore have a timer of their own.
 * `cancelled` also follows every normal end, so a scope that was closed before it ignores it.
 */
import type { Deadline } from '@grpc/grpc-js'
import { TwinstoreError } from '../../domain/errors.ts'
import { DEADLINE_SLACK_MS, TIMER_MS_MAX } from '../../grpc/deadline-times.ts'
import type { AnswerRoom } from '../../grpc/method.ts'
import type { Clock } from '../../lib/clock.ts'
import { answerMarginMs, deadlineExceeded } from '../deadline.ts'

/** grpc-js copies each answer behind its frame, so where it was made may be collected. */
export const FRESH_ROOM: AnswerRoom = { roomFor: (bytes) => Buffer.allocUnsafe(bytes) }

/** What of a call of grpc-js a scope looks at. */
interface WatchedCall {
  readonly cancelled: boolean
  getDeadline(): Deadline
  once(event: 'cancelled', listener: () => void): unknown
}

export interface CallScope {
  /** Aborts with a `TwinstoreError`: DEADLINE_EXCEEDED or CANCELLED. */
  readonly signal: AbortSignal
  /** Why it was aborted, if it was. */
  readonly abortReason: unknown
  /** To be called before the status is sent. */
  close(): void
}

/**
 * The scope of a unary call. Its signal and the listeners behind it are made when somebody asks for the signal: an answer that is
 * there at once needs none of it, and they would be a tenth of what such a call costs.
 *
 * With `leavesTimeToAnswer` the deadline comes early by `answerMarginMs`.
 */
export class UnaryScope implements CallScope {
  readonly #call: WatchedCall
  readonly #clock: Clock
  readonly #leavesTimeToAnswer: boolean
  #controller: AbortController | undefined
  #timer: { cancel(): void } | undefined
  #isOpen = true

  constructor(call: WatchedCall, clock: Clock, leavesTimeToAnswer: boolean) {
    this.#call = call
    this.#clock = clock
    this.#leavesTimeToAnswer = leavesTimeToAnswer
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#watch()
    return this.#controller.signal
  }

  get abortReason(): unknown {
    return this.#controller?.signal.reason
  }

  roomFor(bytes: number): Buffer {
    return FRESH_ROOM.roomFor(bytes)
  }

  close(): void {
    this.#isOpen = false
    this.#timer?.cancel()
  }

  #watch(): AbortController {
    const call = this.#call
    const clock = this.#clock
    const controller = new AbortController()
    const abort = (): void => {
      if (this.#isOpen) controller.abort(abortReason(call, clock))
    }
    if (call.cancelled) abort()
    else call.once('cancelled', abort)
    const leftMs = remainingMs(call, clock)
    if (this.#leavesTimeToAnswer && leftMs <= TIMER_MS_MAX) {
      this.#timer = clock.after(leftMs - answerMarginMs(leftMs), () => controller.abort(deadlineExceeded()))
    }
    return controller
  }
}

export function openStreamScope(call: WatchedCall, clock: Clock): CallScope {
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
    get abortReason() {
      return controller.signal.reason
    },
    close() {
      open = false
      timer?.cancel()
    },
  }
}

/** Negative once the deadline has passed; infinite without one. */
export function remainingMs(call: WatchedCall, clock: Clock): number {
  return Number(call.getDeadline()) - clock.nowMicros() / 1000
}

function abortReason(call: WatchedCall, clock: Clock): TwinstoreError {
  return remainingMs(call, clock) <= DEADLINE_SLACK_MS
    ? deadlineExceeded()
    : new TwinstoreError('CANCELLED', 'the client cancelled the call')
}
