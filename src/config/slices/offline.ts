/** What the offline store gets of the configuration, under its own names: its engine, its tables with their upkeep, and S3. */
import type { Config } from '../option-table.ts'

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

export function tableSlice(config: Config) {
  return { commitAttemptsMax: config['commit-attempts-max'], logReadsMax: config['log-reads-max'] }
}

export function checkpointSlice(config: Config) {
  return { everyVersions: config['checkpoint-every'], tombstoneAgeMs: config['vacuum-age'] }
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
