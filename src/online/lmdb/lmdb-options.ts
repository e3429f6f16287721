/** What an LMDB store is opened with. */
import type { Clock } from '../../lib/clock.ts'

/**
 * What an acknowledged write survives. `machine`: loss of power too, because the commit is flushed to disk before the
 * acknowledgement. `process`: the end of this process at any instruction, because the commit is in the operating system's
 * page cache; after a power loss the folder may be damaged, which the next start detects and refuses.
 */
export type LmdbDurability = 'machine' | 'process'

export interface LmdbLimits {
  readonly durability: LmdbDurability
  /** Bytes of live data (values and outbox) above which writes are refused; trims and reads go on. */
  readonly storeBytesMax: number
  readonly outboxRowsMax: number
  /** Bytes of keys and rows in the outbox. */
  readonly outboxBytesMax: number
  /** How long a write id is remembered. */
  readonly writeIdRetentionSeconds: number
  /** How many write ids are remembered; above it the oldest are forgotten first. */
  readonly writeIdsMax: number
}

export interface LmdbStoreOptions extends LmdbLimits {
  /** The folder of the store; made if there is none. */
  readonly dir: string
  /** Other processes may have the folder open too: see `lmdb-store.ts` for what they owe each other. False if not given. */
  readonly shared?: boolean
  readonly shardCount: number
  readonly clock: Clock
}
