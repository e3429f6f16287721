import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FloodGuard } from '../../src/http2/flood-guard.ts'

const limits = (burst: number, perSecond: number) => ({
  resetsBurst: burst,
  resetsPerSecond: perSecond,
  emptyFramesBurst: burst,
  emptyFramesPerSecond: perSecond,
})
const ROUNDING = 1e-6
const isCalm = (take: () => void): boolean => {
  try {
    take()
    return true
  } catch {
    return false
  }
}

test('the burst is let pass at once, and not one more', () => {
  const guard = new FloodGuard(limits(1000, 3), 0)
  for (let count = 0; count < 1000; count++) guard.reset()
  expect(() => guard.reset()).toThrow(/http2-resets-per-second/)
})

test('resets and empty frames have a bucket each', () => {
  const guard = new FloodGuard(limits(1, 1), 0)
  guard.reset()
  guard.emptyFrame()
  expect(() => guard.emptyFrame()).toThrow(/http2-empty-frames-per-second/)
})

test('as much is let pass as a count has that fills up with time', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom(1, 2, 5, 10, 100, 1000),
      fc.array(fc.constantFrom(0, 0, 0, 10, 100, 500, 1000, 60_000), { maxLength: 200 }),
      (burst, perSecond, pauses) => {
        const guard = new FloodGuard(limits(burst, perSecond), 0)
        let left = burst
        for (const pause of pauses) {
          guard.nowMs += pause
          left = Math.min(burst, left + (pause * perSecond) / 1000)
          const isLetPass = isCalm(() => guard.emptyFrame())
          if (left >= 1 - ROUNDING) expect(isLetPass).toBe(true)
          // Half of one is let pass beyond, and is missing later.
          else if (left < 0.5 - ROUNDING) expect(isLetPass).toBe(false)
          // Who goes beyond has no connection any more.
          if (!isLetPass) return
          left--
        }
      },
    ),
  )
})
