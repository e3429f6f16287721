/**
 * One pass of the archiver over some shards, in rounds: a page of each is read side by side, the rows of a view become one
 * commit whatever their shards, then each shard advances and trims. A round's pages are all that is held in memory.
 *
 * A shard whose node fails, and a view whose table does, are left out of the rest of the pass; the others go on.
 */
import type { Shard } from '../domain/entity-key.ts'
import { asTwinstoreError } from '../domain/errors.ts'
import { NO_POSITION, type Position } from '../domain/version.ts'
import type { BackoffLimits } from '../lib/backoff.ts'
import { boundedParallel } from '../lib/bounded-parallel.ts'
import type { Clock } from '../lib/clock.ts'
import type { OutboxBatch } from '../offline/offline-store.ts'
import type { OnlineStore } from '../online/online-store.ts'
import type { ArchiveWaiters } from './archive-waiters.ts'
import type { OutboxPage, PageLimits, ShardDrain } from './shard-drain.ts'
import type { ViewAppends } from './view-appends.ts'

export interface RoundLimits {
  /**
   * `archive-batch-rows` and `archive-batch-bytes`: what the shards of a pass share for the rows they hold in memory; so
   * many pending rows start a pass. Each shard has a part of at least one row.
   */
  readonly batchRows: number
  readonly batchBytes: number
  /** `archive-shards-at-once`: outboxes read or trimmed side by side. */
  readonly shardsAtOnce: number
  /** `offline-short-jobs-max`: appends side by side, which is what the offline engine does at a time. */
  readonly viewsAtOnce: number
  readonly retry: BackoffLimits
}

export interface RoundParts {
  readonly online: Pick<OnlineStore, 'storeId' | 'raisePositions'>
  readonly appends: ViewAppends
  readonly waiters: ArchiveWaiters
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number
  readonly limits: RoundLimits
  readonly tellTailLost: (shard: Shard) => void
}

interface ReadPage extends OutboxPage {
  readonly drain: ShardDrain
}

export class ArchiveRounds {
  readonly #parts: RoundParts

  constructor(parts: RoundParts) {
    this.#parts = parts
  }

  /**
   * In rounds until the shards are empty, or what is left came after the pass began and nobody waits for it: endless
   * writers must neither keep the pass on one shard nor make it commit a handful of rows at a time. Shards that are done
   * leave their part of the limits to the others.
   */
  async run(drains: readonly ShardDrain[], goesOn: () => boolean): Promise<void> {
    const { limits, waiters } = this.#parts
    const begun = new Map<ShardDrain, Position>()
    let active = drains
    while (active.length > 0 && goesOn()) {
      const share = {
        rows: Math.max(1, Math.floor(limits.batchRows / active.length)),
        bytes: Math.max(1, Math.floor(limits.batchBytes / active.length)),
      }
      const waiting = new Map(active.map((drain) => [drain, waiters.ofShard(drain.shard)]))
      const pages = await this.#readPages(active, share)
      await this.#appendPages(pages)
      const advanced = await boundedParallel(pages, limits.shardsAtOnce, (page) => this.#advance(page))
      active = advanced.flatMap(({ drain, entries, last }) => {
        const emptied = entries.length === 0
        const waited = waiting.get(drain)!
        for (const { row, resolve } of waited) {
          // An empty outbox has no row of those acknowledged before it was read: another instance archived them.
          const gone = emptied && !drain.isStuck(row.storageId) && last >= row.position
          if (gone || drain.isArchived(row.storageId, row.position)) resolve()
        }
        if (!begun.has(drain)) begun.set(drain, last)
        const needed = Math.max(begun.get(drain)!, ...waited.map(({ row }) => row.position))
        const done = emptied || drain.cursor >= needed
        return done ? [] : [drain]
      })
    }
  }

  /** A page of each shard that answers. */
  async #readPages(drains: readonly ShardDrain[], share: PageLimits): Promise<readonly ReadPage[]> {
    const pages = await boundedParallel(drains, this.#parts.limits.shardsAtOnce, (drain) =>
      this.#attempt(drain, async () => {
        const page = await drain.read(share)
        if (await drain.isTailLost(page.last)) await this.#tailLost(drain.shard, drain.cursor)
        return { drain, ...page }
      }),
    )
    return pages.filter((page) => page !== undefined)
  }

  /** One commit per view for all pages. */
  async #appendPages(pages: readonly ReadPage[]): Promise<void> {
    const { storeId } = this.#parts.online
    const views = new Map<string, OutboxBatch[]>()
    for (const { drain, entries } of pages) {
      for (const [storageId, rows] of drain.uncommitted(entries)) {
        const batches = views.get(storageId) ?? []
        views.set(storageId, batches)
        batches.push({ source: { storeId, shard: drain.shard }, entries: rows })
      }
    }
    await boundedParallel([...views], this.#parts.limits.viewsAtOnce, ([storageId, batches]) =>
      this.#parts.appends.append(storageId, batches),
    )
  }

  /** Goes past a page; one whose trim failed counts as the last of its shard. */
  async #advance(page: ReadPage): Promise<ReadPage> {
    const { drain, entries } = page
    const advanced = await this.#attempt(drain, async () => {
      await drain.advance(entries, (storageId) => this.#parts.appends.blocked.has(storageId))
      drain.worked()
      return page
    })
    return advanced ?? { ...page, entries: [], last: NO_POSITION }
  }

  /** The result of the work, or undefined when the shard's node fails it. */
  async #attempt<T>(drain: ShardDrain, work: () => Promise<T>): Promise<T | undefined> {
    const { clock, limits, random } = this.#parts
    try {
      return await work()
    } catch (error) {
      drain.failed(asTwinstoreError(error), clock.monotonicMs(), limits.retry, random())
      return undefined
    }
  }

  /** The rows go first: once positions are lifted, or a write has passed them, nothing tells that they are lost. */
  async #tailLost(shard: Shard, cursor: Position): Promise<void> {
    this.#parts.tellTailLost(shard)
    await this.#parts.online.raisePositions(shard, cursor)
  }
}
