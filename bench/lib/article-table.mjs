/**
 * A table of a realistic view, made by the sync job through the offline store: one row an article and day, sorted, typed and laid
 * out as a server's tables are.
 */
import { join } from 'node:path'
import { systemClock } from '../../dist/lib/clock.js'
import { createProcessEngine } from '../../dist/offline/duckdb/process-engine.js'
import { openFolderObjects } from '../../dist/offline/objects/folder-objects.js'
import { openDeltaOfflineStore } from '../../dist/offline/store/delta-offline-store.js'

export const MiB = 1024 ** 2
export const ARTICLES = 50_000

const feature = (name, kind) => ({ name, type: { kind } })
const FEATURES = [
  feature('on_hand', 'int64'),
  feature('on_order', 'int64'),
  feature('price', 'double'),
  feature('demand_7d', 'double'),
  feature('demand_28d', 'double'),
  feature('demand_deviation', 'double'),
  feature('lead_time_days', 'double'),
  feature('promoted', 'bool'),
  feature('supplier', 'string'),
]

/** One row an article and day. Demands are means of what was sold, so that they have as many digits as real ones. */
const sourceSql = (rows) => `
  SELECT 'article-' || lpad((i % ${ARTICLES})::VARCHAR, 6, '0') AS article,
    TIMESTAMPTZ '2023-01-01' + to_days((i // ${ARTICLES})::INTEGER) AS event_timestamp,
    (hash(i) % 500)::BIGINT AS on_hand, (hash(i, 1) % 50)::BIGINT * 12 AS on_order,
    round(1 + (hash(i % ${ARTICLES}, 2) % 20000) / 100.0 + (hash(i, 2) % 3) / 10.0, 2)::DOUBLE AS price,
    (hash(i, 3) % 4000) / 7.0::DOUBLE AS demand_7d, (hash(i, 4) % 16000) / 28.0::DOUBLE AS demand_28d,
    sqrt(hash(i, 5) % 1000003)::DOUBLE AS demand_deviation, (2 + hash(i % ${ARTICLES}, 6) % 30)::DOUBLE AS lead_time_days,
    hash(i, 7) % 20 = 0 AS promoted, 'supplier-' || (hash(i % ${ARTICLES}, 8) % 300)::VARCHAR AS supplier
  FROM range(${rows}) AS r(i)`

export const articleView = (partitionBy = 'month') => ({
  name: 'article_daily',
  version: 1,
  entities: ['article'],
  joinKeys: [{ name: 'article', type: 'string' }],
  features: FEATURES,
  schemaId: 1,
  schemaFeatureCounts: [FEATURES.length],
  onStale: 'serve',
  partitionBy,
  online: true,
  source: { sql: '', files: [] },
})

/** With the memory and threads that the server gives its jobs. */
export function engineIn(dir) {
  const limits = { spillBytesMax: 64 * 1024 * MiB, sliceValuesMax: 16_000_000 }
  return createProcessEngine(
    {
      module: new URL('../../dist/offline/duckdb/job-process.js', import.meta.url),
      hostModule: new URL('../../dist/offline/duckdb/job-host.js', import.meta.url),
      spillDir: join(dir, 'spill'),
      shortLimits: { ...limits, memoryBytes: 256 * MiB, threads: 1 },
      longLimits: { ...limits, memoryBytes: 1024 * MiB, threads: 2 },
      longJobsNice: 0,
      shortJobsMax: 1,
      longJobsMax: 1,
      queueMax: 8,
      cancelGraceMs: 2000,
    },
    systemClock,
  )
}

export async function articleStore(dir, engine, rows) {
  return openDeltaOfflineStore({
    objects: await openFolderObjects(join(dir, 'offline')),
    engine,
    engineName: 'bench',
    resolveSource: async () => sourceSql(rows),
    table: { clock: systemClock, engineInfo: 'Twinstore/bench', commitAttemptsMax: 10, logReadsMax: 8 },
    spoolDir: join(dir, 'spool'),
    spoolBytesMax: 1024 * MiB,
    filesAtOnce: 8,
    verifiedFilesMax: 100_000,
    latestBatchRows: 1000,
  })
}
