/**
 * Faults of the read path for the log, at most `perSecondMax` a second: a node that is down is a fault of each turn of the event loop,
 * thousands a second, and to write them down would take the time of the answers that are not affected. Each line says
 * how many were left out before it.
 */
import type { Clock } from '../lib/clock.ts'
import type { OnFault, ServingFault } from './serving-fault.ts'

export function faultLog(
  clock: Pick<Clock, 'monotonicMs'>,
  perSecondMax: number,
  write: (fault: ServingFault, leftOut: number) => void,
): OnFault {
  let secondBeganMs = Number.NEGATIVE_INFINITY
  let written = 0
  let leftOut = 0
  return (fault) => {
    const nowMs = clock.monotonicMs()
    if (nowMs - secondBeganMs >= 1000) {
      secondBeganMs = nowMs
      written = 0
    }
    if (written >= perSecondMax) {
      leftOut++
      return
    }
    written++
    write(fault, leftOut)
    leftOut = 0
  }
}
