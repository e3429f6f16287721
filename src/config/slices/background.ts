/** What work beside requests gets of the configuration, under its own names: parity, statistics, and what repeats. */
import type { Config } from '../option-table.ts'

export function scheduleSlice(config: Config) {
  return {
    runningMax: config['schedule-running-max'],
    lookEveryMs: config['schedule-look-interval'],
    retry: { minMs: config['schedule-retry-min'], maxMs: config['schedule-retry-max'] },
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

export function statisticsSlice(config: Config) {
  return {
    windowMs: config['statistics-window'],
    topValuesMax: config['statistics-top-values'],
    exactRowsMax: config['statistics-exact-rows-max'],
    thresholds: { shifting: config['statistics-shifting'] / 100, drifted: config['statistics-drifted'] / 100 },
  }
}
