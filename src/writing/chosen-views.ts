/** Which views a sync or a rebuild is of, and how a run over them is followed. */
import { TwinstoreError } from '../domain/errors.ts'
import { viewsNamed } from '../domain/known-names.ts'
import { type FeatureView, onlineViews, type Registry } from '../domain/registry.ts'
import type { JobProgress } from '../offline/offline-store.ts'

/** How a run over several views is followed and ended. */
export interface RunOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (view: string, progress: JobProgress) => void
}

/** The named views, which must have a source; or all that have one. */
export function syncedViews(registry: Registry, names: readonly string[] | 'all'): readonly FeatureView[] {
  if (names === 'all') return [...registry.views.values()].filter((view) => view.source !== undefined)
  return refusing(viewsNamed(registry, names), (view) =>
    view.source === undefined ? `view ${view.name} has no source to sync from; its rows are written` : undefined,
  )
}

/** The named views, which must be kept online; or all that are. */
export function rebuiltViews(registry: Registry, names: readonly string[] | 'all'): readonly FeatureView[] {
  if (names === 'all') return onlineViews(registry)
  return refusing(viewsNamed(registry, names), (view) =>
    view.online ? undefined : `view ${view.name} is not kept online; there is nothing to rebuild`,
  )
}

/** The views, of which none may have a problem. */
function refusing(
  views: readonly FeatureView[],
  problemOf: (view: FeatureView) => string | undefined,
): readonly FeatureView[] {
  for (const view of views) {
    const problem = problemOf(view)
    if (problem !== undefined) throw new TwinstoreError('FAILED_PRECONDITION', problem)
  }
  return views
}

/** What of the options is for the work of one view. */
export function optionsOf(view: FeatureView, { signal, onProgress }: RunOptions) {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress: (progress: JobProgress) => onProgress(view.name, progress) }),
  }
}
