/**
 * Keeps online what a view with `keepOnline` says: the entities with the greatest values of a feature, and no others.
 *
 * Ranked is what the history holds. So all rows that were accepted before a moment are archived first; then the entities are
 * ranked, the view's horizon is raised over the others, the chosen ones are brought online, and of the keys that are online those
 * that are not chosen are removed, if their rows are from before that moment. A row that is written meanwhile stays, and is ranked the
 * next time; one that comes late, for an entity that has none online, is for the history only (`OnlineStore.raiseHorizon`): an older
 * row never takes the place of one that was removed.
 *
 * Each step may be done twice and be ended after any part, and the next run makes up for it, as it does for another
 * instance that synced the same view meanwhile. Bound: the keys that are kept are in memory, about 100 bytes each; during a
 * run the store may hold the entities of this run and of the one before.
 *
 * Rejected: ranking in the online store, which would have to decode values and sort; leaving a stub of each removed row, so that
 * versions could be compared for ever, which for small rows saves nothing.
 */
import type { RowKey } from '../domain/entity-key.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { type FeatureView, storageId } from '../domain/registry.ts'
import type { Position } from '../domain/version.ts'
import type { Clock } from '../lib/clock.ts'
import type { JobProgress, OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore, ScanCursor } from '../online/online-store.ts'
import { refuseAborted } from './abort.ts'
import { appliedOf, batchesOf } from './online-seed.ts'
import type { RowChanges } from './row-changes.ts'
import { writeSeedMark } from './seed-mark.ts'

export interface LimitParts {
  readonly online: Pick<
    OnlineStore,
    'reservePosition' | 'raiseHorizon' | 'seed' | 'remove' | 'scanKeys' | 'readMark' | 'writeMark'
  >
  readonly offline: Pick<OfflineStore, 'kept'>
  /** Resolves when every row of the view that was accepted before the call is in the history. */
  readonly flush: (storageId: string, signal: AbortSignal | undefined) => Promise<void>
  readonly changes: RowChanges
  readonly clock: Pick<Clock, 'nowMicros'>
  /** `sync-seed-rows`: rows brought online, or removed, in one batch. */
  readonly seedRows: number
}

export interface LimitOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: JobProgress) => void
}

export interface LimitResult {
  /** Entities that are kept. */
  readonly rowsRead: number
  /** Those of which the history had a newer row. */
  readonly rowsOnline: number
  readonly rowsRemoved: number
  readonly tableVersion: number
}

export async function applyLimit(parts: LimitParts, view: FeatureView, options: LimitOptions): Promise<LimitResult> {
  const { online, offline, clock } = parts
  const { signal } = options
  const before = await online.reservePosition()
  await parts.flush(storageId(view), signal)
  const kept = await offline.kept(view, clock.nowMicros(), {
    ...(signal === undefined ? {} : { signal }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  })
  const keys = new Set<RowKey>()
  let rowsOnline = 0
  // First, so that from the first removal on no older row is accepted in place of a removed one.
  if (kept.leftOutMicrosMax !== undefined) await online.raiseHorizon(storageId(view), kept.leftOutMicrosMax)
  for await (const rows of batchesOf(kept.batches, parts.seedRows)) {
    refuseAborted(signal, notDone(view))
    rowsOnline += await appliedOf(parts, rows)
    for (const { key } of rows) keys.add(key)
    options.onProgress?.({ step: 'bringing rows online', fraction: keys.size / Math.max(1, kept.rows) })
  }
  const rowsRemoved = await removeOthers(parts, view, keys, before, options)
  await writeSeedMark(online, view, {
    through: { version: kept.tableVersion, syncPosition: kept.syncPosition },
  })
  return { rowsRead: kept.rows, rowsOnline, rowsRemoved, tableVersion: kept.tableVersion }
}

/** Removes the rows of a view that is not online any more. */
export async function removeAll(parts: LimitParts, view: FeatureView, options: LimitOptions): Promise<number> {
  const before = await parts.online.reservePosition()
  await parts.flush(storageId(view), options.signal)
  return await removeOthers(parts, view, new Set(), before, options)
}

async function removeOthers(
  { online, changes, seedRows }: LimitParts,
  view: FeatureView,
  kept: ReadonlySet<RowKey>,
  before: Position,
  { signal, onProgress }: LimitOptions,
): Promise<number> {
  let cursor: ScanCursor | undefined
  let fault: TwinstoreError | undefined
  let rowsRemoved = 0
  do {
    refuseAborted(signal, notDone(view))
    const page = await online.scanKeys(storageId(view), cursor, seedRows)
    fault ??= page.fault
    const others = page.keys.filter((key) => !kept.has(key))
    const removed = await online.remove(others, before)
    const gone = others.filter((_, index) => removed[index])
    changes.changed(gone)
    rowsRemoved += gone.length
    if (gone.length > 0) onProgress?.({ step: 'removing rows that are not kept online' })
    cursor = page.next
  } while (cursor !== undefined)
  if (fault !== undefined) {
    throw new TwinstoreError(
      fault.code,
      `not all rows of ${view.name} could be gone over: ${fault.message}; what is to be removed is removed the next time`,
      { cause: fault },
    )
  }
  return rowsRemoved
}

function notDone(view: FeatureView): string {
  return `the rows of ${view.name} that are kept online are not all brought there, or others not removed; the next run does it`
}
