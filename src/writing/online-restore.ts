/**
 * Brings back what the online store has lost, from the history: everything when it is new or was made anew, and again whenever a shard
 * is found to have lost the end of its writes.
 */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { onlineViews } from '../domain/registry.ts'
import { viewByView } from '../domain/view-by-view.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { optionsOf, type RunOptions } from './chosen-views.ts'
import { bringOnline, type ExtentParts } from './online-extent.ts'

export interface OnlineRestore {
  /**
   * Brings the latest archived row per entity of every online view to the online store, which has lost some. May run at
   * any time and on several instances at once, because the greater version wins. One at a time here: a call during one
   * makes one more after it, which answers all calls made meanwhile, with the options of the first of them. The rejection at the end names
   * each view that failed.
   */
  restore(options?: RunOptions): Promise<readonly RestoredView[]>
  /**
   * The same if this online store was never filled from the offline store: it is new, or a lost one was made anew. Goes on where
   * a start that was killed had come to. Nothing if the store was filled, or if there is nothing to bring. Rejects like `restore`.
   */
  restoreIfNew(options?: RunOptions): Promise<readonly RestoredView[]>
}

export interface RestoredView {
  readonly view: string
  /** Rows that became the online value. */
  readonly rowsOnline: number
}

export interface OnlineRestoreParts extends ExtentParts {
  readonly online: OnlineStore
  readonly offline: Pick<OfflineStore, 'latest' | 'kept' | 'status'>
  readonly definitions: DefinitionsSource
}

/** In the online store from when it first had everything the offline store held. */
const FILLED_MARK = 'filled'

export function createOnlineRestore(parts: OnlineRestoreParts): OnlineRestore {
  const { online, offline, definitions } = parts
  let restoring: Promise<unknown> | undefined
  let restoreNext: Promise<readonly RestoredView[]> | undefined

  function restoreViews(options: RunOptions, anew: boolean): Promise<readonly RestoredView[]> {
    return viewByView('bringing archived rows back', onlineViews(definitions.current.registry), async (view) => {
      const { rowsOnline } = await bringOnline(parts, view, { goal: 'all', anew, ...optionsOf(view, options) })
      return { view: view.name, rowsOnline }
    })
  }

  function beginRestore(options: RunOptions): Promise<readonly RestoredView[]> {
    restoreNext = undefined
    const restore = restoreViews(options, true)
    restoring = restore
    const done = (): void => {
      if (restoring === restore) restoring = undefined
    }
    restore.then(done, done)
    return restore
  }

  return {
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
      const tables = await Promise.all(onlineViews(definitions.current.registry).map((view) => offline.status(view)))
      const restored = tables.some(({ rows }) => rows > 0) ? await restoreViews(options, false) : []
      await online.writeMark(FILLED_MARK, 'yes')
      return restored
    },
  }
}
