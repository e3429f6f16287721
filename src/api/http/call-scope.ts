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

/**
 * The scope of one request. Its signal, with the listener and the timer behind it, is made when somebody asks for it, which must be in the tick
 * of the request: an answer that is there at once needs none of them.
 */
export class CallScope {
  readonly #response: ServerResponse
  readonly #timeoutMs: number | undefined
  readonly #clock: Clock
  #controller: AbortController | undefined
  #timer: { cancel(): void } | undefined
  readonly #onClose = (): void => {
    if (this.#response.writableFinished) return
    this.#controller?.abort(new TwinstoreError('CANCELLED', 'the client closed the connection'))
  }

  /**
   * INVALID_ARGUMENT if the header is no number of milliseconds. With `leavesTimeToAnswer` the deadline comes early by
   * `answerMarginMs`.
   */
  constructor(
    response: ServerResponse,
    timeoutHeader: string | readonly string[] | undefined,
    clock: Clock,
    leavesTimeToAnswer: boolean,
  ) {
    const timeoutMs = timeoutOf(timeoutHeader)
    this.#response = response
    this.#clock = clock
    this.#timeoutMs = timeoutMs !== undefined && leavesTimeToAnswer ? timeoutMs - answerMarginMs(timeoutMs) : timeoutMs
  }

  /** Aborts with a `TwinstoreError`: DEADLINE_EXCEEDED or CANCELLED. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController()
      this.#controller = controller
      if (this.#response.destroyed) this.#onClose()
      else this.#response.once('close', this.#onClose)
      if (this.#timeoutMs !== undefined) {
        this.#timer = this.#clock.after(this.#timeoutMs, () => controller.abort(deadlineExceeded()))
      }
    }
    return this.#controller.signal
  }

  /** Why it was aborted; undefined if it was not. */
  get abortReason(): unknown {
    return this.#controller?.signal.reason
  }

  close(): void {
    if (this.#controller === undefined) return
    this.#response.removeListener('close', this.#onClose)
    this.#timer?.cancel()
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
