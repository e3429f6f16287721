/** What an auditor asks of each version of a row: whether it was replaced, and whether it came late. */

export interface VersionMarks {
  /** A row recorded later has the same event timestamp: that one counts. */
  readonly replaced: boolean
  /** A row with a newer event timestamp had been recorded before: this one was never the online value. */
  readonly late: boolean
}

interface Version {
  readonly eventTimestampMicros: bigint
  readonly createdTimestampMicros: bigint
}

/**
 * Of versions of one entity, newest first. Marks are among the versions given: as of a time, that is what was known then. All newer
 * ones are there however many older ones a limit left out.
 */
export function versionMarks(versions: readonly Version[]): VersionMarks[] {
  /** Of the versions with newer event timestamps. */
  let earliestRecorded: bigint | undefined
  let ofSameEvent: bigint | undefined
  return versions.map((version, index) => {
    const before = versions[index - 1]
    const replaced = before?.eventTimestampMicros === version.eventTimestampMicros
    if (before !== undefined && !replaced) {
      earliestRecorded = least(earliestRecorded, ofSameEvent)
      ofSameEvent = undefined
    }
    ofSameEvent = least(ofSameEvent, version.createdTimestampMicros)
    return { replaced, late: earliestRecorded !== undefined && earliestRecorded < version.createdTimestampMicros }
  })
}

function least(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a < b ? a : b
}
