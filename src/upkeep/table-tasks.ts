/**
 * The scheduled upkeep of the offline tables: compaction, which looks at the table's files first and mostly finds nothing to do,
 * and vacuum, which lists the table's folder and is due less often.
 *
 * A run is bounded; what it leaves is for the next one. When it was last done is not recorded: compacting what is compacted and
 * deleting what is deleted cost no more than the look.
 */
import { TwinstoreError } from '../domain/errors.ts'
import type { FeatureView } from '../domain/registry.ts'
import type {
  CompactRequest,
  CompactResult,
  OfflineStore,
  VacuumRequest,
  VacuumResult,
} from '../offline/offline-store.ts'
import type { ScheduledTask } from './schedule.ts'

export interface TableTaskParts {
  readonly views: Iterable<FeatureView>
  readonly offline: Pick<OfflineStore, 'compact' | 'vacuum'>
  /** Options `compact-interval` and `vacuum-interval`; 0: never. */
  readonly compactEveryMs: number
  readonly vacuumEveryMs: number
  readonly compaction: CompactRequest
  readonly vacuum: VacuumRequest
  /** Told of every run that did something. */
  readonly onCompacted: (result: CompactResult) => void
  readonly onVacuumed: (result: VacuumResult & { readonly view: string }) => void
}

export function tableTasks(parts: TableTaskParts): readonly ScheduledTask[] {
  const tasks: ScheduledTask[] = []
  for (const view of parts.views) {
    if (parts.compactEveryMs > 0) {
      tasks.push(task('compact', view, parts.compactEveryMs, (signal) => compact(parts, view, signal)))
    }
    if (parts.vacuumEveryMs > 0) {
      tasks.push(task('vacuum', view, parts.vacuumEveryMs, (signal) => vacuum(parts, view, signal)))
    }
  }
  return tasks
}

function task(
  verb: string,
  view: FeatureView,
  everyMs: number,
  work: (signal: AbortSignal) => Promise<void>,
): ScheduledTask {
  return { name: `${verb} ${view.name}`, view: view.name, everyMs, run: (signal) => unlessUnderWay(() => work(signal)) }
}

async function compact({ offline, compaction, onCompacted }: TableTaskParts, view: FeatureView, signal: AbortSignal) {
  const result = await offline.compact(view, compaction, { signal })
  if (result.filesRemoved > 0 || result.groupsLost > 0) onCompacted(result)
}

async function vacuum(
  { offline, vacuum: request, onVacuumed }: TableTaskParts,
  view: FeatureView,
  signal: AbortSignal,
) {
  const result = await offline.vacuum(view, request, { signal })
  if (result.deleted + result.kept > 0) onVacuumed({ ...result, view: view.name })
}

/** Somebody may have asked for the same just now. */
async function unlessUnderWay(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof TwinstoreError) || error.code !== 'ABORTED') throw error
  }
}
