/** The `Admin` service without a transport: plain objects in, plain objects or streams of events out. */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { TwinstoreError } from '../domain/errors.ts'
import type { Registry } from '../domain/registry.ts'
import type { Clock } from '../lib/clock.ts'
import type { JobProgress, OfflineStore, TableStatus } from '../offline/offline-store.ts'
import type { Archiver, CallContext, Syncer, ViewSyncResult } from './collaborators.ts'
import { type Description, describe } from './describe.ts'
import { hint, viewNamed } from './known-names.ts'
import { progressOf } from './progress-stream.ts'

export interface AdminParts {
  readonly definitions: DefinitionsSource
  readonly offline: Pick<OfflineStore, 'status' | 'health'>
  readonly online: {
    health(): Promise<void>
    outboxDepth(): Promise<{ readonly rows: number; readonly bytes: number }>
  }
  readonly archiver: Pick<Archiver, 'status'>
  readonly syncer: Syncer
  readonly cache: () => CacheStatus
  readonly clock: Clock
  /** The program's version. */
  readonly version: string
  readonly settings: {
    readonly outboxRowsMax: number
    readonly outboxBytesMax: number
    /** The least time between two progress events. */
    readonly progressIntervalMs: number
  }
}

export interface CacheStatus {
  readonly entries: number
  readonly bytes: number
  readonly bytesMax: number
  readonly hits: number
  readonly misses: number
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
  /** Empty when all is well. */
  readonly problems: readonly string[]
}

export type SyncEvent =
  | { readonly kind: 'progress'; readonly view: string; readonly progress: JobProgress }
  | { readonly kind: 'result'; readonly result: ViewSyncResult }

export interface AdminHandlers {
  describe(): Description
  /** Empty `views`: every view with a source. */
  sync(views: readonly string[], context: CallContext): AsyncIterable<SyncEvent>
  status(): Promise<Status>
}

export function createAdminHandlers(parts: AdminParts): AdminHandlers {
  const startedMs = parts.clock.monotonicMs()
  return {
    describe: () => describe(parts.definitions.current.registry),
    sync: (views, context) => sync(parts, views, context),
    status: () => status(parts, startedMs),
  }
}

async function* sync(parts: AdminParts, asked: readonly string[], context: CallContext): AsyncGenerator<SyncEvent> {
  const views = viewsToSync(parts.definitions.current.registry, asked)
  const results = yield* progressOf<SyncEvent, readonly ViewSyncResult[]>(
    (report) =>
      parts.syncer.sync(views, {
        signal: context.signal,
        onProgress: (view, progress) => report({ kind: 'progress', view, progress }),
      }),
    () => undefined,
    { clock: parts.clock, progressIntervalMs: parts.settings.progressIntervalMs },
  )
  for (const result of results) yield { kind: 'result', result }
}

function viewsToSync(registry: Registry, asked: readonly string[]): string[] {
  const withSource = [...registry.views.values()].filter((view) => view.source !== undefined).map((view) => view.name)
  if (asked.length === 0) return withSource
  for (const name of asked) {
    if (withSource.includes(viewNamed(registry, name).name)) continue
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `view ${name} has no SQL source to sync; its rows come by writes${hint(name, withSource)}`,
    )
  }
  return [...new Set(asked)]
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
  const [outbox, tables] = await Promise.all([
    parts.online.outboxDepth().catch(report('outbox')),
    Promise.all(tableStatuses),
    parts.online.health().catch(report('online store')),
    parts.offline.health().catch(report('offline store')),
  ])
  const archiverError = parts.archiver.status().error ?? ''
  if (archiverError !== '') problems.push(`archiver: ${archiverError}`)
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
    problems,
  }
}
