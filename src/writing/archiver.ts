/** What archives: moves rows from the outbox to the offline store, and says when theirs are there. */
import type { Shard } from '../domain/entity-key.ts'
import type { TwinstoreError } from '../domain/errors.ts'
import type { ArchivedRow } from './archive-waiters.ts'
import type { BlockedView } from './view-appends.ts'

export interface ArchiverStatus {
  /** Attempts that failed since one succeeded, of what has failed most often. */
  readonly failures: number
  /** Why the outbox cannot be emptied, if it cannot. */
  readonly error?: string
  /** Views whose rows stay in the outbox. */
  readonly blocked: readonly BlockedView[]
  /** Shards whose outbox does not answer. */
  readonly unreachable: readonly { readonly shard: Shard; readonly error: TwinstoreError }[]
  /** Rows that could not be read and were set aside since the start. */
  readonly rowsSetAside: number
}

export interface Archiver {
  /**
   * Lifts the online store's positions above those the offline store knows, claims shards and begins to work. Rejects
   * when either store cannot say how far it is, because a position given twice would make an append drop the row that
   * has it.
   */
  start(): Promise<void>
  /** Tells that rows were acknowledged, so that a full batch need not wait for the interval. */
  accepted(rows: number, bytes: number): void
  /**
   * Resolves when the row is committed offline, by whichever instance; waits through faults until the signal aborts
   * (`message` is the error's).
   */
  archived(row: ArchivedRow, signal: AbortSignal | undefined, message: string): Promise<void>
  /**
   * Everything acknowledged before the call, by whichever instance, is committed offline when it resolves. Rejects with
   * UNAVAILABLE as soon as an attempt has failed, and when the signal aborts. `storageIds` narrows what may make it fail
   * to these views, and to shards that do not answer.
   */
  flush(signal?: AbortSignal, storageIds?: readonly string[]): Promise<void>
  status(): ArchiverStatus
  /** Whether this instance has claimed the shard. Another one may have by now. */
  holds(shard: Shard): boolean
  /**
   * A last flush of the claimed shards, for at most so long, then no more passes and no more claims. False if rows may be
   * left in their outbox, for other instances or the next start.
   */
  stop(deadlineMs: number): Promise<boolean>
}
