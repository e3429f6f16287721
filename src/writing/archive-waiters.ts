/** Who waits for rows to be committed offline: writers for their rows, readers of the history for all rows so far. */
import type { Shard } from '../domain/entity-key.ts'
import { TwinstoreError } from '../domain/errors.ts'
import type { Position } from '../domain/version.ts'
import type { ShardDrain } from './shard-drain.ts'
import type { BlockedView } from './view-appends.ts'

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

/** `claimed`: the shards this instance holds, for one that stops; the rest is others' to archive. */
export type FlushScope = 'all' | 'claimed'

interface FlushWaiter {
  readonly scope: FlushScope
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
  readonly #rows = new Map<Shard, Set<RowWaiter>>()
  readonly #flushes = new Set<FlushWaiter>()

  forRow(row: ArchivedRow): Wait {
    const waiters = this.#rows.get(row.shard) ?? new Set()
    this.#rows.set(row.shard, waiters)
    const wait = waitIn(waiters, (resolve) => ({ row, resolve }))
    return {
      done: wait.done,
      forget: () => {
        wait.forget()
        if (waiters.size === 0 && this.#rows.get(row.shard) === waiters) this.#rows.delete(row.shard)
      },
    }
  }

  forFlush(scope: FlushScope, storageIds: readonly string[] | undefined): Wait {
    return waitIn(this.#flushes, (resolve, reject) => ({ scope, storageIds, resolve, reject }))
  }

  /** Shards with rows that somebody waits for. */
  get shards(): readonly Shard[] {
    return [...this.#rows.keys()]
  }

  /** Those who wait for rows of the shard now; to be kept across a read of its outbox. */
  ofShard(shard: Shard): readonly RowWaiter[] {
    return [...(this.#rows.get(shard) ?? [])]
  }

  /** The flushes a pass that begins now answers. */
  flushes(): Flushes {
    return new Flushes([...this.#flushes])
  }
}

/** The flushes that one pass answers. */
class Flushes {
  readonly #waiters: readonly FlushWaiter[]

  constructor(waiters: readonly FlushWaiter[]) {
    this.#waiters = waiters
  }

  /** The shards the pass must empty of what was there when it began; undefined if nobody waits. */
  get scope(): FlushScope | undefined {
    if (this.#waiters.some(({ scope }) => scope === 'all')) return 'all'
    return this.#waiters.length > 0 ? 'claimed' : undefined
  }

  /**
   * Answers all: done, or failed for a view the waiter cares for or a shard that does not answer. A view that no
   * definitions know does not count.
   */
  settle(blocked: Iterable<BlockedView>, drainsOf: (scope: FlushScope) => readonly ShardDrain[]): void {
    const failing = [...blocked].filter((view) => view.retryHelps)
    for (const { scope, storageIds, resolve, reject } of this.#waiters) {
      const view = failing.find(({ storageId }) => storageIds?.includes(storageId) ?? true)
      const fault = view?.error ?? drainsOf(scope).find((drain) => drain.fault !== undefined)?.fault?.error
      if (fault === undefined) resolve()
      else reject(notCommitted(fault))
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
