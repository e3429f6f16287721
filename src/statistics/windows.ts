/** Which rows are described, and which they are compared with. */
import { TwinstoreError } from '../domain/errors.ts'
import type { TimeWindow } from '../offline/offline-store.ts'

export interface AskedWindows {
  readonly fromMicros?: number
  readonly untilMicros?: number
  readonly referenceFromMicros?: number
  readonly referenceUntilMicros?: number
}

/** An event timestamp is known to the millisecond, rounded up. */
const MICROS_PER_MILLI = 1000

/**
 * What is not asked for is: the window ends with the newest event and is `lengthMicros` long; the reference is as long as the window
 * and ends where it begins.
 *
 * So the reference does not depend on how often statistics are made. Rejected: the previous document's window, with which, under a
 * daily sync, 29 of 30 days would be compared with themselves and a slow drift never seen.
 */
export function chosenWindows(
  asked: AskedWindows,
  newestEventMicros: number,
  lengthMicros: number,
): { readonly window: TimeWindow; readonly reference: TimeWindow } {
  const newest = newestEventMicros + MICROS_PER_MILLI
  const untilMicros = asked.untilMicros ?? Math.max(newest, (asked.fromMicros ?? newest - 1) + 1)
  const window = checked('window', { fromMicros: asked.fromMicros ?? untilMicros - lengthMicros, untilMicros })
  const referenceUntil = asked.referenceUntilMicros ?? window.fromMicros
  const length = window.untilMicros - window.fromMicros
  const reference = checked('reference window', {
    fromMicros: asked.referenceFromMicros ?? referenceUntil - length,
    untilMicros: referenceUntil,
  })
  return { window, reference }
}

function checked(name: string, window: TimeWindow): TimeWindow {
  if (window.fromMicros < window.untilMicros) return window
  const [from, until] = [window.fromMicros, window.untilMicros].map((micros) => new Date(micros / 1000).toISOString())
  throw new TwinstoreError(
    'INVALID_ARGUMENT',
    `the ${name} of the statistics must begin (${from}) before it ends (${until}); its end is exclusive`,
  )
}
