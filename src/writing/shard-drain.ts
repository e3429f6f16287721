/**
 * Moves one shard's outbox into the offline store, batch by batch.
 *
 * Exactly once through a crash at any point: a batch is appended in order of position, a view at a time; the table's
 * commit carries the position, and an append drops what the table already has; only what is safe in every table is
 * trimmed.
 *
 * One view must not stop the others. A view whose append fails, or that no definitions know, is blocked: its rows stay
 * in the outbox, reading goes on past them, and the trim stops before the first of them. `retry` goes back there; rows
 * committed since are known by position and not appended again. Rejected: setting such rows aside elsewhere, because
 * the outbox already is the durable place with a limit and backpressure.
 */
import { type RowKey, type Shard, splitRowKey } from '../domain/entity-key.ts'
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import type { FeatureView } from '../domain/registry.ts'
import { NO_POSITION, type Position } from '../domain/version.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore, OutboxEntry } from '../online/online-store.ts'
import { damageOf, entryFault } from './entry-fault.ts'
import type { ViewLookup } from './view-lookup.ts'

/** An outbox row that can never be appended, to be kept for a person to look at. */
export interface SetAsideRow {
  readonly storeId: string
  readonly shard: Shard
  readonly position: Position
  readonly key: RowKey
  readonly row: Buffer
  readonly fault: TwinstoreError
}

export interface DrainParts {
  readonly online: Pick<OnlineStore, 'storeId' | 'readOutbox' | 'trimOutbox'>
  readonly offline: Pick<OfflineStore, 'append'>
  readonly views: ViewLookup
  readonly batch: { readonly rows: number; readonly bytes: number }
  /** Must have stored the row durably when it resolves; may be called again for the same row after a crash. */
  readonly setAside: (row: SetAsideRow) => Promise<void>
}

/** Why a view's rows are not going offline. */
export interface BlockedView {
  readonly storageId: string
  readonly error: TwinstoreError
  /** False for a view that no definitions know: only other definitions help. */
  readonly retryHelps: boolean
}

export class ShardDrain {
  readonly shard: Shard
  readonly #parts: DrainParts
  readonly #committed = new Map<string, Position>()
  readonly #blocked = new Map<string, BlockedView>()
  /** Rows up to here were read; they are offline unless their view is blocked. */
  #cursor = NO_POSITION
  /** Rows up to here are done with and may be trimmed; stops before the first row of a blocked view. */
  #safe = NO_POSITION
  #trimmed = NO_POSITION
  #safeStopped = false

  constructor(shard: Shard, parts: DrainParts) {
    this.shard = shard
    this.#parts = parts
  }

  get cursor(): Position {
    return this.#cursor
  }

  get blocked(): ReadonlyMap<string, BlockedView> {
    return this.#blocked
  }

  /** Whether a row the online store acknowledged is known to be committed offline. */
  isArchived(storageId: string, position: Position): boolean {
    if ((this.#committed.get(storageId) ?? NO_POSITION) >= position) return true
    return this.#cursor >= position && !this.#blocked.has(storageId)
  }

  /** Gives blocked views another chance, from the first row that stayed in the outbox. */
  retry(): void {
    if (this.#blocked.size === 0) return
    this.#blocked.clear()
    this.#cursor = this.#safe
    this.#safeStopped = false
  }

  /**
   * Handles one batch. No rows: the outbox holds no more; `full`: it probably does. Rejects when the online store or
   * `setAside` fails.
   */
  async step(): Promise<{ readonly rows: number; readonly full: boolean }> {
    await this.#trim()
    const { online, batch } = this.#parts
    const entries = await online.readOutbox(this.shard, this.#cursor, batch)
    if (entries.length === 0) return { rows: 0, full: false }
    for (const [storageId, rows] of this.#groups(entries)) await this.#archive(storageId, rows)
    this.#advance(entries)
    await this.#trim()
    // The store may stop short of the byte limit by one large row.
    const bytes = entries.reduce((sum, { key, row }) => sum + key.length + row.length, 0)
    return { rows: entries.length, full: entries.length >= batch.rows || bytes >= batch.bytes / 2 }
  }

  /** Rows not yet committed, by view, in order of position. */
  #groups(entries: readonly OutboxEntry[]): ReadonlyMap<string, OutboxEntry[]> {
    const groups = new Map<string, OutboxEntry[]>()
    for (const entry of entries) {
      const { storageId } = splitRowKey(entry.key)
      if (entry.position <= (this.#committed.get(storageId) ?? NO_POSITION)) continue
      const group = groups.get(storageId)
      if (group === undefined) groups.set(storageId, [entry])
      else group.push(entry)
    }
    return groups
  }

  async #archive(storageId: string, entries: readonly OutboxEntry[]): Promise<void> {
    if (this.#blocked.has(storageId)) return
    const sound = await this.#withoutFaulty(entries, damageOf)
    const view = await this.#parts.views.find(storageId).catch(asTwinstoreError)
    if (view === undefined) this.#block(storageId, unknownView(storageId), false)
    else if (view instanceof TwinstoreError) this.#block(storageId, view, true)
    else await this.#append(storageId, view, sound)
    if (!this.#blocked.has(storageId)) this.#committed.set(storageId, entries.at(-1)!.position)
  }

  async #append(storageId: string, view: FeatureView, entries: readonly OutboxEntry[]): Promise<void> {
    if (entries.length === 0) return
    const source = { storeId: this.#parts.online.storeId, shard: this.shard }
    try {
      await this.#parts.offline.append(view, source, entries)
    } catch (error) {
      const fault = asTwinstoreError(error)
      // The bytes of a row, or the table? Only rows that are found faulty here are taken out; else the table is at fault.
      const sound =
        fault.code === 'DATA_LOSS' ? await this.#withoutFaulty(entries, (entry) => entryFault(view, entry)) : entries
      if (sound.length === entries.length) this.#block(storageId, fault, true)
      else await this.#append(storageId, view, sound)
    }
  }

  /** The entries without fault; the others are set aside. */
  async #withoutFaulty(
    entries: readonly OutboxEntry[],
    faultOf: (entry: OutboxEntry) => TwinstoreError | undefined,
  ): Promise<readonly OutboxEntry[]> {
    const sound: OutboxEntry[] = []
    for (const entry of entries) {
      const fault = faultOf(entry)
      if (fault === undefined) sound.push(entry)
      else await this.#parts.setAside({ ...entry, storeId: this.#parts.online.storeId, shard: this.shard, fault })
    }
    return sound
  }

  #block(storageId: string, error: TwinstoreError, retryHelps: boolean): void {
    this.#blocked.set(storageId, { storageId, error, retryHelps })
  }

  #advance(entries: readonly OutboxEntry[]): void {
    for (const { key, position } of entries) {
      if (this.#safeStopped) break
      const { storageId } = splitRowKey(key)
      const done = position <= (this.#committed.get(storageId) ?? NO_POSITION)
      if (done) this.#safe = position
      else this.#safeStopped = true
    }
    this.#cursor = entries.at(-1)!.position
  }

  async #trim(): Promise<void> {
    if (this.#safe <= this.#trimmed) return
    const through = this.#safe
    await this.#parts.online.trimOutbox(this.shard, through)
    this.#trimmed = through
  }
}

function unknownView(storageId: string): TwinstoreError {
  return new TwinstoreError(
    'FAILED_PRECONDITION',
    `the outbox holds rows of ${storageId}, which no definitions know; they stay there: apply definitions that have it`,
  )
}
