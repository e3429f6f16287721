/**
 * The one timer of a link. It makes the pings, and tells how long this process itself did not run: replies that waited in
 * the socket meanwhile are late through no fault of their node.
 */
import type { Clock } from '../../../lib/clock.ts'

export class Heartbeat {
  readonly #clock: Clock
  readonly #periodMs: number
  readonly #listeners = new Set<(nowMs: number) => void>()
  #dueAtMs: number
  #lagMs = 0
  #timer: { cancel(): void } | undefined

  constructor(clock: Clock, periodMs: number) {
    this.#clock = clock
    this.#periodMs = periodMs
    this.#dueAtMs = clock.monotonicMs()
    this.#schedule()
  }

  each(listener: (nowMs: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** All the time this process did not run when it should have, since the start; also a stall that goes on. */
  lagMs(nowMs: number): number {
    return this.#lagMs + Math.max(0, nowMs - this.#dueAtMs)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#listeners.clear()
  }

  #schedule(): void {
    this.#dueAtMs = this.#clock.monotonicMs() + this.#periodMs
    this.#timer = this.#clock.after(this.#periodMs, () => this.#beat())
  }

  #beat(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#lagMs = this.lagMs(nowMs)
    this.#schedule()
    for (const listener of this.#listeners) listener(nowMs)
  }
}
