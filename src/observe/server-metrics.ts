/** What a server says of itself, its cache, the online store's reads, the outbox and the archiver. */
import { singleFlight } from '../lib/single-flight.ts'
import type { MetricSpec, Metrics } from './metrics.ts'

export interface ServerNumbers {
  readonly version: string
  readonly fingerprint: () => string
  readonly uptimeSeconds: () => number
  readonly serving: () => {
    readonly hits: number
    readonly misses: number
    readonly staleServed: number
    readonly invalidations: number
    readonly cacheEntries: number
    readonly cacheBytes: number
    readonly batches: number
    readonly fetchedKeys: number
    readonly joinedKeys: number
    readonly unavailableKeys: number
    readonly hedges: number
    readonly hedgedKeys: number
    readonly lookUps: number
    readonly lookedUpKeys: number
    readonly foundKeys: number
    readonly refusedKeys: number
    readonly failedKeys: number
  }
  readonly outboxDepth: () => Promise<{ readonly rows: number; readonly bytes: number }>
  readonly archiver: () => {
    readonly failures: number
    readonly blocked: readonly unknown[]
    readonly unreachable: readonly unknown[]
    readonly rowsSetAside: number
  }
  readonly limits: { readonly cacheBytes: number; readonly outboxRows: number; readonly outboxBytes: number }
}

export function registerServerMetrics(metrics: Metrics, numbers: ServerNumbers): void {
  registerBuild(metrics, numbers)
  registerCache(metrics, numbers)
  registerFetches(metrics, numbers)
  registerLookUps(metrics, numbers)
  registerOutbox(metrics, numbers)
  registerArchiver(metrics, numbers)
}

/** Registers metrics without labels. */
function plain(metrics: Metrics) {
  return {
    gauge: (name: string, help: string, read: MetricSpec['read']) => metrics.gauge({ name, help, read }),
    counter: (name: string, help: string, read: MetricSpec['read']) => metrics.counter({ name, help, read }),
  }
}

function registerBuild(metrics: Metrics, numbers: ServerNumbers): void {
  metrics.gauge({
    name: 'twinstore_build_info',
    help: 'Always 1; the labels say what runs',
    labels: ['version', 'fingerprint'],
    read: () => [{ labels: { version: numbers.version, fingerprint: numbers.fingerprint() }, value: 1 }],
  })
  plain(metrics).gauge('twinstore_uptime_seconds', 'Since the server began to serve', numbers.uptimeSeconds)
}

function registerCache(metrics: Metrics, { serving, limits }: ServerNumbers): void {
  const { gauge, counter } = plain(metrics)
  counter('twinstore_cache_hits_total', 'Rows answered from the row cache', () => serving().hits)
  counter('twinstore_cache_misses_total', 'Rows that the row cache did not have', () => serving().misses)
  counter(
    'twinstore_cache_stale_served_total',
    'Expired rows that stood in while the online store did not answer',
    () => serving().staleServed,
  )
  counter(
    'twinstore_cache_invalidations_total',
    'Rows that the row cache was told of as changed',
    () => serving().invalidations,
  )
  gauge('twinstore_cache_entries', 'Rows in the row cache, missing ones among them', () => serving().cacheEntries)
  gauge('twinstore_cache_bytes', 'Memory of the row cache', () => serving().cacheBytes)
  gauge('twinstore_cache_bytes_max', 'Its limit, option cache-bytes', () => limits.cacheBytes)
}

function registerFetches(metrics: Metrics, { serving }: ServerNumbers): void {
  const { counter } = plain(metrics)
  counter('twinstore_fetch_batches_total', 'Batches of rows asked of the online store', () => serving().batches)
  counter('twinstore_fetch_keys_total', 'Rows asked of the online store', () => serving().fetchedKeys)
  counter(
    'twinstore_fetch_joined_keys_total',
    'Rows that another request was already waiting for',
    () => serving().joinedKeys,
  )
  counter(
    'twinstore_fetch_unavailable_keys_total',
    'Rows that the online store did not answer for',
    () => serving().unavailableKeys,
  )
  counter('twinstore_fetch_hedges_total', 'Batches asked of a replica too, being late', () => serving().hedges)
  counter('twinstore_fetch_hedged_keys_total', 'Rows in those batches', () => serving().hedgedKeys)
}

function registerLookUps(metrics: Metrics, { serving }: ServerNumbers): void {
  const { counter } = plain(metrics)
  counter('twinstore_lookups_total', 'Look-ups in the history for rows that are not online', () => serving().lookUps)
  metrics.counter({
    name: 'twinstore_lookup_keys_total',
    help: 'Rows that are not online, by what became of their look-up; refused: beyond the budget of the view',
    labels: ['outcome'],
    read: () => {
      const { lookedUpKeys, foundKeys, failedKeys, refusedKeys } = serving()
      return [
        { labels: { outcome: 'asked' }, value: lookedUpKeys },
        { labels: { outcome: 'found' }, value: foundKeys },
        { labels: { outcome: 'failed' }, value: failedKeys },
        { labels: { outcome: 'refused' }, value: refusedKeys },
      ]
    },
  })
}

function registerOutbox(metrics: Metrics, { outboxDepth: ask, limits }: ServerNumbers): void {
  const { gauge } = plain(metrics)
  // Both metrics of its depth are read at the same time, and asked of the store once.
  const outboxDepth = singleFlight(ask)
  gauge(
    'twinstore_outbox_rows',
    'Rows accepted online and not yet in the offline history, of all instances',
    async () => (await outboxDepth()).rows,
  )
  gauge('twinstore_outbox_bytes', 'Bytes of those rows', async () => (await outboxDepth()).bytes)
  gauge('twinstore_outbox_rows_max', 'Option outbox-rows-max; beyond it writes are refused', () => limits.outboxRows)
  gauge('twinstore_outbox_bytes_max', 'Option outbox-bytes-max; beyond it writes are refused', () => limits.outboxBytes)
}

function registerArchiver(metrics: Metrics, { archiver }: ServerNumbers): void {
  const { gauge, counter } = plain(metrics)
  gauge(
    'twinstore_archiver_failures',
    'Attempts that failed since one succeeded; 0 while archiving works',
    () => archiver().failures,
  )
  gauge(
    'twinstore_archiver_blocked_views',
    'Views whose rows stay in the outbox because of a fault',
    () => archiver().blocked.length,
  )
  gauge(
    'twinstore_archiver_unreachable_shards',
    'Shards whose outbox does not answer this instance',
    () => archiver().unreachable.length,
  )
  counter(
    'twinstore_archiver_rows_set_aside_total',
    'Rows that could not be read and were set aside',
    () => archiver().rowsSetAside,
  )
}
