/** What both edges call: handlers without a transport. Made once, so that a download that broke off goes on through either. */
import { join } from 'node:path'
import { type AdminHandlers, createAdminHandlers } from '../api/admin-handlers.ts'
import { createOfflineHandlers, type OfflineHandlers } from '../api/offline-handlers.ts'
import type { Config } from '../config/option-table.ts'
import { packageVersion } from '../config/package-version.ts'
import { adminApiSlice, offlineApiSlice } from '../config/slices/edges.ts'
import type { StoreFolders } from '../config/store-location.ts'
import { resolveFile } from '../definitions/resolve-source.ts'
import { loadSnapshot } from '../definitions/stored/snapshots.ts'
import { systemClock as clock } from '../lib/clock.ts'
import type { AppliedDefinitions } from './definitions.ts'
import type { ServerParts } from './parts.ts'

export interface Handlers {
  readonly offline: OfflineHandlers
  readonly admin: AdminHandlers
}

export function buildHandlers(
  config: Config,
  folders: StoreFolders,
  applied: AppliedDefinitions,
  parts: ServerParts,
): Handlers {
  const { definitions, online, offline, objects, serving, archiver, syncer } = parts
  return {
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
        const { cacheEntries: entries, cacheBytes: bytes, hits, misses, invalidations } = serving.stats()
        return { entries, bytes, bytesMax: config['cache-bytes'], hits, misses, invalidations }
      },
      clock,
      version: packageVersion(),
      settings: adminApiSlice(config),
    }),
  }
}
