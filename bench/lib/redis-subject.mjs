/**
 * The parts of a server that has its online store in Redis, in this process and without gRPC, each with the options it has
 * by default: what is measured is then the same work as a bare client's, in a process of the same kind.
 */
import { fileURLToPath } from 'node:url'
import { describe } from '../../dist/api/describe.js'
import { loadConfig } from '../../dist/config/load-config.js'
import { redisLinkSlice, redisStoreSlice } from '../../dist/config/slices/online.js'
import { writeLimits } from '../../dist/config/slices/writing.js'
import { applyDefinitions } from '../../dist/definitions/apply.js'
import { systemClock as clock } from '../../dist/lib/clock.js'
import { openFolderObjects } from '../../dist/offline/objects/folder-objects.js'
import { openRedisLink } from '../../dist/online/redis/connect/open-link.js'
import { shardKeys, valuePrefix } from '../../dist/online/redis/redis-keys.js'
import { openRedisStore } from '../../dist/online/redis/redis-store.js'
import { createWriteService } from '../../dist/writing/feature-write-service.js'
import { createFeatureWriter } from '../../dist/writing/feature-writer.js'
import { temporaryFolder } from './resources.mjs'
import { openServing } from './serving-alone.mjs'

/** Not that of the servers, whose archivers would work on the same outbox. */
export const PROJECT = 'bench'

/** `flags`: options that differ from their defaults. */
export async function openRedisSubject(defer, cluster, flags = {}) {
  const config = loadConfig({ flags, environment: {} })
  const definitions = { current: await definitionsIn(temporaryFolder(defer)) }
  const store = await openStore(config, cluster)
  defer(() => store.close())
  const serving = openServing({ definitions, store, flags })
  defer(store.watch((changed) => serving.invalidate(changed)))
  const writes = createWriteService({
    writer: createFeatureWriter({
      online: store,
      archiver: { accepted: () => {}, archived: () => Promise.reject(new Error('nothing is archived here')) },
      changes: {
        applied: (rows) => {
          for (const { key, row } of rows) serving.applied(key, row)
        },
        changed: (keys) => serving.invalidate(keys),
      },
    }),
    definitions,
    clock,
    limits: writeLimits(config),
  })
  return {
    store,
    serving,
    writes,
    description: describe(definitions.current.registry),
    shards: shardKeys(PROJECT, store.shardCount),
  }
}

async function definitionsIn(folder) {
  const nowMicros = clock.nowMicros()
  const objects = await openFolderObjects(folder, { nowMs: nowMicros / 1000, staleAgeMs: 3_600_000 })
  const path = fileURLToPath(new URL('../definitions/serving.ts', import.meta.url))
  const { definitions } = await applyDefinitions({ path, objects, project: PROJECT, nowMicros })
  return definitions
}

async function openStore(config, cluster) {
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
  const location = { kind: 'cluster', nodes, database: 0, tls: false }
  const trackedPrefix = valuePrefix(PROJECT)
  const link = await openRedisLink({ location, trackedPrefix, clock, ...redisLinkSlice(config) })
  return await openRedisStore({ link, project: PROJECT, ...redisStoreSlice(config) })
}
