/**
 * For how long, in each cycle of its syncs, a view has no value within its TTL: arithmetic over three durations, in seconds.
 * docs/sync.md derives the formulas.
 *
 *     T  the TTL                 S  from the beginning of one sync to that of the next
 *     C  from when a sync reads its data to when the values are online
 *
 * Syncs of a view do not overlap, so values arrive every S' = max(S, C). How old a value is when it arrives, A, depends on what
 * its event timestamp means: 0 if it is when the value was ready, C if it is when its data was read. A value is fresh from
 * its arrival for max(0, T - A), and the next one arrives after S', so the view is blind for
 *
 *     B = min(S', max(0, S' + A - T))     of every S', and when one sync fails
 *     B = min(2 S', max(0, 2 S' + A - T)) of 2 S'.
 */
export interface SyncTimes {
  readonly ttlSeconds: number
  readonly everySeconds: number
  /** 0 if it is not known. */
  readonly computeSeconds: number
}

export interface BlindWindow {
  /** S': how often values arrive. */
  readonly cycleSeconds: number
  /** A: how old a value is when it arrives. */
  readonly ageOnArrivalSeconds: number
  /** B of every cycle, although all syncs succeed. */
  readonly blindSeconds: number
  /** B of two cycles, when the sync between them fails. */
  readonly blindAfterFailureSeconds: number
}

/** What the event timestamps of a view say: when the value was ready, or when the data was read that it was made from. */
export type EventTimeMeans = 'ready' | 'read'

export function blindWindow(
  { ttlSeconds, everySeconds, computeSeconds }: SyncTimes,
  means: EventTimeMeans,
): BlindWindow {
  const cycleSeconds = Math.max(everySeconds, computeSeconds)
  const ageOnArrivalSeconds = means === 'read' ? computeSeconds : 0
  const blindOf = (seconds: number) => Math.min(seconds, Math.max(0, seconds + ageOnArrivalSeconds - ttlSeconds))
  return {
    cycleSeconds,
    ageOnArrivalSeconds,
    blindSeconds: blindOf(cycleSeconds),
    blindAfterFailureSeconds: blindOf(2 * cycleSeconds),
  }
}

/**
 * Whether values arrive at least twice within the TTL, S' <= T / 2. Then there is no blind window whatever the event timestamps mean,
 * because A <= C <= S'; and none when one sync fails, if they say when the value was ready.
 */
export function isSyncedInTime(times: SyncTimes): boolean {
  return 2 * blindWindow(times, 'ready').cycleSeconds <= times.ttlSeconds
}

export interface WaysOut {
  /** The least TTL for the rule, and the least with which there is no blind window while all syncs succeed. */
  readonly ttlSeconds: number
  readonly ttlWithoutMarginSeconds: number
  /** The longest interval for the rule; the computation must not take longer either. */
  readonly everySeconds: number
}

/** What would put an end to the blind window, each by itself if the computation allows it. */
export function waysOut(times: SyncTimes, means: EventTimeMeans): WaysOut {
  const { cycleSeconds, ageOnArrivalSeconds } = blindWindow(times, means)
  return {
    ttlSeconds: 2 * cycleSeconds + ageOnArrivalSeconds,
    ttlWithoutMarginSeconds: cycleSeconds + ageOnArrivalSeconds,
    everySeconds: Math.max(1, Math.floor((times.ttlSeconds - ageOnArrivalSeconds) / 2)),
  }
}

/** In hours and minutes, exactly: `6 h`, `1 h 30 min`, `90 s`. */
export function inWords(seconds: number): string {
  if (seconds === 0) return '0 s'
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const parts = [`${hours} h`, `${minutes} min`, `${Number(rest.toFixed(1))} s`]
  return parts.filter((part) => !part.startsWith('0 ')).join(' ')
}
