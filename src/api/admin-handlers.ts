/** The `Admin` service without a transport: plain objects in, plain objects or streams of events out. */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import type { Description } from '../domain/description.ts'
import { TwinstoreError } from '../domain/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { JobProgress, OfflineStore, TableStatus } from '../offline/offline-store.ts'
import type { ParityMonitor, ViewParity } from '../parity/parity-monitor.ts'
import type { Statistics } from '../statistics/statistics.ts'
import type { StatisticsDocument } from '../statistics/statistics-document.ts'
import type { Archiver } from '../writing/archiver.ts'
import type { SyncState } from '../writing/sync-states.ts'
import type { Syncer, ViewSyncResult } from '../writing/syncer.ts'
import type { CallContext } from './call-context.ts'
import { type CompactEvent, type CompactRequest, compactViews, type UpkeepSettings } from './compact-handler.ts'
import { describe } from './describe.ts'
import { compareViews, type ParityCall, type ParityEvent } from './parity-handler.ts'
import { progressOf } from './progress-stream.ts'
import { type StatisticsCall, viewStatistics } from './statistics-handler.ts'

export interface AdminParts {
  readonly definitions: DefinitionsSource
  readonly offline: Pick<OfflineStore, 'status' | 'health' | 'compact' | 'vacuum'>
  readonly online: {
    health(): Promise<void>
    outboxDepth(): Promise<{ readonly rows: number; readonly bytes: number }>
  }
  readonly archiver: Pick<Archiver, 'status' | 'flush'>
  readonly statistics: Pick<Statistics, 'make' | 'kept'>
  readonly syncer: Pick<Syncer, 'sync' | 'rebuild'>
  readonly syncStates: () => Promise<readonly SyncState[]>
  readonly parity: Pick<ParityMonitor, 'compare' | 'status'>
  readonly cache: () => CacheStatus
  readonly clock: Clock
  /** The program's version. */
  readonly version: string
  readonly settings: {
    readonly outboxRowsMax: number
    readonly outboxBytesMax: number
    /** The least time between two progress events. */
    readonly progressIntervalMs: number
    readonly upkeep: UpkeepSettings
  }
}

export interface CacheStatus {
  readonly entries: number
  readonly bytes: number
  readonly bytesMax: number
  readonly hits: number
  readonly misses: number
  readonly invalidations: number
}

export interface Status {
  readonly version: string
  readonly fingerprint: string
  readonly uptimeSeconds: number
  readonly outbox: {
    readonly rows: number
    readonly bytes: number
    readonly rowsMax: number
    readonly bytesMax: number
    readonly archiverError: string
  }
  readonly cache: CacheStatus
  readonly tables: readonly TableStatus[]
  readonly syncs: readonly SyncState[]
  readonly parity: readonly ViewParity[]
  /** Empty when all is well. */
  readonly problems: readonly string[]
}

export type SyncEvent =
  | { readonly kind: 'progress'; readonly view: string; readonly progress: JobProgress }
  | { readonly kind: 'result'; readonly result: ViewSyncResult }
  | { readonly kind: 'failure'; readonly view: string; readonly error: TwinstoreError }

export interface SyncRequest {
  /** Empty: every view with a source; for a rebuild, every online view. */
  readonly views: readonly string[]
  readonly rebuild: boolean
  readonly anew: boolean
}

export interface AdminHandlers {
  describe(): Description
  sync(request: SyncRequest, context: CallContext): AsyncIterable<SyncEvent>
  compact(request: CompactRequest, context: CallContext): AsyncIterable<CompactEvent>
  parity(call: ParityCall, context: CallContext): AsyncIterable<ParityEvent>
  statistics(call: StatisticsCall, context: CallContext): Promise<readonly StatisticsDocument[]>
  status(): Promise<Status>
}

export function createAdminHandlers(parts: AdminParts): AdminHandlers {
  const startedMs = parts.clock.monotonicMs()
  return {
    describe: () => describe(parts.definitions.current.registry),
    sync: (request, context) => sync(parts, request, context),
    compact: (request, context) => compactViews(parts, request, context),
    parity: (call, context) => compareViews(parts, call, context),
    statistics: (call, context) => viewStatistics(parts, call, context),
    status: () => status(parts, startedMs),
  }
}

/** Views that were done get their result also when another one failed; the status of the call comes last. */
async function* sync(parts: AdminParts, request: SyncRequest, context: CallContext): AsyncGenerator<SyncEvent> {
  const ends: SyncEvent[] = []
  let failure: { readonly error: unknown } | undefined
  try {
    yield* progressOf<SyncEvent, unknown>(
      (report) => run(parts.syncer, request, context.signal, report, (event) => ends.push(event)),
      () => undefined,
      { clock: parts.clock, progressIntervalMs: parts.settings.progressIntervalMs },
    )
  } catch (error) {
    failure = { error }
  }
  yield* ends
  if (failure !== undefined) throw failure.error
}

function run(
  syncer: AdminParts['syncer'],
  { views, rebuild, anew }: SyncRequest,
  signal: AbortSignal,
  report: (progress: SyncEvent) => void,
  ended: (event: SyncEvent) => void,
): Promise<unknown> {
  if (anew && !rebuild) {
    throw new TwinstoreError('INVALID_ARGUMENT', 'anew is for a rebuild; a sync compares with all that is there anyway')
  }
  const names = views.length === 0 ? 'all' : views
  const options = {
    signal,
    onProgress: (view: string, progress: JobProgress) => report({ kind: 'progress', view, progress }),
    onResult: (result: ViewSyncResult) => ended({ kind: 'result', result }),
    onFailure: (view: string, error: TwinstoreError) => ended({ kind: 'failure', view, error }),
  }
  return rebuild ? syncer.rebuild(names, { ...options, anew }) : syncer.sync(names, options)
}

async function status(parts: AdminParts, startedMs: number): Promise<Status> {
  const { registry } = parts.definitions.current
  const problems: string[] = []
  const report = (what: string) => (error: unknown) => {
    problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
  const tableStatuses = [...registry.views.values()].map((view) =>
    parts.offline.status(view).catch(report(`offline table of ${view.name}`)),
  )
  const [outbox, tables, syncs, parity] = await Promise.all([
    parts.online.outboxDepth().catch(report('outbox')),
    Promise.all(tableStatuses),
    parts.syncStates().catch(report('syncs')),
    parts.parity.status().catch(report('parity')),
    parts.online.health().catch(report('online store')),
    parts.offline.health().catch(report('offline store')),
  ])
  const archiverError = parts.archiver.status().error ?? ''
  if (archiverError !== '') problems.push(`archiver: ${archiverError}`)
  for (const { problem } of parity ?? []) if (problem !== undefined) problems.push(`parity: ${problem}`)
  return {
    version: parts.version,
    fingerprint: registry.fingerprint,
    uptimeSeconds: (parts.clock.monotonicMs() - startedMs) / 1000,
    outbox: {
      rows: outbox?.rows ?? 0,
      bytes: outbox?.bytes ?? 0,
      rowsMax: parts.settings.outboxRowsMax,
      bytesMax: parts.settings.outboxBytesMax,
      archiverError,
    },
    cache: parts.cache(),
    tables: tables.filter((table) => table !== undefined),
    syncs: syncs ?? [],
    parity: parity ?? [],
    problems,
  }
}
