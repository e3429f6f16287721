/**
 * How late the event loop is: what everything that comes in has to wait before anybody looks at it.
 *
 * A look is due every 10 ms, whether the loop is free or not. When it comes late, so would have every look that was due in
 * between: they are counted too, each by its own delay. A pause of 100 ms thus counts ten times, as 100, 90, 80 ms and so on, and
 * the counts say how long a call waits that comes in at any time. `monitorEventLoopDelay`, which is in the `nodejs_eventloop_lag_*`
 * metrics, counts the same pause once, adds its own interval of 10 ms to every delay, and forgets everything at each scrape,
 * so that two Prometheus servers take the pauses from each other.
 *
 * A look costs 10 µs of processor time, 0.1 % of a core; nothing looks unless metrics are served.
 */
import { performance } from 'node:perf_hooks'
import type { Clock } from '../lib/clock.ts'
import type { Metrics } from './metrics.ts'

const LOOK_MS = 10
/** Timers go by whole milliseconds and may be one late without any pause. */
const BOUNDS_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
const BOUNDS_MS = BOUNDS_SECONDS.map((seconds) => seconds * 1000)

export class EventLoopDelays {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'after'>
  readonly #buckets = new Array<number>(BOUNDS_MS.length + 1).fill(0)
  #sumMs = 0
  #dueMs: number
  #timer: { cancel(): void }

  constructor(clock: Pick<Clock, 'monotonicMs' | 'after'>) {
    this.#clock = clock
    this.#dueMs = clock.monotonicMs() + LOOK_MS
    this.#timer = this.#arm(LOOK_MS)
  }

  register(metrics: Metrics): void {
    metrics.durations({
      name: 'twinstore_event_loop_delay_seconds',
      help: 'What a call that comes in at any time waits for the event loop, by looking every 10 ms',
      boundsSeconds: BOUNDS_SECONDS,
      read: () => [{ buckets: this.#buckets, sumSeconds: this.#sumMs / 1000 }],
    })
    metrics.counter({
      name: 'twinstore_event_loop_busy_seconds_total',
      help: 'Time in which the event loop had work; its rate is the share of the one core that serving can use',
      read: () => performance.eventLoopUtilization().active / 1000,
    })
  }

  stop(): void {
    this.#timer.cancel()
  }

  #arm(delayMs: number): { cancel(): void } {
    return this.#clock.after(delayMs, () => this.#look())
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs()
    for (; this.#dueMs <= nowMs; this.#dueMs += LOOK_MS) this.#count(nowMs - this.#dueMs)
    this.#timer = this.#arm(this.#dueMs - nowMs)
  }

  #count(delayMs: number): void {
    let bucket = 0
    while (bucket < BOUNDS_MS.length && delayMs > BOUNDS_MS[bucket]!) bucket++
    this.#buckets[bucket]!++
    this.#sumMs += delayMs
  }
}
