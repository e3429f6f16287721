/**
 * Whether a commit that lost the race for a version still stands on what it read, given what the winners did.
 *
 * Appends do not disturb each other. What does: a change of protocol or schema; the progress of the same application
 * (its rows are in the table already, or the caller's decision was made on older rows); a file that both remove.
 */
import type { Action } from './actions.ts'

/** Why the commit must be decided anew, in words; undefined if it may go on as it is. */
export function conflictOf(mine: readonly Action[], theirs: readonly Action[]): string | undefined {
  const appIds = new Set(mine.flatMap((action) => ('txn' in action ? [action.txn.appId] : [])))
  const removed = new Set(mine.flatMap((action) => ('remove' in action ? [action.remove.path] : [])))
  for (const action of theirs) {
    if ('protocol' in action) return 'the protocol of the table changed'
    if ('metaData' in action) return 'the schema or settings of the table changed'
    if ('txn' in action && appIds.has(action.txn.appId)) return `the progress of ${action.txn.appId} changed`
    if ('remove' in action && removed.has(action.remove.path)) return `${action.remove.path} was removed`
  }
  return undefined
}
