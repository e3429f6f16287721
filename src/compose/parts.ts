/** The parts between the stores and the edges. */
import { randomUUID } from 'node:crypto'
import type { Config } from '../config/option-table.ts'
import { parityLimits, paritySettings, statisticsSlice } from '../config/slices/background.ts'
import { lookUpSlice, servingSlice } from '../config/slices/reading.ts'
import { archiverLimits } from '../config/slices/writing.ts'
import { findEarlierView } from '../definitions/stored/earlier-views.ts'
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { splitRowKey } from '../domain/entity-key.ts'
import { systemClock as clock } from '../lib/clock.ts'
import { singleFlight } from '../lib/single-flight.ts'
import type { CallCounts } from '../observe/call-counts.ts'
import type { Log } from '../observe/log.ts'
import { repeatedLines, type WriteLine } from '../observe/repeated-lines.ts'
import type { S3Numbers } from '../observe/s3-metrics.ts'
import type { ObjectStore } from '../offline/objects/object-store.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { createParityMonitor, type ParityMonitor } from '../parity/parity-monitor.ts'
import { faultLog } from '../serving/fault-log.ts'
import { createServing, type Serving } from '../serving/serving.ts'
import { openStatisticsDocuments } from '../statistics/document-store.ts'
import { createStatistics, type Statistics } from '../statistics/statistics.ts'
import { homeShard } from '../upkeep/home-shard.ts'
import type { Archiver } from '../writing/archiver.ts'
import { isSynced } from '../writing/online-seed.ts'
import { createArchiver } from '../writing/outbox-archiver.ts'
import { syncStates as readSyncStates, type SyncState } from '../writing/sync-states.ts'
import type { Syncer } from '../writing/syncer.ts'
import type { WriteService } from '../writing/write-service.ts'
import type { Certificates } from './certificates.ts'
import type { ServerAsWorker } from './start.ts'

/** What everything works on. */
export interface Stores {
  readonly definitions: DefinitionsSource
  readonly online: OnlineStore
  readonly offline: OfflineStore
  readonly objects: ObjectStore
  readonly log: Log
}

/** What the edges count. */
export interface EdgeCalls {
  readonly grpc: CallCounts
  readonly http: CallCounts
}

/** Everything the edges show. */
export interface ServerParts extends Stores {
  readonly serving: Serving
  readonly writes: WriteService
  readonly archiver: Archiver
  readonly syncer: Syncer
  readonly statistics: Statistics
  readonly syncStates: () => Promise<readonly SyncState[]>
  readonly parity: ParityMonitor
  readonly worker: ServerAsWorker | undefined
  readonly certificates: Certificates
  readonly calls: EdgeCalls
  /** For log lines that clients cause. */
  readonly repeated: WriteLine
  /** Undefined: the offline store is not in S3. */
  readonly s3: () => S3Numbers | undefined
}

export function buildRepeatedLines(config: Config, log: Log): WriteLine {
  const limits = { linesMax: config['log-repeats-max'], intervalMs: config['log-repeats-interval'] }
  return repeatedLines(clock, limits, (what, more) =>
    log.warn(`${what}, ${more} times more`, { intervalSeconds: limits.intervalMs / 1000 }),
  )
}

export function buildServing(
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

export function buildArchiver(
  config: Config,
  { definitions, online, offline, objects, log }: Stores,
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

export function buildStatistics(
  config: Config,
  { definitions, offline, objects, log }: Omit<Stores, 'online'>,
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
export function restoreOnline(syncer: Syncer, log: Log): void {
  syncer.restore().then(
    (views) => log.warn('archived rows that the online store had lost are back', { views }),
    (error: unknown) => log.error('archived rows that the online store lost are not all back', { error }),
  )
}

export function buildParity(config: Config, { definitions, online, offline, log }: Stores): ParityMonitor {
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

/** Of several instances the one that archives the view's home shard does its scheduled work. */
export function runsSchedule({
  definitions,
  online,
  archiver,
}: Pick<ServerParts, 'definitions' | 'online' | 'archiver'>) {
  return (name: string): boolean => {
    const view = definitions.current.registry.views.get(name)
    return view !== undefined && archiver.holds(homeShard(view, online.shardCount))
  }
}

export function buildSyncStates(
  config: Config,
  parts: Pick<ServerParts, keyof Stores | 'archiver' | 'syncer'>,
): () => Promise<readonly SyncState[]> {
  const isHere = runsSchedule(parts)
  const isScheduledHere = (view: string) => config['sync-schedule'] === 'on' && isHere(view)
  return singleFlight(() => readSyncStates({ ...parts, clock, isScheduledHere }))
}
