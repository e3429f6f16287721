/**
 * Whether the twins agree on one key: how a key is looked at, and what a look proves while writes go on.
 *
 * A look reads, one after the other:
 *
 *   1 `before`   the online row, fresh
 *   2 `waiting`  the newest row of the key in the outbox, up to the shard's last position as of then
 *   3 `history`  the newest row of the key in the table, in a snapshot taken then
 *   4 `isSynced` whether all that syncs have brought is online, by the notes that the online store keeps
 *   5 `after`    the online row again, fresh
 *
 * Let `newest` be the greater of `waiting` and `history`. A write puts its row online and into the outbox at one moment. The archiver
 * commits a row to the history before it drops it from the outbox. A sync commits to the history first and notes when
 * everything is online. The online version never falls. Hence:
 *
 * - What is online at 1 is in the outbox at 2, or had left it and then is in the snapshot of 3. So a `before` greater than
 *   `newest` is in neither: missing offline. No write, archiving or trim in between can make it look so.
 * - What was found at 2 or 3 had been written before 5, so that `after` is at least `newest`: if it is less, the online row is
 *   missing or stale. For rows of a sync that holds only if 4 says so; else they count as `syncing`.
 * - Of one version there is one row. Other values under the same version are nobody's write: a mismatch.
 * - Else `before` <= `newest` <= `after`. If `after` is greater a writer came in between: the key is looked at again.
 *
 * A verdict against a store needs `before` and `after` to be the same row as well. For a store that keeps its promises that
 * changes nothing; one in the middle of a failover may answer from two primaries of which one lost its last writes.
 */
import type { TwinstoreError } from '../domain/errors.ts'
import { isStale } from '../domain/freshness.ts'
import type { RowResult } from '../domain/outcome.ts'
import { type FeatureView, onlineExtent } from '../domain/registry.ts'
import { compareRowVersions, rowEventMicros } from '../domain/row-codec.ts'
import { type Difference, rowDifferences } from './row-differences.ts'

export interface Look {
  readonly before: RowResult
  /** Sound rows only: the archiver will set others aside. */
  readonly waiting: Buffer | undefined
  readonly history: Buffer | undefined
  readonly isSynced: boolean
  readonly after: RowResult
}

/**
 * What is wrong, with the sound row that the online store should have (`expected`), or the one that the history lacks (`online`)
 * beside the newest that it has (`kept`).
 */
export type TwinFault =
  | {
      readonly kind: 'mismatch'
      readonly online: Buffer
      readonly expected: Buffer
      readonly differences: readonly Difference[]
    }
  | { readonly kind: 'staleOnline'; readonly online: Buffer; readonly expected: Buffer }
  | { readonly kind: 'missingOnline'; readonly expected: Buffer }
  | { readonly kind: 'missingOffline'; readonly online: Buffer; readonly kept: Buffer | undefined }
  | { readonly kind: 'unreadable'; readonly error: TwinstoreError; readonly expected: Buffer | undefined }

export type Verdict =
  | TwinFault
  /** See `COUNTED` in `tally.ts`; `absent`: no store has a row (any more). */
  | { readonly kind: 'equal' | 'pending' | 'syncing' | 'expired' | 'notKept' | 'absent' }
  /** A writer came in between; a further look may tell. */
  | { readonly kind: 'unsettled' }
  | { readonly kind: 'unchecked'; readonly error: TwinstoreError }

export function judge(view: FeatureView, look: Look, nowMicros: number): Verdict {
  const { before, after, isSynced } = look
  const newest = greater(look.waiting, look.history)
  for (const online of [before, after]) {
    if (isError(online) && online.code !== 'DATA_LOSS') return { kind: 'unchecked', error: online }
  }
  if (isError(before) && isError(after)) return { kind: 'unreadable', error: after, expected: newest }
  if (isError(before) || isError(after) || !isSameVersion(before, after)) return { kind: 'unsettled' }
  if (after === null && newest === undefined) return { kind: 'absent' }
  if (after !== null && (newest === undefined || compareRowVersions(after, newest) > 0)) {
    return { kind: 'missingOffline', online: after, kept: newest }
  }
  const expected = newest!
  const isExpired = isStale(rowEventMicros(expected), view.ttlMicros, nowMicros)
  // No answer shows values of it.
  if (isExpired && view.onStale !== 'serve') return { kind: 'expired' }
  if (after === null || compareRowVersions(after, expected) < 0) {
    if (after === null && onlineExtent(view) === 'some') return { kind: 'notKept' }
    if (!isSynced && expected === look.history) return { kind: 'syncing' }
    return after === null ? { kind: 'missingOnline', expected } : { kind: 'staleOnline', online: after, expected }
  }
  const differences = rowDifferences(view, after, expected)
  if (differences.length > 0) return { kind: 'mismatch', online: after, expected, differences }
  if (isExpired) return { kind: 'expired' }
  return { kind: expected === look.history ? 'equal' : 'pending' }
}

/** The greater version; of the same version the row that the history has. */
function greater(waiting: Buffer | undefined, history: Buffer | undefined): Buffer | undefined {
  if (waiting === undefined || history === undefined) return waiting ?? history
  return compareRowVersions(waiting, history) > 0 ? waiting : history
}

function isSameVersion(one: Buffer | null, other: Buffer | null): boolean {
  if (one === null || other === null) return one === other
  return compareRowVersions(one, other) === 0
}

function isError(result: RowResult): result is TwinstoreError {
  return result !== null && !Buffer.isBuffer(result)
}
