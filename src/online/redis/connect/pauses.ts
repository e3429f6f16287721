import type { Clock } from '../../../lib/clock.ts'

export function pauseFor(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve)
  })
}
