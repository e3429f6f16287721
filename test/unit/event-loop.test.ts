import { expect, test } from 'vitest'
import { EventLoopDelays } from '../../src/observe/event-loop.ts'
import { createMetrics } from '../../src/observe/metrics.ts'

/** A clock that stands still until it is moved; its timers run when it has passed them, as those of a busy event loop do. */
function manualClock() {
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>()
  let nowMs = 0
  return {
    timers,
    monotonicMs: () => nowMs,
    after(delayMs: number, callback: () => void) {
      const timer = { atMs: nowMs + delayMs, callback }
      timers.add(timer)
      return { cancel: () => timers.delete(timer) }
    },
    moveTo(ms: number) {
      nowMs = ms
      for (const timer of [...timers]) {
        if (timer.atMs > nowMs) continue
        timers.delete(timer)
        timer.callback()
      }
    },
  }
}

test('a pause counts for each look that it made late', async () => {
  const clock = manualClock()
  const delays = new EventLoopDelays(clock)
  const metrics = createMetrics(() => {})
  delays.register(metrics)
  const counts = async () => {
    const lines = (await metrics.text()).split('\n')
    const value = (of: string) =>
      Number(
        lines
          .find((line) => line.startsWith(`twinstore_event_loop_delay_seconds_${of}`))!
          .split(' ')
          .at(-1),
      )
    const within = [0.002, 0.025, 0.1, 0.25].map((bound) => value(`bucket{le="${bound}"}`))
    return [...within, value('count'), value('sum')]
  }
  clock.moveTo(10)
  clock.moveTo(20)
  expect(await counts()).toEqual([2, 2, 2, 2, 2, 0])
  // Looks were due at 30, 40 ... 130: late by 101, 91 ... 1 ms.
  clock.moveTo(131)
  expect(await counts()).toEqual([3, 5, 12, 13, 13, 0.561])
  clock.moveTo(140)
  expect(await counts()).toEqual([4, 6, 13, 14, 14, 0.561])
  expect(clock.timers.size).toBe(1)
  delays.stop()
  expect(clock.timers.size).toBe(0)
})
