/**
 * Brings what is new in the views' sources into both stores: first the offline table, in one commit, then the latest row
 * per entity online (`online-seed.ts`). And brings to the online store what it has lost.
 *
 * A crash between the commit and the last row online is healed by the next run, of whatever instance: the online store's own note
 * says how far it holds the table.
 */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import type { FeatureView } from '../domain/registry.ts'
import { viewByView } from '../domain/view-by-view.ts'
import type { Clock } from '../lib/clock.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { refuseAborted } from './abort.ts'
import { optionsOf, type RunOptions, rebuiltViews, syncedViews } from './chosen-views.ts'
import { bringOnline, type ExtentParts, settleExtent } from './online-extent.ts'
import { createOnlineRestore, type OnlineRestore } from './online-restore.ts'
import { isSynced, type SeedOptions } from './online-seed.ts'
import { type SyncCounts, ViewSyncCounts } from './sync-counts.ts'
import { readSyncRecord, recordFailure, recordSuccess } from './sync-record.ts'

/** What a sync, or a rebuild, of one view did. */
export interface ViewSyncResult {
  readonly view: string
  /** Of the source; in a rebuild, latest rows of the history that were gone over. */
  readonly rowsRead: number
  /** New rows in the offline history. */
  readonly rowsAdded: number
  /** Rows that became the online value. */
  readonly rowsOnline: number
  readonly tableVersion: number
  readonly seconds: number
  /** Entities that an earlier run had brought online before it was ended. */
  readonly entitiesResumed: number
  /** Both stores had everything already. */
  readonly upToDate: boolean
}

export interface SyncOptions extends RunOptions {
  /** Called as each view is done. */
  readonly onResult?: (result: ViewSyncResult) => void
  /** Called as each view fails. */
  readonly onFailure?: (view: string, error: TwinstoreError) => void
}

export interface RebuildOptions extends SyncOptions {
  /** Goes over all rows from the beginning, also those that are noted to be online. */
  readonly anew?: boolean
}

export interface Syncer extends OnlineRestore {
  /**
   * Syncs the named views, or all that have a source, one after the other. Refused before anything is done: NOT_FOUND
   * (an unknown view), FAILED_PRECONDITION (no source), ABORTED (a sync or a rebuild of the view is running). A view that
   * fails does not stop the others; the rejection at the end names each with its fault.
   */
  sync(views: readonly string[] | 'all', options?: SyncOptions): Promise<readonly ViewSyncResult[]>
  /**
   * Brings the latest row of every entity from the history to the online store: of the named views, or of all that are
   * online, with or without a source. Goes on where an earlier run was ended, and does nothing where the store's note says that
   * nothing is missing. Runs beside writes. Rejects like `sync`.
   */
  rebuild(views: readonly string[] | 'all', options?: RebuildOptions): Promise<readonly ViewSyncResult[]>
  /**
   * Brings the online store to what the definitions say of it where it was last brought to something else: a view that is no
   * longer online, is online again, or keeps another part of its entities. Rejects like `sync`.
   */
  settle(options?: RunOptions): Promise<void>
  /** Whether some view with a source was never synced, or its rows are not all online. */
  needsFirstSync(): Promise<boolean>
  /** What the syncs of this instance did since it started, by view. */
  counts(): ReadonlyMap<string, SyncCounts>
}

export interface SyncerParts extends ExtentParts {
  readonly online: OnlineStore
  readonly offline: Pick<OfflineStore, 'sync' | 'latest' | 'kept' | 'status'>
  readonly definitions: DefinitionsSource
  readonly clock: Pick<Clock, 'monotonicMs' | 'nowMicros'>
}

