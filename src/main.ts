/**
 * The only composition root: builds every part from the configuration, starts them in order, and stops them in reverse.
 *
 * Start: lock the data folder, apply the definitions, open the stores, start the archiver, sync what has no data yet,
 * listen. Stop: take no new calls and finish those under way, archive the outbox, close the stores, release the lock. A
 * start that fails midway, or is asked to stop, undoes what it had begun.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { createAdminHandlers } from './api/admin-handlers.ts'
import { createGrpcServer, type GrpcServer } from './api/grpc/server.ts'
import { statusName } from './api/grpc/status.ts'
import { createOfflineHandlers } from './api/offline-handlers.ts'
import type { Config } from './config/option-table.ts'
import { packageVersion } from './config/package-version.ts'
import { redisLocation } from './config/redis-location.ts'
import { s3Location } from './config/s3-location.ts'
import {
  adminApiSlice,
  archiverLimits,
  checkpointSlice,
  engineSlice,
  grpcLimits,
  lmdbSlice,
  lookUpSlice,
  offlineApiSlice,
  offlineStoreSlice,
  parityLimits,
  paritySettings,
  redisLinkSlice,
  redisStoreSlice,
  s3Slice,
  scheduleSlice,
  servingSlice,
  statisticsSlice,
  supervisorSlice,
  syncerSlice,
  tableSlice,
  upkeepSlice,
  writeLimits,
} from './config/slices.ts'
import { type StoreFolders, storeFolders } from './config/store-location.ts'
import { lockStores } from './config/store-locks.ts'
import { applyDefinitions } from './definitions/apply.ts'
import type { DraftView } from './definitions/check/draft.ts'
import { loadDefinitions } from './definitions/load/load.ts'
import { resolveFile, resolveSource } from './definitions/resolve-source.ts'
import { findEarlierView } from './definitions/stored/earlier-views.ts'
import { loadCurrent, loadSnapshot } from './definitions/stored/snapshots.ts'
import type { DefinitionsSource } from './domain/definitions-source.ts'
import { splitRowKey } from './domain/entity-key.ts'
import { TwinstoreError } from './domain/errors.ts'
import type { Definitions } from './domain/registry.ts'
import { systemClock as clock } from './lib/clock.ts'
import { keepAlive } from './lib/keep-alive.ts'
import { singleFlight } from './lib/single-flight.ts'
import { CallCounts } from './observe/call-counts.ts'
import { createLog, type Log } from './observe/log.ts'
import { createMetrics, type Metrics } from './observe/metrics.ts'
import { startMetricsEndpoint } from './observe/metrics-endpoint.ts'
import { registerParityMetrics } from './observe/parity-metrics.ts'
import { registerS3Metrics, type S3Numbers } from './observe/s3-metrics.ts'
import { registerServerMetrics } from './observe/server-metrics.ts'
import { registerStatisticsMetrics } from './observe/statistics-metrics.ts'
import { registerSyncMetrics } from './observe/sync-metrics.ts'
import { registerTableMetrics } from './observe/table-metrics.ts'
import { engineName } from './offline/duckdb/engine-name.ts'
import { createProcessEngine } from './offline/duckdb/process-engine.ts'
import { openFolderObjects } from './offline/objects/folder-objects.ts'
import type { ObjectStore } from './offline/objects/object-store.ts'
import type { OfflineStore } from './offline/offline-store.ts'
import { openDeltaOfflineStore } from './offline/store/delta-offline-store.ts'
import { offlineStoreId } from './offline/store/store-id.ts'
import { flushLmdbStore } from './online/lmdb/durability.ts'
import { openLmdbStore } from './online/lmdb/lmdb-store.ts'
import type { OnlineStore } from './online/online-store.ts'
import { openRedisLink } from './online/redis/connect/open-link.ts'
import { valuePrefix } from './online/redis/redis-keys.ts'
import { openRedisStore } from './online/redis/redis-store.ts'
import { createParityMonitor, type ParityMonitor } from './parity/parity-monitor.ts'
import { faultLog } from './serving/fault-log.ts'
import { createServing, type Serving } from './serving/serving.ts'
import { describedAfterSync } from './statistics/after-sync.ts'
import { openStatisticsDocuments } from './statistics/document-store.ts'
import { createStatistics, type Statistics } from './statistics/statistics.ts'
import { homeShard } from './upkeep/home-shard.ts'
import { createSchedule, type Schedule, type ScheduledTask } from './upkeep/schedule.ts'
import { tableTasks } from './upkeep/table-tasks.ts'
import type { ServedDefinitions } from './workers/messages.ts'
import { type ChangeChannel, sharedWatch } from './workers/shared-watch.ts'
import { type Supervisor, type SupervisorOptions, startWorkers } from './workers/supervisor.ts'
import { type Archiver, createArchiver } from './writing/archiver.ts'
import { createWriteService } from './writing/feature-write-service.ts'
import { createFeatureWriter } from './writing/feature-writer.ts'
import { limitTasks } from './writing/limit-tasks.ts'
import { isSynced } from './writing/online-seed.ts'
import type { RowChanges } from './writing/row-changes.ts'
import { pairStores } from './writing/store-pairing.ts'
import { syncStates as readSyncStates, type SyncState } from './writing/sync-states.ts'
import { syncTasks } from './writing/sync-tasks.ts'
import { createSyncer, type Syncer, type ViewSyncResult } from './writing/syncer.ts'
import type { WriteService } from './writing/write-service.ts'

export interface StartHooks {
  /** Aborts a start that is under way. */
  readonly signal: AbortSignal
  /** What applying the definitions changed, in lines for people. */
  onApplied(changes: readonly string[]): void
  onSyncProgress(view: string, step: string, fraction: number | undefined): void
  onSynced(result: ViewSyncResult): void
}

