/**
 * Lifts the online store's positions above those the offline store knows: a position given twice would make an append
 * drop the row that has it.
 *
 * They are below only if the online store lost the end of its writes: it was restored from an older copy, or failed over
 * to a replica that lagged.
 */
import type { Shard } from '../domain/entity-key.ts'
import type { FeatureView } from '../domain/registry.ts'
import { NO_POSITION, type Position } from '../domain/version.ts'
import { boundedParallel } from '../lib/bounded-parallel.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore } from '../online/online-store.ts'

export interface FloorParts {
  readonly online: Pick<OnlineStore, 'storeId' | 'lastPosition' | 'raisePositions'>
  readonly offline: Pick<OfflineStore, 'archivedPositions'>
  readonly viewsAtOnce: number
  readonly shardsAtOnce: number
}

/** Resolves to the shards that had lost the end of their writes. */
export async function liftPositions(
  { online, offline, viewsAtOnce, shardsAtOnce }: FloorParts,
  views: readonly FeatureView[],
  shards: readonly Shard[],
): Promise<readonly Shard[]> {
  const sources = shards.map((shard) => ({ storeId: online.storeId, shard }))
  const archived = await boundedParallel(views, viewsAtOnce, (view) => offline.archivedPositions(view, sources))
  const lost = await boundedParallel(shards, shardsAtOnce, async (shard) => {
    const floor = Math.max(NO_POSITION, ...archived.map((positions) => positions[shards.indexOf(shard)]!)) as Position
    // Read after the floor, so that rows archived in between do not look like lost ones.
    if (floor === NO_POSITION || (await online.lastPosition(shard)) >= floor) return undefined
    await online.raisePositions(shard, floor)
    return shard
  })
  return lost.filter((shard) => shard !== undefined)
}
