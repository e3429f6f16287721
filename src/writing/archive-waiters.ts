/** Who waits for rows to be committed offline: writers for their rows, readers of the history for all rows so far. */
import type { Shard } from '../domain/entity-key.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { NO_POSITION, type Position } from '../domain/version.ts'
import type { ShardDrain } from './shard-drain.ts'

/** A row whose commit is waited for. */
export interface ArchivedRow {
  readonly storageId: string
  readonly shard: Shard
  readonly position: Position
}

export interface RowWaiter {
  readonly row: ArchivedRow
  readonly resolve: () => void
}

interface FlushWaiter {
  /** Greater than the position of every row that is waited for. */
  readonly through: Position
  /** The views whose faults matter to the waiter; undefined: all. */
  readonly storageIds: readonly string[] | undefined
  readonly resolve: () => void
  readonly reject: (error: TwinstoreError) => void
}

/** A promise and the way to stop waiting for it. */
export interface Wait {
  readonly done: Promise<void>
  forget(): void
}

export class ArchiveWaiters {
  readonly #rows = new Set<RowWaiter>()
  readonly #flushes = new Set<FlushWaiter>()

  forRow(row: ArchivedRow): Wait {
    return waitIn(this.#rows, (resolve) => ({ row, resolve }))
  }

  forFlush(through: Position, storageIds: readonly string[] | undefined): Wait {
    return waitIn(this.#flushes, (resolve, reject) => ({ through, storageIds, resolve, reject }))
  }

  /** Those who wait for rows of the shard now; to be kept across a read of its outbox. */
  ofShard(shard: Shard): readonly RowWaiter[] {
    return [...this.#rows].filter((waiter) => waiter.row.shard === shard)
  }

  /** The flushes a pass that begins now answers. */
  flushes(): Flushes {
    return new Flushes([...this.#flushes])
  }
}

/** The flushes that one pass answers. */
export class Flushes {
  readonly #waiters: readonly FlushWaiter[]

  constructor(waiters: readonly FlushWaiter[]) {
    this.#waiters = waiters
  }

  /** The position the pass must reach on every shard; 0 if nobody waits. */
  get through(): Position {
    return Math.max(NO_POSITION, ...this.#waiters.map((waiter) => waiter.through)) as Position
  }

  /** Answers all: done, or failed for a view the waiter cares for. A view that no definitions know does not count. */
  settle(drains: readonly ShardDrain[]): void {
    const blocked = drains.flatMap((drain) => [...drain.blocked.values()]).filter((view) => view.retryHelps)
    for (const { storageIds, resolve, reject } of this.#waiters) {
      const stuck = blocked.find((view) => storageIds?.includes(view.storageId) ?? true)
      if (stuck === undefined) resolve()
      else reject(notCommitted(stuck.error))
    }
  }

  fail(cause: TwinstoreError): void {
    for (const { reject } of this.#waiters) reject(notCommitted(cause))
  }
}

function waitIn<W>(waiters: Set<W>, make: (resolve: () => void, reject: (error: TwinstoreError) => void) => W): Wait {
  const { promise: done, resolve, reject } = deferred()
  const waiter = make(resolve, reject)
  waiters.add(waiter)
  return { done, forget: () => waiters.delete(waiter) }
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: TwinstoreError) => void } {
  let settle: { resolve: () => void; reject: (error: TwinstoreError) => void } | undefined
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, ...settle! }
}

function notCommitted(cause: TwinstoreError): TwinstoreError {
  const message = `rows accepted online could not be committed offline: ${cause.message}`
  return new TwinstoreError('UNAVAILABLE', message, { cause })
}
