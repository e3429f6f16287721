/**
 * Makes the statistics of views: on demand, and in the background after syncs that added rows.
 *
 * In the background one view at a time, begun only when a whole sync call has ended: the job needs a place among the long
 * jobs, of which there is one by default, and must not be before the next view's sync. What fails there is told and left:
 * the next sync makes them again. Bound: a view waits once, however many syncs it had.
 */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import { viewsNamed } from '../domain/known-names.ts'
import type { FeatureView } from '../domain/registry.ts'
import type { Clock } from '../lib/clock.ts'
import type { JobOptions, OfflineStore } from '../offline/offline-store.ts'
import type { StatisticsDocuments } from './document-store.ts'
import type { DriftThresholds } from './psi.ts'
import { type StatisticsDocument, statisticsDocument } from './statistics-document.ts'
import { type AskedWindows, chosenWindows } from './windows.ts'

export interface StatisticsParts {
  readonly offline: Pick<OfflineStore, 'statistics' | 'status'>
  readonly documents: StatisticsDocuments
  readonly definitions: DefinitionsSource
  readonly clock: Pick<Clock, 'nowMicros'>
  /** Option `statistics-window`, milliseconds. */
  readonly windowMs: number
  /** Option `statistics-top-values`. */
  readonly topValuesMax: number
  /** Option `statistics-exact-rows-max`. */
  readonly exactRowsMax: number
  readonly thresholds: DriftThresholds
  /** Told of a view that could not be described in the background. */
  readonly onFault: (view: string, fault: TwinstoreError) => void
}

export interface Statistics {
  /**
   * Describes the named views, or all that have rows, and keeps a document of each. NOT_FOUND for an unknown view,
   * FAILED_PRECONDITION for one without rows, INVALID_ARGUMENT for windows that end before they begin.
   */
  make(views: readonly string[], asked: AskedWindows, options?: JobOptions): Promise<readonly StatisticsDocument[]>
  /** Of each named view, or all, at most `limit` documents that are kept, newest first. */
  kept(views: readonly string[], limit: number): Promise<readonly StatisticsDocument[]>
  /** Makes those of the views in the background. */
  soon(views: readonly string[]): void
  /** The last document of each view that was made by this instance, over the windows that nobody chose. */
  last(): ReadonlyMap<string, StatisticsDocument>
  /** Resolves when nothing waits in the background. */
  idle(): Promise<void>
  /** Aborts what is under way in the background. */
  stop(): Promise<void>
}

export function createStatistics(parts: StatisticsParts): Statistics {
  const { offline, definitions } = parts
  const last = new Map<string, StatisticsDocument>()
  const waiting = new Set<string>()
  const abort = new AbortController()
  let working: Promise<void> = Promise.resolve()
  let isWorking = false

  async function describe(
    view: FeatureView,
    asked: AskedWindows,
    options: JobOptions,
  ): Promise<StatisticsDocument | undefined> {
    const { newestEventMicros } = await offline.status(view)
    if (newestEventMicros === undefined) return undefined
    const windows = chosenWindows(asked, newestEventMicros, parts.windowMs * 1000)
    const { topValuesMax, exactRowsMax } = parts
    const data = await offline.statistics(view, { ...windows, topValuesMax, exactRowsMax }, options)
    const { fingerprint } = definitions.current.registry
    const recordedMs = Math.floor(parts.clock.nowMicros() / 1000)
    const document = statisticsDocument({
      view,
      fingerprint,
      recordedMs,
      ...windows,
      thresholds: parts.thresholds,
      data,
    })
    await parts.documents.keep(view, document)
    // What somebody asks of other times says nothing of how the view is now.
    if (Object.keys(asked).length === 0) last.set(view.name, document)
    return document
  }

  async function work(): Promise<void> {
    isWorking = true
    for (const name of waiting) {
      waiting.delete(name)
      const view = definitions.current.registry.views.get(name)
      if (view === undefined || abort.signal.aborted) continue
      try {
        await describe(view, {}, { signal: abort.signal })
      } catch (error) {
        if (!abort.signal.aborted) parts.onFault(name, asTwinstoreError(error))
      }
    }
    isWorking = false
  }

  return {
    async make(names, asked, options = {}) {
      const made: StatisticsDocument[] = []
      for (const view of chosenViews(definitions, names)) {
        const document = await describe(view, asked, options)
        if (document !== undefined) made.push(document)
        else if (names.length > 0) throw withoutRows(view)
      }
      return made
    },
    async kept(names, limit) {
      const found = await Promise.all(
        chosenViews(definitions, names).map((view) => parts.documents.newest(view, limit)),
      )
      return found.flat()
    },
    soon(names) {
      for (const name of names) waiting.add(name)
      if (!isWorking && waiting.size > 0) working = work()
    },
    last: () => last,
    idle: () => working,
    async stop() {
      abort.abort()
      await working
    },
  }
}

/** The named views, or all. */
function chosenViews({ current: { registry } }: DefinitionsSource, names: readonly string[]): readonly FeatureView[] {
  return names.length === 0 ? [...registry.views.values()] : viewsNamed(registry, names)
}

function withoutRows({ name }: FeatureView): TwinstoreError {
  return new TwinstoreError(
    'FAILED_PRECONDITION',
    `view ${name} has no rows in its history yet; there is nothing to describe`,
  )
}
