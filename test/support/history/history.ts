/**
 * What clients did to a cluster of instances and what they saw, as plain data: what the checker judges.
 *
 * All times are milliseconds of one monotonic clock, that of the process that ran the clients. An operation began at the latest
 * when it was sent and ended at the earliest when its answer was there, so a slow client only makes the checks milder.
 */
import type { SlotStatusName } from '../../../src/client/index.ts'
import type { WriteStatus } from '../../../src/domain/outcome.ts'

/** Of one row: when the answer came, from which life of which instance, and what it said. */
export interface Acknowledgement {
  readonly atMs: number
  readonly instance: string
  readonly status: WriteStatus
  readonly position: bigint
}

/**
 * One row, sent until it was acknowledged or given up, each time with the same write id. `acks` holds further acknowledgements
 * too: a write may be repeated after it was acknowledged.
 *
 * `refused`: no attempt can have written it. `unknown`: one may have.
 */
export interface Write {
  readonly key: number
  /** Unique per row and stored in it. */
  readonly attempt: bigint
  readonly eventMicros: bigint
  readonly sentMs: number
  readonly endedMs: number
  readonly fate: 'acknowledged' | 'unknown' | 'refused'
  readonly acks: readonly Acknowledgement[]
}

/** One key of one answer. */
export interface Read {
  readonly key: number
  /** A life of an instance: one that was started again has another name, because it has another cache. */
  readonly instance: string
  readonly consistency: 'CACHED' | 'FRESH'
  readonly sentMs: number
  readonly endedMs: number
  readonly status: SlotStatusName
  /** The attempt of the row that was seen; undefined without one. */
  readonly attempt: bigint | undefined
  /** Answered from an expired cache entry, and said so. */
  readonly isStale: boolean
}

export interface Fault {
  readonly kind: string
  readonly detail: string
  readonly beganMs: number
  /** When all was healed and every instance served every shard again; Infinity if that never came. */
  readonly endedMs: number
}

export interface StoredRow {
  readonly key: number
  readonly attempt: bigint
  readonly eventMicros: bigint
  readonly position: bigint
}

/** Bounds that the instances were started with, milliseconds, and what the checker assumes of a healthy cluster. */
export interface Bounds {
  readonly cacheTtlMs: number
  /** `cache-stale-if-error`. */
  readonly staleMs: number
  /** Within this a write is seen by CACHED reads everywhere while nothing is wrong. */
  readonly convergedMs: number
  /** How long after a fault the cluster counts as disturbed. */
  readonly settleMs: number
}

export interface History {
  readonly writes: readonly Write[]
  readonly reads: readonly Read[]
  readonly faults: readonly Fault[]
  /** The offline history after the last write, everything archived. */
  readonly offline: readonly StoredRow[]
  /** FRESH reads of every key that was written, made at the end through each instance. */
  readonly final: readonly Read[]
  readonly bounds: Bounds
}

export interface Version {
  readonly eventMicros: bigint
  readonly position: bigint
}

/** Negative, zero or positive, as in `domain/version.ts`. */
export function compareVersions(a: Version, b: Version): number {
  const difference = a.eventMicros === b.eventMicros ? a.position - b.position : a.eventMicros - b.eventMicros
  return Number(difference)
}

export function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}
