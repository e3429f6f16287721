/** Compaction and vacuum on request: views one after the other, each with its progress and its result. */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { viewsNamed } from '../domain/known-names.ts'
import type { FeatureView } from '../domain/registry.ts'
import type { Clock } from '../lib/clock.ts'
import type {
  CompactResult,
  CompactRequest as CompactSettings,
  JobProgress,
  OfflineStore,
  VacuumRequest,
  VacuumResult,
} from '../offline/offline-store.ts'
import type { CallContext } from './call-context.ts'
import { progressOf } from './progress-stream.ts'

export interface CompactParts {
  readonly definitions: DefinitionsSource
  readonly offline: Pick<OfflineStore, 'compact' | 'vacuum'>
  readonly clock: Clock
  readonly settings: { readonly progressIntervalMs: number; readonly upkeep: UpkeepSettings }
}

export interface UpkeepSettings {
  readonly compaction: Omit<CompactSettings, 'dryRun'>
  readonly vacuum: Omit<VacuumRequest, 'dryRun'>
}

export interface CompactRequest {
  /** Empty: every view. */
  readonly views: readonly string[]
  readonly vacuum: boolean
  readonly dryRun: boolean
}

export interface ViewCompactResult extends CompactResult {
  readonly seconds: number
  readonly vacuum?: VacuumResult
}

export type CompactEvent =
  | { readonly kind: 'progress'; readonly view: string; readonly progress: JobProgress }
  | { readonly kind: 'result'; readonly result: ViewCompactResult }

/** Who asks does not want to wait until it is worth while: two files are enough. */
const FILES_MIN = 2

export async function* compactViews(
  parts: CompactParts,
  request: CompactRequest,
  context: CallContext,
): AsyncGenerator<CompactEvent> {
  const { registry } = parts.definitions.current
  const names = request.views.length === 0 ? [...registry.views.keys()] : request.views
  // All names are looked at before any work is begun.
  const views = viewsNamed(registry, names)
  const pace = { clock: parts.clock, progressIntervalMs: parts.settings.progressIntervalMs }
  for (const view of views) {
    const result = yield* progressOf<CompactEvent, ViewCompactResult>(
      (report) => compactView(parts, view, request, context.signal, report),
      () => undefined,
      pace,
    )
    yield { kind: 'result', result }
  }
}

async function compactView(
  { offline, clock, settings }: CompactParts,
  view: FeatureView,
  { vacuum, dryRun }: CompactRequest,
  signal: AbortSignal,
  report: (event: CompactEvent) => void,
): Promise<ViewCompactResult> {
  const beganMs = clock.monotonicMs()
  const options = {
    signal,
    onProgress: (progress: JobProgress) => report({ kind: 'progress', view: view.name, progress }),
  }
  const { compaction, vacuum: vacuuming } = settings.upkeep
  const compacted = await offline.compact(view, { ...compaction, filesMin: FILES_MIN, dryRun }, options)
  const vacuumed = vacuum ? await offline.vacuum(view, { ...vacuuming, dryRun }, options) : undefined
  const seconds = (clock.monotonicMs() - beganMs) / 1000
  return { ...compacted, seconds, ...(vacuumed === undefined ? {} : { vacuum: vacuumed }) }
}