export interface RunningServer {
  /** With the real port. */
  readonly address: string
  /** Of `/metrics`, with the real port; undefined if they are not served. */
  readonly metricsAddress: string | undefined
  readonly project: string
  readonly fingerprint: string
  /** What relative paths of source files start from. */
  readonly sourceDir: string
  /** Drains and closes everything; resolves within about twice `drain-timeout`. */
  stop(): Promise<void>
}

/** What a server has to know that is one of several workers. See `startSupervisor`. */
export interface ServerAsWorker {
  readonly number: number
  /** What another worker has applied; undefined for the one that applies definitions and syncs. */
  readonly definitions: ServedDefinitions | undefined
  readonly changes: ChangeChannel
  /** The supervisor listens; called once, with what takes the connections it hands over. */
  connections(accept: (connection: Duplex) => void): void
}

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
  const calls = new CallCounts()
  const stores = { definitions, online, offline, objects, archiver, syncer, statistics, log }
  const syncStates = buildSyncStates(config, stores)
  const parity = buildParity(config, stores)
  const s3 = () => objects.numbers?.()
  const parts = { ...stores, serving, writes, syncStates, parity, worker, calls, s3 }
  const server = buildGrpcServer(config, folders, applied, parts)
  const metrics = buildMetrics(config, parts)
  hooks.signal.throwIfAborted()
  const metricsAddress = await serveMetrics(config, parts, metrics, onClose)
  const address = await server.start()
  onClose(() => server.drain(config['drain-timeout']))
  const schedule = buildSchedule(config, scheduledTasks(config, parts), parts)
  schedule.start()
  onClose(() => schedule.stop())
  log.debug('serving', { address, fingerprint: applied.definitions.registry.fingerprint })
  const { project, fingerprint } = applied.definitions.registry
  return { address, metricsAddress, project, fingerprint, sourceDir: applied.sourceDir, stop: closeAll }
}

async function openObjects(
  config: Config,
  folders: StoreFolders,
  log: Log,
  onClose: (close: () => Promise<unknown>) => void,
): Promise<ObjectStore & { readonly numbers?: () => S3Numbers }> {
  const location = s3Location(config)
  if (location === undefined) {
    const nowMs = clock.nowMicros() / 1000
    return openFolderObjects(folders.offline!, { nowMs, staleAgeMs: config['staging-stale-age'] })
  }
  // The SDK's word on future versions of it is for us, who choose the version, and not for those who run this one.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
  // It takes a tenth of a second to load, which those with a folder need not wait for.
  const { openS3Objects } = await import('./offline/objects/s3/open-s3-objects.ts')
  const onFault = (error: unknown) => log.warn('unfinished uploads of killed processes were not looked for', { error })
  const options = { location, clock, random: Math.random, onFault, cacheDir: folders.cache, ...s3Slice(config) }
  const objects = await openS3Objects(options)
  onClose(() => objects.close())
  return objects
}

