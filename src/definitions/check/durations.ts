/** Durations, and the rule that a sync comes at least twice within a TTL. */
import { declarationOf } from '../builders/declarations.ts'
import type { FaultScope } from './fault-scope.ts'
import { DURATION_SECONDS_MAX } from './limits.ts'
import { described } from './option-fields.ts'

/** Whole seconds; undefined, and a fault, for anything else. */
export function readDuration(scope: FaultScope, raw: unknown): number | undefined {
  const declared = declarationOf(raw)
  if (declared?.kind !== 'duration') {
    scope.add(`expected a duration such as days(3) or minutes(15), got ${described(raw)}`)
    return undefined
  }
  const seconds = declared.seconds
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > DURATION_SECONDS_MAX) {
    scope.add(`a duration is a whole number of seconds from 1 to 100 years, got ${described(seconds)} of seconds`)
    return undefined
  }
  return seconds
}

export interface BlindWindow {
  /** For how long, before each sync arrives, every row is stale although all syncs succeed. */
  readonly everyCycleSeconds: number
  /** For how long that is so when one sync has failed. */
  readonly afterMissedSyncSeconds: number
}

/**
 * How long a view has nothing fresh. A row is as old as the interval since its sync, plus what the sync takes to compute,
 * when the next one replaces it; it is stale from TTL on.
 */
export function blindWindow(ttlSeconds: number, everySeconds: number, computeSeconds: number): BlindWindow {
  return {
    everyCycleSeconds: Math.max(0, everySeconds + computeSeconds - ttlSeconds),
    afterMissedSyncSeconds: Math.max(0, 2 * everySeconds + computeSeconds - ttlSeconds),
  }
}

export function checkSyncInterval(scope: FaultScope, ttlSeconds: number, everySeconds: number): void {
  if (everySeconds <= ttlSeconds / 2) return
  const { everyCycleSeconds, afterMissedSyncSeconds } = blindWindow(ttlSeconds, everySeconds, 0)
  const always =
    everyCycleSeconds === 0
      ? ''
      : `every row would be stale for ${inWords(everyCycleSeconds)} before each sync even if all succeed, and `
  scope.add(
    `every ${inWords(everySeconds)} is more than half of the ttl of ${inWords(ttlSeconds)}: ${always}` +
      `after one failed sync every row would be stale for ${inWords(afterMissedSyncSeconds)} (the time a sync takes comes on top); ` +
      `sync at least every ${inWords(Math.max(1, Math.floor(ttlSeconds / 2)))} or raise the ttl to ${inWords(2 * everySeconds)}`,
  )
}

/** The largest unit that divides the duration, so that 172,800 seconds read `48 h`. */
export function inWords(seconds: number): string {
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}
