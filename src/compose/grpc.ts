/** The gRPC edge over the parts of a server. */
import { join } from 'node:path'
import { createAdminHandlers } from '../api/admin-handlers.ts'
import { createGrpcServer, type GrpcServer } from '../api/grpc/server.ts'
import { createOfflineHandlers } from '../api/offline-handlers.ts'
import type { Config } from '../config/option-table.ts'
import { packageVersion } from '../config/package-version.ts'
import { adminApiSlice, grpcLimits, offlineApiSlice } from '../config/slices.ts'
import type { StoreFolders } from '../config/store-location.ts'
import { resolveFile } from '../definitions/resolve-source.ts'
import { loadSnapshot } from '../definitions/stored/snapshots.ts'
import { systemClock as clock } from '../lib/clock.ts'
import type { AppliedDefinitions } from './definitions.ts'
import type { ServerParts } from './parts.ts'

export function buildGrpcServer(
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
