/**
 * Brings what is new in the views' sources into both stores: first the offline table, in one commit, then the latest
 * row per entity online, in batches.
 *
 * A mark in the online store says what it was seeded with: `pending` from before the offline commit until the last
 * batch, then the table version. So a crash in between is healed by the next run, and a lost online store, which has
 * no mark, is filled again. Seeding twice changes nothing, because the greater version wins.
 */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { asTwinstoreError, type ErrorCode, type Fault, faultsError, TwinstoreError } from '../domain/errors.ts'
import { type FeatureView, type Registry, storageId } from '../domain/registry.ts'
import type { Clock } from '../lib/clock.ts'
import { knownNames, quotedName } from '../lib/nearest-name.ts'
import type { JobProgress, OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore, RowWrite } from '../online/online-store.ts'
import { refuseAborted } from './abort.ts'
import type { RowChanges } from './row-changes.ts'

export interface ViewSyncResult {
  readonly view: string
  readonly rowsRead: number
  /** New rows in the offline history. */
  readonly rowsAdded: number
  /** Rows that became the online value. */
  readonly rowsOnline: number
  readonly tableVersion: number
  readonly seconds: number
}

export interface SyncOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (view: string, progress: JobProgress) => void
  /** Called as each view is done. */
  readonly onResult?: (result: ViewSyncResult) => void
}

export interface Syncer {
  /**
   * Syncs the named views, or all that have a source, one after the other. Refused before anything is done: NOT_FOUND
   * (an unknown view), FAILED_PRECONDITION (no source), ABORTED (a sync of the view is running). A view that fails
   * does not stop the others; the rejection at the end names each with its fault.
   */
  sync(views: readonly string[] | 'all', options?: SyncOptions): Promise<readonly ViewSyncResult[]>
  /** Whether some view with a source has no table yet, or its rows are not all online. */
  needsFirstSync(): Promise<boolean>
  /**
   * Brings the latest archived row per entity of every online view to the online store, which has lost some. May run at
   * any time and on several instances at once, because the greater version wins. One at a time here: a call during one
   * makes one more after it, which answers all calls made meanwhile. Rejects like `sync`.
   */
  restore(options?: RestoreOptions): Promise<readonly RestoredView[]>
  /**
   * The same if this online store was never filled from the offline store: it is new, or a lost one was made anew. Nothing
   * if it was, or if there is nothing to bring.
   */
  restoreIfNew(options?: RestoreOptions): Promise<readonly RestoredView[]>
}

export interface RestoredView {
  readonly view: string
  /** Rows that became the online value. */
  readonly rowsOnline: number
}

/** Of calls that share a restore, those of the first count. */
export interface RestoreOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (view: string, progress: JobProgress) => void
}

export interface SyncerParts {
  readonly online: OnlineStore
  readonly offline: Pick<OfflineStore, 'sync' | 'latest' | 'status'>
  readonly definitions: DefinitionsSource
  readonly changes: RowChanges
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** `sync-seed-rows`: rows brought online in one batch; other writes get their turn between batches. */
  readonly seedRows: number
}

const PENDING = 'pending'
/** In the online store from when it first had everything the offline store held. */
const FILLED_MARK = 'filled'

export function createSyncer(parts: SyncerParts): Syncer {
  const { online, offline, definitions, clock } = parts
  const running = new Set<string>()
  let restoring: Promise<unknown> | undefined
  let restoreNext: Promise<readonly RestoredView[]> | undefined

  async function syncView(view: FeatureView, options: SyncOptions): Promise<ViewSyncResult> {
    const startedMs = clock.monotonicMs()
    const mark = markOf(view)
    const seeded = await online.readMark(mark)
    await online.writeMark(mark, PENDING)
    const position = await online.reservePosition()
    const job = jobOptions(view, options)
    const { rowsRead, rowsAdded, tableVersion } = await offline.sync(view, position, job)
    const current = rowsAdded === 0 && isSeeded(seeded, tableVersion)
    const seedResult = current || !view.online ? { rowsOnline: 0, tableVersion } : await seed(parts, view, options)
    await online.writeMark(mark, String(seedResult.tableVersion))
    const seconds = (clock.monotonicMs() - startedMs) / 1000
    return { view: view.name, rowsRead, rowsAdded, rowsOnline: seedResult.rowsOnline, tableVersion, seconds }
  }

  function beginRestore(options: RestoreOptions): Promise<readonly RestoredView[]> {
    restoreNext = undefined
    const views = [...definitions.current.registry.views.values()].filter((view) => view.online)
    const restore = viewByView('bringing archived rows back', views, async (view) => {
      const { rowsOnline } = await seed(parts, view, options)
      return { view: view.name, rowsOnline }
    })
    restoring = restore
    const done = (): void => {
      if (restoring === restore) restoring = undefined
    }
    restore.then(done, done)
    return restore
  }

  return {
    async sync(names, options = {}) {
      const views = chosenViews(definitions.current.registry, names)
      for (const { name } of views) if (running.has(name)) throw alreadyRunning(name)
      for (const { name } of views) running.add(name)
      return viewByView('the sync', views, async (view) => {
        try {
          refuseAborted(options.signal, `the sync of ${view.name} was not begun`)
          const result = await syncView(view, options)
          options.onResult?.(result)
          return result
        } finally {
          running.delete(view.name)
        }
      })
    },

    async restore(options = {}) {
      if (restoring === undefined) return beginRestore(options)
      // The one under way may be past what was lost since.
      restoreNext ??= restoring.then(
        () => beginRestore(options),
        () => beginRestore(options),
      )
      return restoreNext
    },

    async restoreIfNew(options = {}) {
      if ((await online.readMark(FILLED_MARK)) !== undefined) return []
      const views = [...definitions.current.registry.views.values()].filter((view) => view.online)
      const tables = await Promise.all(views.map((view) => offline.status(view)))
      const restored = tables.some(({ rows }) => rows > 0) ? await this.restore(options) : []
      await online.writeMark(FILLED_MARK, 'yes')
      return restored
    },

    async needsFirstSync() {
      for (const view of definitions.current.registry.views.values()) {
        if (view.source === undefined) continue
        const { tableVersion } = await offline.status(view)
        if (tableVersion < 0 || !isSeeded(await online.readMark(markOf(view)), tableVersion)) return true
      }
      return false
    },
  }
}

