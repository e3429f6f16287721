/**
 * One shard's way through its outbox: what was read, what is offline, what may be trimmed, and whether its node answers.
 *
 * Exactly once through a crash at any point: pages are read in order of position, an append drops what the table already
 * has, and only what is safe in every table is trimmed.
 *
 * One view must not stop the others. The rows of a blocked view (`view-appends.ts`) stay in the outbox, reading goes on
 * past them, and the trim stops before the first of them. `retry` goes back there; rows committed since are known by
 * position and not appended again. Rejected: setting such rows aside elsewhere, because the outbox already is the durable
 * place with a limit and backpressure.
 */
import { type RowKey, type Shard, splitRowKey } from '../domain/entity-key.ts'
import type { TwinstoreError } from '../domain/errors.ts'
import { NO_POSITION, type Position } from '../domain/version.ts'
import { type BackoffLimits, backoffMs } from '../lib/backoff.ts'
import { nextTurn } from '../lib/next-turn.ts'
import type { OnlineStore, OutboxEntry } from '../online/online-store.ts'
import { ArchivedTail } from './archived-tail.ts'

/** The embedded store reads so many rows of 200 bytes in about three milliseconds, during which it answers nobody. */
const PIECE_ROWS = 2000

export interface PageLimits {
  readonly rows: number
  readonly bytes: number
}

export interface OutboxPage {
  readonly entries: readonly OutboxEntry[]
  /** The shard's last position, as of just before the read. */
  readonly last: Position
}

/** Why a shard's outbox cannot be read or trimmed. */
export interface ShardFault {
  readonly error: TwinstoreError
  readonly failures: number
  /** Monotonic time before which only somebody who asks for it at once makes it be tried again. */
  readonly retryAtMs: number
}

type DrainedStore = Pick<OnlineStore, 'readOutbox' | 'trimOutbox' | 'lastPosition' | 'readMany'>

export class ShardDrain {
  readonly shard: Shard
  readonly #online: DrainedStore
  readonly #staysOnline: (storageId: string) => boolean
  readonly #committed = new Map<string, Position>()
  /** Views with rows between `#safe` and the cursor that are not offline, with the position of the first. */
  readonly #stuck = new Map<string, Position>()
  /** Rows up to here were read; they are offline unless their view is stuck. */
  #cursor = NO_POSITION
  /** Rows up to here are done with and may be trimmed; stops before the first row that is stuck. */
  #safe = NO_POSITION
  #trimmed = NO_POSITION
  /** While a retry reads again what is stuck: where the cursor was before, and the views that are tried. */
  #retried: { readonly from: Position; readonly views: ReadonlyMap<string, Position> } | undefined
  #fault: ShardFault | undefined
  readonly #tail = new ArchivedTail()
  #tailSuspect = false

  /** `staysOnline`: whether archived rows of a view are online, so that one that is not there was lost. */
  constructor(shard: Shard, online: DrainedStore, staysOnline: (storageId: string) => boolean) {
    this.shard = shard
    this.#online = online
    this.#staysOnline = staysOnline
  }

  get cursor(): Position {
    return this.#cursor
  }

  get fault(): ShardFault | undefined {
    return this.#fault
  }

  /** Whether rows of the view wait for it to be tried again. */
  isStuck(storageId: string): boolean {
    return this.#stuck.has(storageId)
  }