interface AppliedDefinitions {
  readonly definitions: Definitions
  readonly changes: readonly string[]
  /** What relative paths of source files start from. */
  readonly sourceDir: string
  readonly bundleFile?: string
}

/** Those that the other workers serve; else the definitions that the options name, applied; or those applied last. */
async function definitionsOf(
  config: Config,
  objects: ObjectStore,
  hooks?: StartHooks,
  worker?: ServerAsWorker,
): Promise<AppliedDefinitions> {
  if (worker?.definitions !== undefined) {
    const { fingerprint, sourceDir } = worker.definitions
    return { ...(await loadSnapshot(objects, fingerprint)), changes: [], sourceDir }
  }
  const path = config.definitions
  if (path !== '') {
    const nowMicros = clock.nowMicros()
    const applied = await applyDefinitions({ path, objects, project: config.project, nowMicros })
    hooks?.onApplied(applied.changes)
    return { ...applied, sourceDir: config['source-dir'] || applied.definitionsDir }
  }
  const stored = await loadCurrent(objects)
  if (stored !== undefined) return { ...stored, changes: [], sourceDir: config['source-dir'] || process.cwd() }
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    `no definitions were ever applied to ${objects.location}; give a folder with --definitions`,
  )
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

async function withObjects<T>(config: Config, work: (objects: ObjectStore) => Promise<T>): Promise<T> {
  let close: () => Promise<unknown> = async () => undefined
  const objects = await openObjects(config, storeFolders(config), createLog(config['log-level']), (opened) => {
    close = opened
  })
  try {
    return await work(objects)
  } finally {
    await close()
  }
}

async function openOnline(
  config: Config,
  folders: StoreFolders,
  project: string,
  worker: ServerAsWorker | undefined,
): Promise<OnlineStore> {
  const location = redisLocation(config)
  if (location === undefined) return await openLmdb(config, folders.online!, worker)
  const trackedPrefix = valuePrefix(project)
  const link = await openRedisLink({ location, trackedPrefix, clock, ...redisLinkSlice(config) })
  try {
    return await openRedisStore({ link, project, ...redisStoreSlice(config) })
  } catch (error) {
    await link.close()
    throw error
  }
}

async function openLmdb(config: Config, dir: string, worker: ServerAsWorker | undefined): Promise<OnlineStore> {
  const shared = worker !== undefined
  const store = await openLmdbStore({ dir, shared, clock, ...lmdbSlice(config) })
  return shared ? sharedWatch(store, worker.changes) : store
}

function openOffline(
  config: Config,
  folders: StoreFolders,
  objects: ObjectStore,
  sourceDir: string,
  log: Log,
  onClose: (close: () => Promise<unknown>) => void,
): OfflineStore {
  const module = new URL('./offline/duckdb/job-process.js', import.meta.url)
  const spillDir = join(folders.work, 'spill')
  const engine = createProcessEngine({ module, spillDir, ...engineSlice(config) }, clock)
  onClose(() => engine.close())
  const offline = openDeltaOfflineStore({
    objects,
    engine,
    engineName: engineName(),
    resolveSource: (view) => resolveSource(view.source!, sourceDir),
    table: { clock, engineInfo: `Twinstore/${packageVersion()}`, ...tableSlice(config) },
    checkpoints: {
      ...checkpointSlice(config),
      onFault: (error) =>
        log.warn('a checkpoint of a table was not written or not read; its log does without', { error }),
    },
    spoolDir: join(folders.work, 'spool'),
    ...offlineStoreSlice(config),
  })
  onClose(() => offline.close())
  return offline
}

function buildServing(
  config: Config,
  definitions: DefinitionsSource,
  online: OnlineStore,
  offline: OfflineStore,
  log: Log,
): Serving {
  return createServing({
    definitions,
    store: online,
    clock,
    ...servingSlice(config),
    lookUps: {
      ...lookUpSlice(config),
      lookUp: (view, keys, signal) => {
        const entities = keys.map((key) => splitRowKey(key).entityKey)
        return offline.lookUp(view, entities, { signal })
      },
    },
    onFault: faultLog(clock, config['log-faults-max'], ({ error, ...fault }, leftOut) =>
      log.warn('slots of an answer are degraded', { ...fault, leftOut, error }),
    ),
  })
}

interface ArchiverNeeds {
  readonly definitions: DefinitionsSource
  readonly online: OnlineStore
  readonly offline: OfflineStore
  readonly objects: ObjectStore
  readonly log: Log
}

