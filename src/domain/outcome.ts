import type { TwinstoreError } from './errors.ts'

/**
 * What one slot of an answer holds; the first five are numbered as Feast's `FieldStatus`.
 *
 * - PRESENT: the value, within its TTL.
 * - NULL: the writer wrote null.
 * - NOT_FOUND: nothing was ever written for this entity, or the row does not have this feature. A declared default stands in.
 * - OUTSIDE_MAX_AGE: older than the view's TTL; the view's `onStale` says what the value is.
 * - UNAVAILABLE: the store did not answer for this slot, or an on-demand computation failed.
 */
export const SlotStatus = {
  PRESENT: 1,
  NULL: 2,
  NOT_FOUND: 3,
  OUTSIDE_MAX_AGE: 4,
  UNAVAILABLE: 5,
} as const
export type SlotStatus = (typeof SlotStatus)[keyof typeof SlotStatus]

const NAMES = ['INVALID', 'PRESENT', 'NULL', 'NOT_FOUND', 'OUTSIDE_MAX_AGE', 'UNAVAILABLE'] as const

export function statusName(status: number): string {
  return NAMES[status] ?? 'INVALID'
}

/** What a store says of one key: the row's bytes, `null` for a row that does not exist, or why it cannot say. */
export type RowResult = Buffer | null | TwinstoreError

/**
 * What became of one written row; it goes to the history in every case.
 *
 * - APPLIED: it is the online value.
 * - SUPERSEDED: the online value is newer.
 * - HISTORY_ONLY: the online store does not keep it, because its view is offline only, or keeps only some entities online
 *   and cannot tell whether this row is the newest of its entity.
 */
export type WriteStatus = 'APPLIED' | 'SUPERSEDED' | 'HISTORY_ONLY'
