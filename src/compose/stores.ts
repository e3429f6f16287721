/** The two stores, with the adapters that the configuration names. */
import { join } from 'node:path'
import type { Config } from '../config/option-table.ts'
import { packageVersion } from '../config/package-version.ts'
import { redisLocation } from '../config/redis-location.ts'
import { checkpointSlice, engineSlice, offlineStoreSlice, tableSlice } from '../config/slices/offline.ts'
import { lmdbSlice, redisLinkSlice, redisStoreSlice } from '../config/slices/online.ts'
import type { StoreFolders } from '../config/store-location.ts'
import { resolveSource } from '../definitions/resolve-source.ts'
import { systemClock as clock } from '../lib/clock.ts'
import type { Log } from '../observe/log.ts'
import { engineName } from '../offline/duckdb/engine-name.ts'
import { createProcessEngine } from '../offline/duckdb/process-engine.ts'
import type { ObjectStore } from '../offline/objects/object-store.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import { openDeltaOfflineStore } from '../offline/store/delta-offline-store.ts'
import { openLmdbStore } from '../online/lmdb/lmdb-store.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { valuePrefix } from '../online/redis/redis-keys.ts'
import { openRedisStore } from '../online/redis/redis-store.ts'
import { sharedWatch } from '../workers/shared-watch.ts'
import type { ServerAsWorker } from './start.ts'

export async function openOnline(
  config: Config,
  folders: StoreFolders,
  project: string,
  worker: ServerAsWorker | undefined,
): Promise<OnlineStore> {
  const location = redisLocation(config)
  if (location === undefined) return await openLmdb(config, folders.online!, worker)
  const trackedPrefix = valuePrefix(project)
  // With its vendor's package it takes a while to load, which those with an embedded store need not wait for.
  const { openRedisLink } = await import('../online/redis/connect/open-link.ts')
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

export function openOffline(
  config: Config,
  folders: StoreFolders,
  objects: ObjectStore,
  sourceDir: string,
  log: Log,
  onClose: (close: () => Promise<unknown>) => void,
): OfflineStore {
  const module = new URL('../offline/duckdb/job-process.js', import.meta.url)
  const hostModule = new URL('../offline/duckdb/job-host.js', import.meta.url)
  const spillDir = join(folders.work, 'spill')
  const engine = createProcessEngine({ module, hostModule, spillDir, ...engineSlice(config) }, clock)
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
