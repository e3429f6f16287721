/**
 * The state of a Delta table at a version: what is left when the actions of the log are replayed in order ("Action
 * Reconciliation" in the protocol). Pure: entries in, snapshot out, and extending an older snapshot by the newer entries
 * gives exactly what replaying everything gives. A checkpoint (`checkpoint-content.ts`) is one more way to get the older snapshot.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { Action, AddFile, Metadata, Protocol, RemoveFile } from './actions.ts'
import { checkReadable } from './protocol-support.ts'
import { addedIn, withKnownVersions } from './row-versions.ts'

export interface Snapshot {
  readonly version: number
  readonly protocol: Protocol
  readonly metadata: Metadata
  /**
   * Sorted by path, and without `dataChange`, which is about the commit that added a file: so that equal tables have equal
   * snapshots however they were come by.
   */
  readonly files: readonly AddFile[]
  /**
   * Files that were removed, sorted by path, for vacuum and for checkpoints. Those that were removed soon after they were written
   * are left out (`isRemembered`).
   */
  readonly tombstones: readonly RemoveFile[]
  /** The version last recorded per application id. */
  readonly txns: ReadonlyMap<string, number>
}

export interface LogEntry {
  readonly version: number
  readonly actions: readonly Action[]
}

/**
 * Replays consecutive entries on top of `base` (undefined: from version 0). `table` is for messages. Throws DATA_LOSS for
 * a first entry without protocol and metadata, FAILED_PRECONDITION for a protocol that is not supported.
 */
export function replay(table: string, base: Snapshot | undefined, entries: readonly LogEntry[]): Snapshot | undefined {
  if (entries.length === 0) return base
  let { protocol, metadata } = base ?? { protocol: undefined, metadata: undefined }
  const files = new Map(base?.files.map((file) => [file.path, file]))
  const tombstones = new Map(base?.tombstones.map((file) => [file.path, file]))
  const txns = new Map(base?.txns)
  let version = base?.version ?? -1
  for (const entry of entries) {
    if (entry.version !== version + 1) throw new RangeError(`entry ${entry.version} does not follow version ${version}`)
    version = entry.version
    for (const action of removesFirst(entry.actions)) {
      if ('add' in action) {
        const added = withKnownVersions(addedIn(version, action.add), files.get(action.add.path))
        files.set(action.add.path, { ...added, dataChange: false })
        tombstones.delete(action.add.path)
      } else if ('remove' in action) {
        const isKept = isRemembered(action.remove, files.get(action.remove.path))
        files.delete(action.remove.path)
        if (isKept) tombstones.set(action.remove.path, { ...action.remove, dataChange: false })
      } else if ('txn' in action) txns.set(action.txn.appId, action.txn.version)
      else if ('metaData' in action) metadata = action.metaData
      else if ('protocol' in action) protocol = action.protocol
    }
    if (protocol === undefined || metadata === undefined) {
      const missing = protocol === undefined ? 'protocol' : 'metaData'
      throw new TwinstoreError('DATA_LOSS', `Delta table ${table}: version ${version} has no ${missing} action`)
    }
    checkReadable(table, protocol, metadata)
  }
  return {
    version,
    protocol: protocol!,
    metadata: metadata!,
    files: sorted(files),
    tombstones: sorted(tombstones),
    txns,
  }
}

/** Files removed within this time of being written are as good as removed when they were written. */
export const SOON_MS = 3_600_000

/**
 * Whether a removed file leaves a tombstone, which says since when it is not needed. Of one that was removed soon after it was written,
 * the time of writing says nearly as much. A table that is written all the time has hundreds of thousands of those in a week,
 * replaced by the next compaction; every commit and every checkpoint would carry them along (0.7 s for 600,000).
 */
function isRemembered(removed: RemoveFile, file: AddFile | undefined): boolean {
  const { deletionTimestamp } = removed
  return file === undefined || deletionTimestamp === undefined || deletionTimestamp - file.modificationTime >= SOON_MS
}

/**
 * Actions within an entry have no order. The only pair that could matter is a path removed and added again, and there the
 * file is in the table: the protocol allows it for new metadata of the same file.
 */
function removesFirst(actions: readonly Action[]): readonly Action[] {
  if (!actions.some((action) => 'remove' in action)) return actions
  return [...actions.filter((action) => 'remove' in action), ...actions.filter((action) => !('remove' in action))]
}

function sorted<T extends { readonly path: string }>(files: ReadonlyMap<string, T>): readonly T[] {
  return [...files.values()].sort(byPath)
}

export function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0
}
