/** Which views a sync or a rebuild is of, and going over them one by one. */
import { asTwinstoreError, type ErrorCode, type Fault, faultsError, TwinstoreError } from '../domain/errors.ts'
import type { FeatureView, Registry } from '../domain/registry.ts'
import { knownNames, quotedName } from '../lib/nearest-name.ts'
import type { JobProgress } from '../offline/offline-store.ts'

/** How a run over several views is followed and ended. */
export interface RunOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (view: string, progress: JobProgress) => void
}

export function onlineViews(registry: Registry): readonly FeatureView[] {
  return [...registry.views.values()].filter((view) => view.online)
}

/** The named views, which must have a source; or all that have one. */
export function syncedViews(registry: Registry, names: readonly string[] | 'all'): readonly FeatureView[] {
  if (names === 'all') return [...registry.views.values()].filter((view) => view.source !== undefined)
  return namedViews(registry, names, (view) =>
    view.source === undefined ? `view ${view.name} has no source to sync from; its rows are written` : undefined,
  )
}

/** The named views, which must be kept online; or all that are. */
export function rebuiltViews(registry: Registry, names: readonly string[] | 'all'): readonly FeatureView[] {
  if (names === 'all') return onlineViews(registry)
  return namedViews(registry, names, (view) =>
    view.online ? undefined : `view ${view.name} is not kept online; there is nothing to rebuild`,
  )
}

function namedViews(
  registry: Registry,
  names: readonly string[],
  problemOf: (view: FeatureView) => string | undefined,
): readonly FeatureView[] {
  return [...new Set(names)].map((name) => {
    const view = registry.views.get(name)
    if (view === undefined) {
      const known = knownNames(name, [...registry.views.keys()])
      throw new TwinstoreError('NOT_FOUND', `unknown feature view ${quotedName(name)}${known}`)
    }
    const problem = problemOf(view)
    if (problem !== undefined) throw new TwinstoreError('FAILED_PRECONDITION', problem)
    return view
  })
}

/** The result of each view; one that fails does not stop the others, and the rejection at the end names each with its fault. */
export async function viewByView<T>(
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

/** What of the options is for the work of one view. */
export function optionsOf(view: FeatureView, { signal, onProgress }: RunOptions) {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress: (progress: JobProgress) => onProgress(view.name, progress) }),
  }
}
