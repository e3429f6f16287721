/** Work over several views, one after the other. */
import { asTwinstoreError, type ErrorCode, type Fault, faultsError } from './errors.ts'
import type { FeatureView } from './registry.ts'

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
  if (failed.length === 0) return results
  throw faultsError(failed[0]!.code, `${what} failed for ${failed.length} of ${views.length} views:`, failed)
}
