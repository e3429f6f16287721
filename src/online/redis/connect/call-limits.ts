/**
 * What ends commands before their replies: the time they were given, and the signal of whoever asks.
 *
 * Commands that begin within a millisecond of each other with the same signal and the same time end together, so they share one
 * timer and one listener: a read of a hundred rows sends sixteen commands at once, and a timer and a listener for each were a
 * part of its cost that could be seen. A shared timer may end a command that millisecond too early.
 */
import type { Clock } from '../../../lib/clock.ts'

/** A command that has its reply still to come. */
export interface Ending {
  timedOut(): void
  aborted(signal: AbortSignal): void
}

const TOGETHER_MS = 1

export class CallLimits {
  readonly #clock: Clock
  #latest: CallLimit | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Ends the command after `timeoutMs`, or when the signal aborts, unless it leaves before. */
  begin(ending: Ending, timeoutMs: number, signal: AbortSignal | undefined): CallLimit {
    const nowMs = this.#clock.monotonicMs()
    let limit = this.#latest
    if (limit === undefined || !limit.fits(timeoutMs, signal, nowMs)) {
      limit = new CallLimit(this.#clock, timeoutMs, signal, nowMs)
      this.#latest = limit
    }
    limit.join(ending)
    return limit
  }
}

/** Commands that end together. */
class CallLimit {
  readonly #timeoutMs: number
  readonly #signal: AbortSignal | undefined
  readonly #beganAtMs: number
  readonly #timer: { cancel(): void }
  readonly #onAbort: () => void
  readonly #endings = new Set<Ending>()
  #isOver = false

  constructor(clock: Clock, timeoutMs: number, signal: AbortSignal | undefined, nowMs: number) {
    this.#timeoutMs = timeoutMs
    this.#signal = signal
    this.#beganAtMs = nowMs
    this.#timer = clock.after(timeoutMs, () => this.#end((ending) => ending.timedOut()))
    this.#onAbort = () => this.#end((ending) => ending.aborted(signal!))
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  fits(timeoutMs: number, signal: AbortSignal | undefined, nowMs: number): boolean {
    const isSame = timeoutMs === this.#timeoutMs && signal === this.#signal
    return isSame && !this.#isOver && nowMs - this.#beganAtMs <= TOGETHER_MS
  }

  join(ending: Ending): void {
    this.#endings.add(ending)
  }

  /** The command is over: it is not told of anything any more. */
  leave(ending: Ending): void {
    if (this.#endings.delete(ending) && this.#endings.size === 0) this.#stop()
  }

  #end(tell: (ending: Ending) => void): void {
    this.#stop()
    for (const ending of this.#endings) tell(ending)
    this.#endings.clear()
  }

  #stop(): void {
    this.#isOver = true
    this.#timer.cancel()
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}
