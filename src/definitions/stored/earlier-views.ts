/**
 * Views of definitions that are no longer current: rows of them may still be in an outbox, and must find their table.
 */
import { type FeatureView, storageId } from '../../domain/registry.ts'
import type { ObjectStore } from '../../offline/objects/object-store.ts'
import { registryOf } from './content.ts'
import { newestFirst } from './registry-log.ts'
import { readContent } from './snapshots.ts'

/** The view with this storage id as it was applied last; undefined if no applied definitions ever had it. */
export async function findEarlierView(objects: ObjectStore, id: string): Promise<FeatureView | undefined> {
  for await (const entry of newestFirst(objects)) {
    const registry = registryOf(await readContent(objects, entry), entry.layouts, entry.project, entry.fingerprint)
    const found = [...registry.views.values()].find((view) => storageId(view) === id)
    if (found !== undefined) return found
  }
  return undefined
}
