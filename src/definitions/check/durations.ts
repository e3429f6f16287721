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
