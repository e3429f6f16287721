/** What the edges get of the configuration, under their own names: the services, HTTP, and the processes that share an address. */
import type { Config } from '../option-table.ts'
import { upkeepSlice } from './offline.ts'

export function offlineApiSlice(config: Config) {
  return {
    chunkBytes: config['chunk-bytes'],
    progressIntervalMs: config['progress-interval'],
    spineBytesMax: config['spine-bytes-max'],
    historyRowsMax: config['history-rows-max'],
    exportEntitiesMax: config['export-entities-max'],
    datasetKeepMs: config['dataset-keep'],
    datasetKeepBytesMax: Math.min(config['dataset-keep-bytes-max'], config['spool-bytes-max']),
  }
}

export function adminApiSlice(config: Config) {
  return {
    outboxRowsMax: config['outbox-rows-max'],
    outboxBytesMax: config['outbox-bytes-max'],
    progressIntervalMs: config['progress-interval'],
    upkeep: upkeepSlice(config),
  }
}

export function httpSlice(config: Config) {
  return {
    limits: {
      bodyBytesMax: config['http-body-bytes-max'],
      headBytesMax: config['http-head-bytes-max'],
      connectionsMax: config['http-connections-max'],
      headTimeoutMs: config['http-head-timeout'],
      requestTimeoutMs: config['http-request-timeout'],
      keepAliveMs: config['http-keep-alive'],
      stallTimeoutMs: config['http-stall-timeout'],
    },
    selections: { bytesMax: config['http-selection-cache-bytes'], featuresMax: config['features-max'] },
    answerBytesMax: config['http-answer-bytes-max'],
  }
}

export function supervisorSlice(config: Config) {
  return {
    workers: config.workers,
    addresses: { grpc: config.grpc, ...(config.http === '' ? {} : { http: config.http }) },
    restartsMax: config['worker-restarts-max'],
    changedKeysMax: config['worker-changes-max'],
    untakenMax: config['worker-accepts-max'],
  }
}
