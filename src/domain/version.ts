/**
 * The version of a row: (event timestamp, write position). The greater version wins, in both stores (G2).
 *
 * Both parts are microseconds kept as JavaScript numbers, exact up to 2^53 (the years 1684 to 2255); the bounds below keep
 * every accepted timestamp inside that range.
 */
export const EVENT_MICROS_MIN = Date.UTC(1700, 0, 1) * 1000
export const EVENT_MICROS_MAX = Date.UTC(2250, 0, 1) * 1000

declare const positionBrand: unique symbol

/**
 * A write position: microseconds since 1970 when the online store accepted the row, made unique and strictly increasing
 * within a shard by `max(now, last + 1)` (a hybrid logical clock). Positions of different shards and of syncs are
 * comparable because they are all times.
 */
export type Position = number & { readonly [positionBrand]: true }

/** The position of a row that no store has accepted yet. */
export const NO_POSITION = 0 as Position

export interface Version {
  readonly eventMicros: number
  readonly position: Position
}

/** Negative, zero or positive, as `a` is older than, equal to or newer than `b`. */
export function compareVersions(a: Version, b: Version): number {
  return a.eventMicros - b.eventMicros || a.position - b.position
}

/** The next position after `last` at wall time `nowMicros`. */
export function nextPosition(last: number, nowMicros: number): Position {
  return Math.max(nowMicros, last + 1) as Position
}
