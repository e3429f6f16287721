/**
 * The only composition root, with `compose/` for how each part is built: from the configuration all parts, started in order, and
 * stopped in reverse.
 *
 * Start: lock the data folder, apply the definitions, open the stores, start the archiver, sync what has no data yet,
 * listen. Stop: take no new calls and finish those under way, archive the outbox, close the stores, release the lock. A
 * start that fails midway, or is asked to stop, undoes what it had begun.
 */
import { openCertificates } from './compose/certificates.ts'
import { definitionsOf } from './compose/definitions.ts'
import { buildGrpcServer } from './compose/grpc.ts'
import { buildHandlers } from './compose/handlers.ts'
import { buildHttpServer } from './compose/http.ts'
import { buildMetrics, serveMetrics } from './compose/metrics.ts'
import { openObjects, withObjects } from './compose/objects.ts'
import {
  buildArchiver,
  buildParity,
  buildRepeatedLines,
  buildServing,
  buildStatistics,
  buildSyncStates,
  restoreOnline,
} from './compose/parts.ts'
import { buildSchedule, scheduledTasks } from './compose/scheduled-work.ts'
import type { RunningServer, ServerAsWorker, StartHooks } from './compose/start.ts'
import { openOffline, openOnline } from './compose/stores.ts'
import type { Config } from './config/option-table.ts'
import { supervisorSlice } from './config/slices/edges.ts'
import { syncerSlice, writeLimits } from './config/slices/writing.ts'
import { storeFolders } from './config/store-location.ts'
import { lockStores } from './config/store-locks.ts'
import type { DraftView } from './definitions/check/draft.ts'
import { loadDefinitions } from './definitions/load/load.ts'
import type { DefinitionsSource } from './domain/definitions-source.ts'
import { TwinstoreError } from './domain/errors.ts'
import { systemClock as clock } from './lib/clock.ts'
import { keepAlive } from './lib/keep-alive.ts'
import { CallCounts, GRPC_CALLS, HTTP_REQUESTS } from './observe/call-counts.ts'
import { createLog } from './observe/log.ts'
import { offlineStoreId } from './offline/store/store-id.ts'
import { flushLmdbStore } from './online/lmdb/durability.ts'
import { describedAfterSync } from './statistics/after-sync.ts'
import { type Supervisor, type SupervisorOptions, startWorkers } from './workers/supervisor.ts'
import { createWriteService } from './writing/feature-write-service.ts'
import { createFeatureWriter } from './writing/feature-writer.ts'
import type { RowChanges } from './writing/row-changes.ts'
import { pairStores } from './writing/store-pairing.ts'
import { createSyncer, type Syncer } from './writing/syncer.ts'

export type { RunningServer, ServerAsWorker, StartHooks } from './compose/start.ts'

