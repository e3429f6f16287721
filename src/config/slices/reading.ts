/** What the read path gets of the configuration, under its own names. */
import type { Config } from '../option-table.ts'

export function servingSlice(config: Config) {
  return {
    cache: {
      bytesMax: config['cache-bytes'],
      entriesMax: config['cache-entries'],
      ttlMs: config['cache-ttl'],
      staleIfErrorMs: config['cache-stale-if-error'],
    },
    fetch: {
      batchKeysMax: config['fetch-batch-max'],
      pendingKeysMax: config['fetch-pending-max'],
      timeoutMs: config['fetch-timeout'],
      hedgeAfterMs: config['hedge-after'],
      hedgeBudgetPercent: config['hedge-budget'],
      readFrom: config['redis-read-from'],
      replicaLagMaxMs: config['replica-lag-max'],
    },
    limits: {
      entitiesMax: config['entities-max'],
      featuresMax: config['features-max'],
      requestBytesMax: config['request-bytes-max'],
      responseBytesMax: config['response-bytes-max'],
      entityKeyBytesMax: config['entity-key-bytes-max'],
    },
    planCacheBytes: config['plan-cache-bytes'],
  }
}

export function lookUpSlice(config: Config) {
  return { jobsMax: config['look-up-jobs-max'], batchKeysMax: config['look-up-batch-max'] }
}
