/** Faults of archiving: each is told once, when it appears, and what may pass is tried again with growing delays. */
import type { Shard } from '../domain/entity-key.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { type BackoffLimits, backoffMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { SetAsideRow } from './view-appends.ts'

export interface ArchiveFaultsParts {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number
  readonly retry: BackoffLimits
  readonly onFault: (fault: TwinstoreError) => void
}

/** What the offline store is at fault for: views that are blocked, and positions that cannot be lifted. */
export class ArchiveFaults {
  readonly #parts: ArchiveFaultsParts
  /** Messages of faults that were told and are still there. */
  #told: ReadonlySet<string> = new Set()
  #failures = 0
  #retryAtMs = 0

  constructor(parts: ArchiveFaultsParts) {
    this.#parts = parts
  }

  /** Passes that failed since one did not. */
  get failures(): number {
    return this.#failures
  }

  /** Monotonic time before which only somebody who waits makes it be tried again; undefined if nothing is to be. */
  get retryAtMs(): number | undefined {
    return this.#failures > 0 ? this.#retryAtMs : undefined
  }

  /**
   * Records how a pass went: `standing` is every fault there is now, `failed` whether one is the offline store's that may pass. A pass
   * that had not `tried` what failed before says nothing new of it.
   */
  note(standing: readonly TwinstoreError[], failed: boolean, tried: boolean): void {
    const { clock, random, retry, onFault } = this.#parts
    const faults = new Map(standing.map((fault) => [fault.message, fault]))
    for (const [message, fault] of faults) if (!this.#told.has(message)) onFault(fault)
    this.#told = new Set(faults.keys())
    if (!failed) this.#failures = 0
    else if (tried || this.#failures === 0) {
      this.#failures++
      this.#retryAtMs = clock.monotonicMs() + backoffMs(this.#failures, retry, random())
    }
  }
}

export function setAsideFault(row: SetAsideRow): TwinstoreError {
  const key = Buffer.from(row.key, 'latin1').toString('hex')
  const message = `outbox row at position ${row.position} of shard ${row.shard}, key ${key}, cannot be archived and was set aside: ${row.fault.message}`
  return new TwinstoreError('DATA_LOSS', message, { cause: row.fault })
}

export function tailLostFault(shard: Shard): TwinstoreError {
  return new TwinstoreError(
    'DATA_LOSS',
    `the online store lost the end of the writes of shard ${shard} (a failover to a replica that lagged, or a copy restored): ` +
      'rows that were archived are brought back from the offline store; acknowledged rows that were not archived yet are lost (see redis-wait-replicas)',
  )
}
