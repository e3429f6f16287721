/** What an offline store in S3 asks of it, and how much of that its local copies spare. All 0 where the store is a folder. */
import type { Metrics } from './metrics.ts'

export interface S3Numbers {
  /** Requests sent, by the name of the operation in S3's API. */
  readonly requests: ReadonlyMap<string, number>
  /** Attempts beyond the first of a request. */
  readonly retries: number
  readonly cache: {
    readonly lent: number
    readonly fetched: number
    readonly fetchedBytes: number
    /** In the folder, of all processes, when it was last looked at, and what this one added since. */
    readonly bytes: number
  }
}

const NONE: S3Numbers = { requests: new Map(), retries: 0, cache: { lent: 0, fetched: 0, fetchedBytes: 0, bytes: 0 } }

export function registerS3Metrics(metrics: Metrics, read: () => S3Numbers | undefined): void {
  const numbers = () => read() ?? NONE
  metrics.counter({
    name: 'twinstore_s3_requests_total',
    help: 'Requests sent to S3, by operation',
    labels: ['operation'],
    read: () => [...numbers().requests].map(([operation, value]) => ({ labels: { operation }, value })),
  })
  metrics.counter({
    name: 'twinstore_s3_retries_total',
    help: 'Attempts beyond the first of a request to S3',
    read: () => numbers().retries,
  })
  metrics.counter({
    name: 'twinstore_file_cache_lent_total',
    help: 'Files of the offline store that jobs borrowed',
    read: () => numbers().cache.lent,
  })
  metrics.counter({
    name: 'twinstore_file_cache_fetched_total',
    help: 'Files of these that had no local copy',
    read: () => numbers().cache.fetched,
  })
  metrics.counter({
    name: 'twinstore_file_cache_fetched_bytes_total',
    help: 'Bytes of the files fetched',
    read: () => numbers().cache.fetchedBytes,
  })
  metrics.gauge({
    name: 'twinstore_file_cache_bytes',
    help: 'Bytes of local copies, as far as this process knows',
    read: () => numbers().cache.bytes,
  })
}
