import type { RedisLink } from './redis-link.ts'

export interface RedisStoreOptions {
  /** Closed with the store. */
  readonly link: RedisLink
  /** Begins every key. */
  readonly project: string
  /** 0: what the store was created with, 16 for a new one. */
  readonly shardCount: number
  /** Of the whole store; a shard has its part of them. */
  readonly outboxRowsMax: number
  /** Bytes of keys and rows in the outbox. */
  readonly outboxBytesMax: number
  readonly writeIdRetentionSeconds: number
  /** Of the whole store; a shard has its part. */
  readonly writeIdsMax: number
  /** `fetch-timeout` */
  readonly readTimeoutMs: number
  /** `redis-write-timeout`: repetitions over a failover included. */
  readonly writeTimeoutMs: number
  /** `redis-wait-replicas`, `redis-wait-timeout`; count 0: the primary's word is enough. */
  readonly replicas: { readonly count: number; readonly timeoutMs: number }
  /** `redis-pending-bytes-max` */
  readonly pendingBytesMax: number
}