export function createSyncer(parts: SyncerParts): Syncer {
  const { online, offline, definitions, clock } = parts
  const running = new Set<string>()
  const counts = new ViewSyncCounts()
  const restore = createOnlineRestore(parts)

  async function syncView(view: FeatureView, options: SyncOptions): Promise<ViewSyncResult> {
    const beganMs = clock.nowMicros() / 1000
    counts.began(view.name)
    try {
      const result = await timed(view, () => syncStores(view, options))
      const { seconds, rowsRead, rowsAdded, rowsOnline } = result
      counts.succeeded(result)
      // Without its record the next run of the schedule comes early, which costs time and changes nothing.
      await recordSuccess(online, view, { beganMs, seconds, rowsRead, rowsAdded, rowsOnline }).catch(() => undefined)
      return result
    } catch (error) {
      const fault = asTwinstoreError(error)
      // Another one's success is not undone by a run that came too late, nor is a caller who gave up a fault of the view.
      const isRefused = fault.code === 'ABORTED' || fault.code === 'CANCELLED' || options.signal?.aborted === true
      counts.ended(view.name, isRefused ? 'refused' : 'failed')
      if (!isRefused) await recordFailure(online, view, beganMs, fault).catch(() => undefined)
      throw fault
    }
  }

  async function syncStores(view: FeatureView, options: SyncOptions): Promise<Omit<ViewSyncResult, 'seconds'>> {
    const position = await online.reservePosition()
    const { rowsRead, rowsAdded, tableVersion } = await offline.sync(view, position, optionsOf(view, options))
    if (!view.online) {
      const upToDate = rowsAdded === 0
      return { view: view.name, rowsRead, rowsAdded, rowsOnline: 0, tableVersion, entitiesResumed: 0, upToDate }
    }
    const seeded = await bringOnline(parts, view, { goal: 'synced', ...optionsOf(view, options) })
    const upToDate = rowsAdded === 0 && seeded.rowsRead === 0
    return {
      ...seeded,
      view: view.name,
      rowsRead,
      rowsAdded,
      tableVersion: Math.max(tableVersion, seeded.tableVersion),
      upToDate,
    }
  }

  async function rebuildView(view: FeatureView, options: RebuildOptions): Promise<Omit<ViewSyncResult, 'seconds'>> {
    const seedOptions: SeedOptions = {
      goal: 'all',
      ...optionsOf(view, options),
      ...(options.anew === undefined ? {} : { anew: options.anew }),
    }
    const seeded = await bringOnline(parts, view, seedOptions)
    return { view: view.name, rowsAdded: 0, ...seeded, upToDate: seeded.rowsRead === 0 }
  }

  async function timed(
    view: FeatureView,
    work: () => Promise<Omit<ViewSyncResult, 'seconds'>>,
  ): Promise<ViewSyncResult> {
    const startedMs = clock.monotonicMs()
    const result = await work()
    return { ...result, view: view.name, seconds: (clock.monotonicMs() - startedMs) / 1000 }
  }

  /** One run per view at a time in this instance; of several instances, the offline commit decides. */
  async function exclusively(
    what: string,
    views: readonly FeatureView[],
    options: SyncOptions,
    work: (view: FeatureView) => Promise<ViewSyncResult>,
  ): Promise<readonly ViewSyncResult[]> {
    for (const { name } of views) if (running.has(name)) throw alreadyRunning(name)
    for (const { name } of views) running.add(name)
    return viewByView(what, views, async (view) => {
      try {
        refuseAborted(options.signal, `${what} of ${view.name} was not begun`)
        const result = await work(view)
        options.onResult?.(result)
        return result
      } catch (error) {
        options.onFailure?.(view.name, asTwinstoreError(error))
        throw error
      } finally {
        running.delete(view.name)
      }
    })
  }

  return {
    async sync(names, options = {}) {
      const views = syncedViews(definitions.current.registry, names)
      return exclusively('the sync', views, options, (view) => syncView(view, options))
    },

    async rebuild(names, options = {}) {
      const views = rebuiltViews(definitions.current.registry, names)
      return exclusively('the rebuild', views, options, (view) => timed(view, () => rebuildView(view, options)))
    },

    async settle(options = {}) {
      const views = [...definitions.current.registry.views.values()]
      await viewByView('bringing the online store to the definitions', views, (view) =>
        settleExtent(parts, view, optionsOf(view, options)),
      )
    },

    async needsFirstSync() {
      for (const view of definitions.current.registry.views.values()) {
        if (view.source !== undefined && (await needsSync(view))) return true
      }
      return false
    },

    counts: () => counts.byView,
    ...restore,
  }

  async function needsSync(view: FeatureView): Promise<boolean> {
    const { syncPosition } = await offline.status(view)
    // A source without rows leaves nothing in the table; that it was read is in the record.
    if (syncPosition === 0 && (await readSyncRecord(online, view)).success === undefined) return true
    return view.online && !(await isSynced(parts, view))
  }
}

function alreadyRunning(name: string): TwinstoreError {
  return new TwinstoreError('ABORTED', `a sync of ${name} is already running; wait for it or try again later`)
}
