/** What each part of the server gets of the configuration, under that part's own names. */
import type { Config } from './option-table.ts'

export function lmdbSlice(config: Config) {
  return {
    ...onlineSlice(config),
    durability: config['lmdb-durability'],
    storeBytesMax: config['lmdb-bytes-max'],
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

export function engineSlice(config: Config) {
  const spillBytesMax = config['offline-spill-bytes-max']
  const sliceValuesMax = config['training-slice-values-max']
  return {
    shortLimits: { memoryBytes: config['offline-short-memory'], threads: 1, spillBytesMax, sliceValuesMax },
    longLimits: {
      memoryBytes: config['offline-memory'],
      threads: config['offline-threads'],
      spillBytesMax,
      sliceValuesMax,
    },
    shortJobsMax: config['offline-short-jobs-max'],
    lookUpJobsMax: config['look-up-jobs-max'],
    longJobsMax: config['offline-jobs-max'],
    longJobsNice: config['offline-nice'],
    queueMax: config['offline-queue-max'],
    cancelGraceMs: config['offline-cancel-grace'],
  }
}

export function offlineStoreSlice(config: Config) {
  return {
    spoolBytesMax: config['spool-bytes-max'],
    filesAtOnce: config['offline-files-at-once'],
    verifiedFilesMax: config['verified-files-max'],
    latestBatchRows: config['sync-seed-rows'],
  }
}

export function s3Slice(config: Config) {
  return {
    requests: {
      connectionsMax: config['s3-connections-max'],
      connectTimeoutMs: config['s3-connect-timeout'],
      requestTimeoutMs: config['s3-request-timeout'],
      attemptsMax: config['s3-attempts-max'],
      retryMinMs: config['s3-retry-min'],
      retryMaxMs: config['s3-retry-max'],
    },
    uploads: { partBytes: config['s3-part-bytes'], partsAtOnce: config['s3-parts-at-once'] },
    cache: { bytesMax: config['s3-cache-bytes'], filesMax: config['s3-cache-files-max'] },
    staleAgeMs: config['staging-stale-age'],
  }
}

export function tableSlice(config: Config) {
  return { commitAttemptsMax: config['commit-attempts-max'], logReadsMax: config['log-reads-max'] }
}

export function upkeepSlice(config: Config) {
  return {
    compaction: {
      targetBytes: config['compact-target-bytes'],
      filesMin: config['compact-files-min'],
      runBytesMax: config['compact-run-bytes-max'],
      batchFilesMax: config['compact-batch-files'],
    },
    vacuum: { ageMs: config['vacuum-age'], filesMax: config['vacuum-files-max'] },
  }
}

export function checkpointSlice(config: Config) {
  return { everyVersions: config['checkpoint-every'], tombstoneAgeMs: config['vacuum-age'] }
}

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

export function writeLimits(config: Config) {
  return {
    rowsMax: config['write-rows-max'],
    valueBytesMax: config['value-bytes-max'],
    rowBytesMax: config['row-bytes-max'],
    entityKeyBytesMax: config['entity-key-bytes-max'],
    eventAheadMsMax: config['event-time-ahead-max'],
    turnMsMax: config['write-turn-max'],
  }
}

export function archiverLimits(config: Config) {
  return {
    intervalMs: config['archive-interval'],
    batchRows: config['archive-batch-rows'],
    batchBytes: config['archive-batch-bytes'],
    shardsAtOnce: config['archive-shards-at-once'],
    viewsAtOnce: config['offline-short-jobs-max'],
    leaseMs: config['archive-lease'],
    retry: { minMs: config['archive-retry-min'], maxMs: config['archive-retry-max'] },
  }
}

export function scheduleSlice(config: Config) {
  return {
    runningMax: config['schedule-running-max'],
    lookEveryMs: config['schedule-look-interval'],
    retry: { minMs: config['schedule-retry-min'], maxMs: config['schedule-retry-max'] },
  }
}

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

export function parityLimits(config: Config) {
  const shardsAtOnce = config['archive-shards-at-once']
  // Shards that are read side by side share what the archiver may hold of the outbox, as its own passes do.
  const share = (limit: number) => Math.max(1, Math.floor(limit / shardsAtOnce))
  return {
    page: { rows: share(config['archive-batch-rows']), bytes: share(config['archive-batch-bytes']) },
    shardsAtOnce,
    keysMax: config['parity-keys-max'],
    suspectsMax: config['parity-suspects-max'],
    batchKeys: config['parity-batch-keys'],
    looksMax: config['parity-looks-max'],
    repairsMax: config['parity-repairs-max'],
    eventAheadMsMax: config['event-time-ahead-max'],
    turnMsMax: config['write-turn-max'],
  }
}

export function paritySettings(config: Config) {
  return {
    everyMs: config['parity-interval'],
    parts: config['parity-parts'],
    repair: config['parity-repair'] === 'yes',
    findingsMax: config['parity-findings-max'],
    faultsMax: config['parity-faults-max'],
    faultsPerMillionMax: config['parity-faults-per-million-max'],
  }
}

export function grpcLimits(config: Config) {
  return {
    messageBytesMax: config['grpc-message-bytes-max'],
    streamsMax: config['grpc-streams-max'],
    streamWindow: config['stream-window'],
    answerBuffersBytes: config['answer-buffers-bytes'],
    keepaliveTimeMs: config['grpc-keepalive-time'],
    keepaliveTimeoutMs: config['grpc-keepalive-timeout'],
    lean: leanLimits(config),
  }
}

function leanLimits(config: Config) {
  return {
    connectionsMax: config['grpc-connections-max'],
    incomingBytesMax: config['grpc-incoming-bytes-max'],
    tls: {
      certFile: config['grpc-tls-cert'],
      keyFile: config['grpc-tls-key'],
      clientCaFile: config['grpc-tls-client-ca'],
    },
    connection: {
      streamsMax: config['grpc-streams-max'],
      headerListBytesMax: config['http2-header-list-bytes-max'],
      blockBytesMax: config['http2-header-block-bytes-max'],
      continuationsMax: config['http2-continuations-max'],
      streamWindowBytes: config['http2-stream-window-bytes'],
      connectionWindowBytes: config['http2-connection-window-bytes'],
      outputBytesMax: config['http2-output-bytes-max'],
      queuedBytesMax: config['http2-queued-bytes-max'],
      resetsBurst: config['http2-resets-burst'],
      resetsPerSecond: config['http2-resets-per-second'],
      emptyFramesBurst: config['http2-empty-frames-burst'],
      emptyFramesPerSecond: config['http2-empty-frames-per-second'],
      times: {
        handshakeMs: config['http2-handshake-timeout'],
        frameMs: config['http2-frame-timeout'],
        stallMs: config['http2-stall-timeout'],
        keepaliveMs: config['grpc-keepalive-time'],
        keepaliveTimeoutMs: config['grpc-keepalive-timeout'],
        idleMs: config['grpc-idle-timeout'],
        ageMs: config['grpc-connection-age'],
        graceMs: config['grpc-connection-age-grace'],
      },
    },
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

export function syncerSlice(config: Config) {
  return { seedRows: config['sync-seed-rows'], passRows: config['sync-pass-rows'] }
}

export function statisticsSlice(config: Config) {
  return {
    windowMs: config['statistics-window'],
    topValuesMax: config['statistics-top-values'],
    exactRowsMax: config['statistics-exact-rows-max'],
    thresholds: { shifting: config['statistics-shifting'] / 100, drifted: config['statistics-drifted'] / 100 },
  }
}