  /** Whether a row the online store acknowledged is known to be committed offline. */
  isArchived(storageId: string, position: Position): boolean {
    if ((this.#committed.get(storageId) ?? NO_POSITION) >= position) return true
    return this.#cursor >= position && !this.#stuck.has(storageId)
  }

  /** Begins anew: what was known of the shard may be old, because another instance had it. */
  reset(): void {
    this.#committed.clear()
    this.#stuck.clear()
    this.#cursor = this.#safe = this.#trimmed = NO_POSITION
    this.#retried = undefined
    this.#fault = undefined
  }

  /** Goes back to the first row that stayed in the outbox. */
  retry(): void {
    if (this.#stuck.size === 0) return
    const from = Math.max(this.#cursor, this.#retried?.from ?? NO_POSITION) as Position
    this.#retried = { from, views: new Map([...this.#stuck, ...(this.#retried?.views ?? [])]) }
    this.#stuck.clear()
    this.#cursor = this.#safe
  }

  /**
   * During a retry, goes on to the first row of a view that is not blocked again, or to where the cursor was: in an outage
   * of the offline store a retry costs a page per view, not the backlog.
   */
  #skipBlocked(isBlocked: (storageId: string) => boolean): void {
    if (this.#retried === undefined) return
    const { from, views } = this.#retried
    const open = [...views].filter(([storageId]) => !isBlocked(storageId))
    const next = Math.min(from, ...open.map(([, first]) => first - 1)) as Position
    if (next > this.#cursor) {
      this.#cursor = next
      for (const [storageId, first] of views) {
        if (first <= next && !this.#stuck.has(storageId)) this.#stuck.set(storageId, first)
      }
    }
    if (this.#cursor >= from) this.#retried = undefined
  }

  /** The rows after the cursor, and the last position. Rejects when the shard's node does not answer. */
  async read(limits: PageLimits): Promise<OutboxPage> {
    // In this order, which a node keeps: then rows up to `last` are in the page, and it does not take another one to see it.
    const [last, first] = await Promise.all([
      this.#online.lastPosition(this.shard),
      this.#online.readOutbox(this.shard, this.#cursor, pieceOf(limits)),
    ])
    return { entries: await this.#readOn(first, limits), last }
  }

  /** The rest of a page, piece by piece: a store reads and decodes each in one turn of the event loop. */
  async #readOn(first: readonly OutboxEntry[], limits: PageLimits): Promise<readonly OutboxEntry[]> {
    const entries = [...first]
    let piece = first
    let { rows, bytes } = limits
    for (;;) {
      const asked = pieceOf({ rows, bytes }).rows
      rows -= piece.length
      bytes -= piece.reduce((sum, { key, row }) => sum + key.length + row.length, 0)
      if (piece.length < asked || rows <= 0 || bytes <= 0) return entries
      await nextTurn()
      try {
        piece = await this.#online.readOutbox(this.shard, piece.at(-1)!.position, pieceOf({ rows, bytes }))
      } catch {
        // What was read can go on its way; the fault is met again, at the front of the next page.
        return entries
      }
      for (const entry of piece) entries.push(entry)
    }
  }

  /** The shard may have another primary: whether it has the rows that were archived is to be looked at. */
  suspectTail(): void {
    this.#tailSuspect = true
  }

  /** Whether the store has lost rows that are archived; `last` is the position it says is the shard's last. */
  async isTailLost(last: Position): Promise<boolean> {
    if (last < this.#cursor) return true
    if (!this.#tailSuspect) return false
    this.#tailSuspect = false
    try {
      return await this.#tail.isLost(this.#online)
    } catch (error) {
      this.#tailSuspect = true
      throw error
    }
  }

  /** Rows of a page that are not yet committed, by view, in order of position. */
  uncommitted(entries: readonly OutboxEntry[]): ReadonlyMap<string, OutboxEntry[]> {
    const groups = new Map<string, OutboxEntry[]>()
    const storageIdOf = storageIdReader()
    for (const entry of entries) {
      const storageId = storageIdOf(entry.key)
      if (entry.position <= (this.#committed.get(storageId) ?? NO_POSITION)) continue
      const group = groups.get(storageId)
      if (group === undefined) groups.set(storageId, [entry])
      else group.push(entry)
    }
    return groups
  }

  /**
   * Goes past a page of which all rows are offline but those of blocked views, and trims what is done with. Rejects when
   * the trim fails; it is tried again by the next call.
   */
  async advance(entries: readonly OutboxEntry[], isBlocked: (storageId: string) => boolean): Promise<void> {
    const archived: OutboxEntry[] = []
    const storageIdOf = storageIdReader()
    for (const entry of entries) {
      const { key, position } = entry
      const storageId = storageIdOf(key)
      const committed = this.#committed.get(storageId) ?? NO_POSITION
      if (position > committed) {
        if (!isBlocked(storageId)) this.#committed.set(storageId, position)
        else if (!this.#stuck.has(storageId)) this.#stuck.set(storageId, position)
      }
      if (!isBlocked(storageId) && this.#staysOnline(storageId)) archived.push(entry)
      if (this.#stuck.size === 0) this.#safe = position
      this.#cursor = position
    }
    this.#skipBlocked(isBlocked)
    this.#tail.remember(archived)
    if (this.#safe <= this.#trimmed) return
    const through = this.#safe
    await this.#online.trimOutbox(this.shard, through)
    this.#trimmed = through
  }

  failed(error: TwinstoreError, nowMs: number, retry: BackoffLimits, random: number): void {
    const failures = (this.#fault?.failures ?? 0) + 1
    this.#fault = { error, failures, retryAtMs: nowMs + backoffMs(failures, retry, random) }
  }

  worked(): void {
    this.#fault = undefined
  }
}

function pieceOf({ rows, bytes }: PageLimits): PageLimits {
  return { rows: Math.min(rows, PIECE_ROWS), bytes }
}

/** The storage id of one key after the other; most have that of the key before, which is told without making a string. */
function storageIdReader(): (key: RowKey) => string {
  let storageId = ''
  let prefix: string | undefined
  return (key) => {
    if (prefix === undefined || !key.startsWith(prefix)) {
      storageId = splitRowKey(key).storageId
      prefix = `${storageId}/`
    }
    return storageId
  }
}
