/** Event times in requests: microseconds since 1970-01-01 UTC. */
import { TwinstoreError } from '../domain/errors.ts'
import { EVENT_MICROS_MAX, EVENT_MICROS_MIN } from '../domain/version.ts'

export interface TimeRange {
  /** Inclusive. */
  readonly fromMicros?: bigint
  /** Exclusive. */
  readonly untilMicros?: bigint
}

/** The range as exact numbers. INVALID_ARGUMENT for an empty range or a time outside the supported years. */
export function checkedRange(range: TimeRange): { fromMicros?: number; untilMicros?: number } {
  const from = checkedMicros('from_micros', range.fromMicros)
  const until = checkedMicros('until_micros', range.untilMicros)
  if (from !== undefined && until !== undefined && from >= until) {
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      `from_micros (${shown(from)}) must be before until_micros (${shown(until)}), which is exclusive`,
    )
  }
  return { ...(from === undefined ? {} : { fromMicros: from }), ...(until === undefined ? {} : { untilMicros: until }) }
}

export function checkedMicros(name: string, micros: bigint | undefined): number | undefined {
  if (micros === undefined) return undefined
  if (micros < EVENT_MICROS_MIN || micros > EVENT_MICROS_MAX) {
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      `${name} ${micros} is outside the supported years 1700 to 2250; it counts microseconds since 1970-01-01 UTC`,
    )
  }
  return Number(micros)
}

function shown(micros: number): string {
  return new Date(micros / 1000).toISOString()
}
