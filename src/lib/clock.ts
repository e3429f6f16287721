/** Time and timers as an argument, so that cores can be tested without waiting. Only `main` and tests make one. */
export interface Clock {
  /** Wall time in microseconds since 1970-01-01 UTC. */
  nowMicros(): number
  /** Monotonic time in milliseconds, for durations and deadlines. */
  monotonicMs(): number
  /** Runs `callback` once after `delayMs`; the timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): { cancel(): void }
}

export const systemClock: Clock = {
  nowMicros: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}
