/** How a call's work is told to stop: a signal, and a timer for the deadline. Made for a call that has to wait; others need neither. */
import type { AbortKind, CallHost } from './call-host.ts'
import { TIMER_MS_MAX } from './deadline-times.ts'

export class CallAbort {
  /** Undefined while the call was not aborted. */
  reason: unknown
  readonly #host: CallHost
  #controller: AbortController | undefined
  #listener: ((reason: unknown) => void) | undefined
  #timer: { cancel(): void } | undefined

  constructor(host: CallHost) {
    this.#host = host
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.reason !== undefined) this.#controller.abort(this.reason)
    }
    return this.#controller.signal
  }

  whenAborted(listener: (reason: unknown) => void): void {
    if (this.reason !== undefined) {
      listener(this.reason)
      return
    }
    const before = this.#listener
    this.#listener =
      before === undefined
        ? listener
        : (reason) => {
            before(reason)
            listener(reason)
          }
  }

  abort(kind: AbortKind): void {
    this.reason = this.#host.abortReason(kind)
    this.#controller?.abort(this.reason)
    const listener = this.#listener
    this.#listener = undefined
    listener?.(this.reason)
    this.unwatch()
  }

  /** In `leftMs`, `onDeadline` is called; `marginMs` earlier, if that is any time, the work is told to come to its end. */
  watch(leftMs: number, marginMs: number, onDeadline: () => void): void {
    this.unwatch()
    if (leftMs > TIMER_MS_MAX) return
    if (marginMs === 0) {
      this.#timer = this.#host.after(Math.max(0, leftMs), onDeadline)
      return
    }
    this.#timer = this.#host.after(Math.max(0, leftMs - marginMs), () => {
      this.abort('deadline')
      this.#timer = this.#host.after(marginMs, onDeadline)
    })
  }

  unwatch(): void {
    this.#timer?.cancel()
  }
}
