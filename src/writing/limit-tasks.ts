/** Views that keep only some entities online are brought to that on a schedule: their rows are written at any time, and syncs may be rare. */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { asTwinstoreError } from '../domain/errors.ts'
import { type FeatureView, onlineExtent } from '../domain/registry.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { limitAppliedMs } from './online-extent.ts'
import type { Syncer } from './syncer.ts'

/** A task of `upkeep/schedule.ts`. */
export interface LimitTask {
  readonly name: string
  readonly view: string
  readonly everyMs: number
  lastRunMs(): Promise<number | undefined>
  run(signal: AbortSignal): Promise<void>
}

export interface LimitTasksParts {
  readonly definitions: DefinitionsSource
  readonly online: Pick<OnlineStore, 'readMark'>
  readonly syncer: Pick<Syncer, 'rebuild'>
  /** Option `keep-online-interval`. */
  readonly everyMs: number
}

export function limitTasks(parts: LimitTasksParts): readonly LimitTask[] {
  const views = [...parts.definitions.current.registry.views.values()]
  return views.filter((view) => onlineExtent(view) === 'some').map((view) => limitTask(parts, view))
}

function limitTask({ online, syncer, everyMs }: LimitTasksParts, view: FeatureView): LimitTask {
  return {
    name: `keep online ${view.name}`,
    view: view.name,
    everyMs,
    lastRunMs: () => limitAppliedMs(online, view),
    async run(signal) {
      try {
        await syncer.rebuild([view.name], { signal })
      } catch (error) {
        // A sync of the view is running, and ends with the same.
        if (asTwinstoreError(error).code !== 'ABORTED') throw error
      }
    },
  }
}