/** The result of each view; one that fails does not stop the others, and the rejection at the end names each with its fault. */
async function viewByView<T>(
  what: string,
  views: readonly FeatureView[],
  work: (view: FeatureView) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = []
  const failed: (Fault & { readonly code: ErrorCode })[] = []
  for (const view of views) {
    try {
      results.push(await work(view))
    } catch (error) {
      const { code, message } = asTwinstoreError(error)
      failed.push({ at: view.name, problem: message, code })
    }
  }
  if (failed.length > 0)
    throw faultsError(failed[0]!.code, `${what} failed for ${failed.length} of ${views.length} views:`, failed)
  return results
}

/** Brings the latest row per entity online; rows that are older than the online value change nothing. */
async function seed(
  { online, offline, changes, seedRows }: SyncerParts,
  view: FeatureView,
  options: SyncOptions,
): Promise<{ readonly rowsOnline: number; readonly tableVersion: number }> {
  const latest = await offline.latest(view, jobOptions(view, options))
  let rowsOnline = 0
  let rowsDone = 0
  for await (const batch of latest.batches) {
    for (let from = 0; from < batch.length; from += seedRows) {
      refuseAborted(options.signal, `the rows of ${view.name} are not all online yet; the next one brings the rest`)
      const rows = batch.slice(from, from + seedRows)
      const applied = await appliedOf(online, rows)
      changes.changed(applied.map((row) => row.key))
      rowsOnline += applied.length
      rowsDone += rows.length
      options.onProgress?.(view.name, { step: 'bringing rows online', fraction: rowsDone / Math.max(1, latest.rows) })
    }
  }
  return { rowsOnline, tableVersion: latest.tableVersion }
}

async function appliedOf(online: Pick<OnlineStore, 'seed'>, rows: readonly RowWrite[]): Promise<readonly RowWrite[]> {
  const statuses = await online.seed(rows)
  return rows.filter((_, index) => statuses[index] === 'APPLIED')
}

function markOf(view: FeatureView): string {
  return `sync/${storageId(view)}`
}

/**
 * Whether a mark says that all sync rows up to this table version are online. A version after the marked one has, when
 * the sync just run added nothing, only rows the archiver brought, and those were online first. A marked version from
 * after the table's own belongs to another table.
 */
function isSeeded(mark: string | undefined, tableVersion: number): boolean {
  return mark !== undefined && mark !== PENDING && Number(mark) <= tableVersion
}

function jobOptions(view: FeatureView, { signal, onProgress }: SyncOptions) {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress: (progress: JobProgress) => onProgress(view.name, progress) }),
  }
}

function chosenViews(registry: Registry, names: readonly string[] | 'all'): readonly FeatureView[] {
  if (names === 'all') return [...registry.views.values()].filter((view) => view.source !== undefined)
  return [...new Set(names)].map((name) => {
    const view = registry.views.get(name)
    if (view === undefined) {
      const known = knownNames(name, [...registry.views.keys()])
      throw new TwinstoreError('NOT_FOUND', `unknown feature view ${quotedName(name)}${known}`)
    }
    if (view.source !== undefined) return view
    throw new TwinstoreError('FAILED_PRECONDITION', `view ${name} has no source to sync from; its rows are written`)
  })
}

function alreadyRunning(name: string): TwinstoreError {
  return new TwinstoreError('ABORTED', `a sync of ${name} is already running; wait for it or try again later`)
}
