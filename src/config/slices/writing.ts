/** What the write path gets of the configuration, under its own names: writes, the archiver, and syncs. */
import type { Config } from '../option-table.ts'

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

export function syncerSlice(config: Config) {
  return { seedRows: config['sync-seed-rows'], passRows: config['sync-pass-rows'] }
}