/** Starts a server. Rejects with a `TwinstoreError` that says what to do, having released everything. */
export async function startServer(config: Config, hooks: StartHooks, worker?: ServerAsWorker): Promise<RunningServer> {
  const closers: (() => Promise<unknown> | unknown)[] = []
  /** Every closer runs, whatever became of the ones before it: a lock must not stay because a store failed to close. */
  const closeAll = async (): Promise<void> => {
    const failures: unknown[] = []
    for (const close of closers.reverse()) {
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
  try {
    return await start(config, hooks, worker, (close) => closers.push(close), closeAll)
  } catch (error) {
    // What made the start fail is what the operator must hear of, not what followed from it.
    await closeAll().catch(() => undefined)
    throw error
  }
}

async function start(
  config: Config,
  hooks: StartHooks,
  worker: ServerAsWorker | undefined,
  onClose: (close: () => Promise<unknown> | unknown) => void,
  closeAll: () => Promise<void>,
): Promise<RunningServer> {
  // While every connection to Redis is down, a pause before the next attempt is all that a start or a stop waits for.
  onClose(keepAlive())
  const log = createLog(config['log-level'], worker?.number)
  const certificates = openCertificates(config, log, hooks)
  const folders = storeFolders(config)
  // The folders of workers are locked by their supervisor.
  if (worker === undefined) onClose(await lockStores(folders))
  const objects = await openObjects(config, folders, log, onClose)
  const applied = await definitionsOf(config, objects, hooks, worker)
  const definitions: DefinitionsSource = { current: applied.definitions }
  const online = await openOnline(config, folders, applied.definitions.registry.project, worker)
  onClose(() => online.close())
  await pairStores(online, await offlineStoreId(objects), objects.location)
  const offline = openOffline(config, folders, objects, applied.sourceDir, log, onClose)
  for (const view of applied.definitions.registry.views.values()) await offline.prepare(view)

  const serving = buildServing(config, definitions, online, offline, log)
  onClose(online.watch((changed) => serving.invalidate(changed)))
  const changes: RowChanges = {
    applied: (rows) => {
      for (const { key, row } of rows) serving.applied(key, row)
    },
    changed: (keys) => serving.invalidate(keys),
  }
  const statistics = buildStatistics(config, { definitions, offline, objects, log })
  const flush = (view: string, signal: AbortSignal | undefined) => archiver.flush(signal, [view])
  const plainSyncer = createSyncer({ online, offline, definitions, changes, clock, flush, ...syncerSlice(config) })
  const syncer = config['statistics-on-sync'] === 'on' ? describedAfterSync(plainSyncer, statistics) : plainSyncer
  const onTailLost = () => restoreOnline(syncer, log)
  const archiver = buildArchiver(config, { definitions, online, offline, objects, log }, onTailLost)
  onClose(() => statistics.stop())
  await archiver.start()
  onClose(() => archiver.stop(config['drain-timeout']))
  await syncer.restoreIfNew({
    signal: hooks.signal,
    onProgress: (view, { step, fraction }) => hooks.onSyncProgress(view, step, fraction),
  })
  if (worker?.definitions === undefined) {
    await syncer.settle({ signal: hooks.signal })
    await firstSync(config, syncer, hooks)
  }

  const writes = createWriteService({
    writer: createFeatureWriter({ online, archiver, changes }),
    definitions,
    clock,
    limits: writeLimits(config),
  })
  const calls = { grpc: new CallCounts(GRPC_CALLS), http: new CallCounts(HTTP_REQUESTS) }
  const stores = { definitions, online, offline, objects, archiver, syncer, statistics, log }
  const syncStates = buildSyncStates(config, stores)
  const parity = buildParity(config, stores)
  const s3 = () => objects.numbers?.()
  const repeated = buildRepeatedLines(config, log)
  const parts = { ...stores, serving, writes, syncStates, parity, worker, certificates, calls, s3, repeated }
  const handlers = buildHandlers(config, folders, applied, parts)
  const server = await buildGrpcServer(config, handlers, parts)
  const httpServer = await buildHttpServer(config, handlers, parts)
  const metrics = buildMetrics(config, parts, server)
  hooks.signal.throwIfAborted()
  const metricsAddress = await serveMetrics(config, parts, metrics, onClose)
  const address = await server.start()
  const edges = [server, httpServer]
  onClose(() => Promise.all(edges.map((edge) => edge?.drain(config['drain-timeout']))))
  const httpAddress = await httpServer?.start()
  const schedule = buildSchedule(config, scheduledTasks(config, parts), parts)
  schedule.start()
  onClose(() => schedule.stop())
  log.debug('serving', { address, fingerprint: applied.definitions.registry.fingerprint })
  const { project, fingerprint } = applied.definitions.registry
  return { address, httpAddress, metricsAddress, project, fingerprint, sourceDir: applied.sourceDir, stop: closeAll }
}

/** Starts workers that each start a server, and holds the folders of their stores until the last one has ended. */
export async function startSupervisor(
  config: Config,
  hooks: Pick<SupervisorOptions, 'onReady' | 'onEvent'>,
): Promise<Supervisor> {
  const folders = storeFolders(config)
  const unlock = await lockStores(folders)
  const supervisor = startWorkers({ ...supervisorSlice(config), clock, ...hooks })
  const flush = async () => {
    if (folders.online !== undefined) await flushLmdbStore(folders.online)
  }
  return { ...supervisor, ended: supervisor.ended.finally(flush).finally(unlock) }
}

/** `twinstore apply`: what changed, and the fingerprint of what is now current. */
export async function applyOnce(
  config: Config,
): Promise<{ readonly changes: readonly string[]; readonly fingerprint: string }> {
  if (config.definitions === '') {
    throw new TwinstoreError('INVALID_ARGUMENT', '--definitions is needed: the folder or file to apply')
  }
  return withObjects(config, async (objects) => {
    const { definitions, changes } = await definitionsOf(config, objects)
    return { changes, fingerprint: definitions.registry.fingerprint }
  })
}

/** `twinstore plan`: the views of the definitions that the options name, also of ones that `apply` refuses for their syncs. */
export async function plannedViews(config: Config): Promise<readonly DraftView[]> {
  if (config.definitions !== '') {
    return (await loadDefinitions(config.definitions, { syncIntervals: 'unchecked' })).draft.views
  }
  return withObjects(config, async (objects) => [
    ...(await definitionsOf(config, objects)).definitions.registry.views.values(),
  ])
}

async function firstSync(config: Config, syncer: Syncer, hooks: StartHooks): Promise<void> {
  const mode = config['sync-on-start']
  if (mode === 'never' || (mode === 'empty' && !(await syncer.needsFirstSync()))) return
  await syncer.sync('all', {
    signal: hooks.signal,
    onProgress: (view, { step, fraction }) => hooks.onSyncProgress(view, step, fraction),
    onResult: hooks.onSynced,
  })
}
