/** What an online store gets of the configuration, under its own names. */
import type { Config } from '../option-table.ts'

export function lmdbSlice(config: Config) {
  return {
    ...onlineSlice(config),
    durability: config['lmdb-durability'],
    storeBytesMax: config['lmdb-bytes-max'],
  }
}

export function redisStoreSlice(config: Config) {
  return {
    ...onlineSlice(config),
    readTimeoutMs: config['fetch-timeout'],
    writeTimeoutMs: config['redis-write-timeout'],
    replicas: { count: config['redis-wait-replicas'], timeoutMs: config['redis-wait-timeout'] },
    pendingBytesMax: config['redis-pending-bytes-max'],
  }
}

function onlineSlice(config: Config) {
  return {
    shardCount: config['shard-count'],
    outboxRowsMax: config['outbox-rows-max'],
    outboxBytesMax: config['outbox-bytes-max'],
    writeIdRetentionSeconds: Math.floor(config['write-id-retention'] / 1000),
    writeIdsMax: config['write-ids-max'],
  }
}

export function redisLinkSlice(config: Config) {
  return {
    replicaReads: config['redis-read-from'] === 'replica' || config['hedge-after'] > 0,
    connectTimeoutMs: config['redis-connect-timeout'],
    heartbeatMs: config['redis-heartbeat'],
    silenceMaxMs: config['redis-silence-max'],
    topologyIntervalMs: config['redis-topology-interval'],
  }
}
