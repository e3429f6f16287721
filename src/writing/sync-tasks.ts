/**
 * The views' schedules as tasks: a sync begins `every` after the last one began, by whichever instance or hand it was run.
 *
 * That is asked of the stores before each run, so that a sync by RPC just before makes the scheduled one wait its turn, and a
 * takeover runs nothing twice. What two instances do at the same time all the same, the offline commit sorts out: one of them adds
 * its rows, the other is ABORTED, and finds that the view has been synced.
 */
import { asTwinstoreError } from '../domain/errors.ts'
import type { FeatureView } from '../domain/registry.ts'
import { lastSyncBeganMs, type SyncStatesParts } from './sync-states.ts'
import type { Syncer } from './syncer.ts'

/** A task of `upkeep/schedule.ts`. */
export interface SyncTask {
  readonly name: string
  readonly view: string
  readonly everyMs: number
  readonly countsFromRecord: true
  lastRunMs(): Promise<number | undefined>
  run(signal: AbortSignal): Promise<void>
}

export interface SyncTasksParts extends Pick<SyncStatesParts, 'online' | 'offline' | 'definitions' | 'clock'> {
  readonly syncer: Pick<Syncer, 'sync'>
}

export function syncTasks(parts: SyncTasksParts): readonly SyncTask[] {
  return [...parts.definitions.current.registry.views.values()].flatMap((view) =>
    view.source === undefined || view.syncEverySeconds === undefined
      ? []
      : [syncTask(parts, view, view.syncEverySeconds * 1000)],
  )
}

function syncTask(parts: SyncTasksParts, view: FeatureView, everyMs: number): SyncTask {
  const { syncer, clock } = parts
  const nowMs = () => clock.nowMicros() / 1000
  /** Known here even if it could not be recorded: a schedule must not run in circles. */
  let beganHereMs: number | undefined
  const lastRunMs = async (): Promise<number | undefined> => {
    const recordedMs = await lastSyncBeganMs(parts, view)
    return beganHereMs === undefined ? recordedMs : Math.max(beganHereMs, recordedMs ?? beganHereMs)
  }
  return {
    name: `sync ${view.name}`,
    view: view.name,
    everyMs,
    countsFromRecord: true,
    lastRunMs,
    async run(signal) {
      const lastMs = await lastRunMs()
      const beganMs = nowMs()
      if (lastMs !== undefined && lastMs + everyMs > beganMs) return
      try {
        await syncer.sync([view.name], { signal })
        beganHereMs = beganMs
      } catch (error) {
        if (asTwinstoreError(error).code !== 'ABORTED') throw error
        const othersMs = await lastRunMs()
        if (othersMs === undefined || othersMs <= (lastMs ?? 0)) throw error
      }
    },
  }
}