function buildArchiver(
  config: Config,
  { definitions, online, offline, objects, log }: ArchiverNeeds,
  onTailLost: () => void,
): Archiver {
  return createArchiver({
    owner: randomUUID(),
    online,
    offline,
    definitions,
    clock,
    random: Math.random,
    limits: archiverLimits(config),
    earlierViews: (storageId) => findEarlierView(objects, storageId),
    setAside: ({ storeId, shard, position, key, row, fault }) => {
      const kept = { storeId, shard, position, keyHex: Buffer.from(key, 'latin1').toString('hex') }
      const text = JSON.stringify({ ...kept, rowBase64: row.toString('base64'), fault: fault.message })
      return objects.put(`set-aside/${storeId}/${shard}-${position}.json`, Buffer.from(text))
    },
    onFault: (error) => log.error('the archiver reports a fault', { error }),
    onTailLost,
  })
}

function buildStatistics(
  config: Config,
  { definitions, offline, objects, log }: Omit<ArchiverNeeds, 'online'>,
): Statistics {
  return createStatistics({
    offline,
    documents: openStatisticsDocuments(objects, config['statistics-kept-max']),
    definitions,
    clock,
    ...statisticsSlice(config),
    onFault: (view, error) => log.warn('the features of a view could not be described', { view, error }),
  })
}

/** Goes on beside serving: every row it brings is one that was missing. */
function restoreOnline(syncer: Syncer, log: Log): void {
  syncer.restore().then(
    (views) => log.warn('archived rows that the online store had lost are back', { views }),
    (error: unknown) => log.error('archived rows that the online store lost are not all back', { error }),
  )
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

function buildParity(config: Config, { definitions, online, offline, log }: ArchiverNeeds): ParityMonitor {
  return createParityMonitor({
    definitions,
    online,
    offline,
    // A view whose rows are all written has nothing that a sync could owe.
    isSynced: async (view) =>
      (await offline.status(view)).syncPosition === 0 || (await isSynced({ online, offline }, view)),
    clock,
    limits: parityLimits(config),
    settings: paritySettings(config),
    onProblem: (problem, { counts }) => log.warn(problem, { counts }),
  })
}

/** What repeats by itself; each task is built beside the part whose work it does. */
function scheduledTasks(config: Config, parts: ServerParts): readonly ScheduledTask[] {
  const syncs = config['sync-schedule'] === 'on' ? syncTasks({ ...parts, clock }) : []
  const limits = limitTasks({ ...parts, everyMs: config['keep-online-interval'] })
  return [...syncs, ...limits, ...upkeepTasks(config, parts), ...parts.parity.tasks()]
}

function upkeepTasks(config: Config, { definitions, offline, log }: ServerParts): readonly ScheduledTask[] {
  return tableTasks({
    views: definitions.current.registry.views.values(),
    offline,
    compactEveryMs: config['compact-interval'],
    vacuumEveryMs: config['vacuum-interval'],
    ...upkeepSlice(config),
    onCompacted: (result) => log.info('small files of a table were rewritten', { ...result }),
    onVacuumed: (result) => log.info('old files of a table were deleted', { ...result }),
  })
}

/** Of several instances the one that archives the view's home shard does its scheduled work. */
function runsSchedule({ definitions, online, archiver }: Pick<ServerParts, 'definitions' | 'online' | 'archiver'>) {
  return (name: string): boolean => {
    const view = definitions.current.registry.views.get(name)
    return view !== undefined && archiver.holds(homeShard(view, online.shardCount))
  }
}

function buildSyncStates(
  config: Config,
  parts: Pick<ServerParts, keyof ArchiverNeeds | 'archiver' | 'syncer'>,
): () => Promise<readonly SyncState[]> {
  const isHere = runsSchedule(parts)
  const isScheduledHere = (view: string) => config['sync-schedule'] === 'on' && isHere(view)
  return singleFlight(() => readSyncStates({ ...parts, clock, isScheduledHere }))
}

function buildSchedule(config: Config, tasks: readonly ScheduledTask[], parts: ServerParts): Schedule {
  return createSchedule({
    tasks,
    clock,
    random: Math.random,
    isMine: runsSchedule(parts),
    ...scheduleSlice(config),
    onFault: (task, error) =>
      parts.log.error('a scheduled task failed and will be tried again', { task: task.name, error }),
  })
}

interface ServerParts extends ArchiverNeeds {
  readonly serving: Serving
  readonly writes: WriteService
  readonly archiver: Archiver
  readonly syncer: Syncer
  readonly statistics: Statistics
  readonly syncStates: () => Promise<readonly SyncState[]>
  readonly parity: ParityMonitor
  readonly worker: ServerAsWorker | undefined
  readonly calls: CallCounts
  /** Undefined: the offline store is not in S3. */
  readonly s3: () => S3Numbers | undefined
}

function buildGrpcServer(
  config: Config,
  folders: StoreFolders,
  applied: AppliedDefinitions,
  parts: ServerParts,
): GrpcServer {
  const { definitions, online, offline, objects, serving, archiver, syncer, log } = parts
  return createGrpcServer({
    address: config.grpc,
    connections: parts.worker?.connections,
    clock,
    serving,
    writes: parts.writes,
    offline: createOfflineHandlers({
      definitions,
      offline,
      archiver,
      snapshots: { load: (fingerprint) => loadSnapshot(objects, fingerprint) },
      resolveSourceFile: (file) => resolveFile(file, applied.sourceDir),
      spoolDir: join(folders.work, 'spool'),
      bundleFile: () => applied.bundleFile,
      settings: { clock, ...offlineApiSlice(config) },
    }),
    admin: createAdminHandlers({
      definitions,
      offline,
      online,
      archiver,
      syncer,
      statistics: parts.statistics,
      syncStates: parts.syncStates,
      parity: parts.parity,
      cache: () => {
        const { cacheEntries: entries, cacheBytes: bytes, hits, misses } = serving.stats()
        return { entries, bytes, bytesMax: config['cache-bytes'], hits, misses }
      },
      clock,
      version: packageVersion(),
      settings: adminApiSlice(config),
    }),
    limits: grpcLimits(config),
    onError: (error) => log.error('a call failed', { error }),
    onEnded: (method, code, durationMs) => parts.calls.ended(method, code, durationMs),
  })
}

/** Every part's numbers; registering costs nothing until somebody scrapes. */
function buildMetrics(config: Config, parts: ServerParts): Metrics {
  const { definitions, online, offline, serving, archiver, calls, log } = parts
  const metrics = createMetrics((name, error) => log.warn('a metric could not be read', { name, error }))
  const startedMs = clock.monotonicMs()
  registerServerMetrics(metrics, {
    version: packageVersion(),
    fingerprint: () => definitions.current.registry.fingerprint,
    uptimeSeconds: () => (clock.monotonicMs() - startedMs) / 1000,
    serving: () => serving.stats(),
    outboxDepth: () => online.outboxDepth(),
    archiver: () => archiver.status(),
    limits: {
      cacheBytes: config['cache-bytes'],
      outboxRows: config['outbox-rows-max'],
      outboxBytes: config['outbox-bytes-max'],
    },
  })
  calls.register(metrics, statusName)
  registerParityMetrics(metrics, () => parts.parity.numbers())
  registerS3Metrics(metrics, parts.s3)
  registerStatisticsMetrics(metrics, () => parts.statistics.last())
  const views = () => [...definitions.current.registry.views.values()]
  registerTableMetrics(metrics, () => Promise.all(views().map((view) => offline.status(view))))
  registerSyncMetrics(metrics, { counts: () => parts.syncer.counts(), states: parts.syncStates })
  return metrics
}

/** Of several workers, each has its own numbers and so its own port: worker 1 the one that is given, the others those after it. */
async function serveMetrics(
  config: Config,
  { online, offline, worker }: ServerParts,
  metrics: Metrics,
  onClose: (close: () => Promise<unknown>) => void,
): Promise<string | undefined> {
  if (config.metrics === '') return undefined
  metrics.process()
  const endpoint = await startMetricsEndpoint({
    address: addressOfWorker(config.metrics, worker?.number ?? 1),
    text: () => metrics.text(),
    health: () => Promise.all([online.health(), offline.health()]),
    timeoutMs: config['metrics-timeout'],
    clock,
  })
  onClose(() => endpoint.close())
  return endpoint.address
}

function addressOfWorker(address: string, number: number): string {
  const at = address.lastIndexOf(':')
  const port = Number(address.slice(at + 1))
  return port === 0 ? address : `${address.slice(0, at)}:${port + number - 1}`
}
