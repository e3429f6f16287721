/**
 * Appends outbox rows to the views' tables, those of all shards in one commit per view.
 *
 * A view whose append fails, or that no definitions know, is blocked: it is left alone until `retry`, and the other views
 * go on. A row that can never be appended is set aside, so that it blocks nothing.
 */
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import type { FeatureView } from '../domain/registry.ts'
import { nextTurn } from '../lib/next-turn.ts'
import type { OfflineStore, OutboxBatch, OutboxSource } from '../offline/offline-store.ts'
import type { OutboxEntry } from '../online/online-store.ts'
import { damageOf, entryFault } from './entry-fault.ts'
import type { ViewLookup } from './view-lookup.ts'

/** A checksum of a small row takes a quarter of a microsecond, of one of 2 KB two: requests wait some milliseconds at most. */
const ROWS_IN_A_TURN = 1000

/** An outbox row that can never be appended, to be kept for a person to look at. */
export interface SetAsideRow extends OutboxSource, OutboxEntry {
  readonly fault: TwinstoreError
}

/** Why a view's rows are not going offline. */
export interface BlockedView {
  readonly storageId: string
  readonly error: TwinstoreError
  /** False for a view that no definitions know: only other definitions help. */
  readonly retryHelps: boolean
}

export interface ViewAppendsParts {
  readonly offline: Pick<OfflineStore, 'append'>
  readonly views: ViewLookup
  /** Must have stored the row durably when it resolves; may be called again for the same row after a crash. */
  readonly setAside: (row: SetAsideRow) => Promise<void>
}

export class ViewAppends {
  readonly #parts: ViewAppendsParts
  readonly #blocked = new Map<string, BlockedView>()

  constructor(parts: ViewAppendsParts) {
    this.#parts = parts
  }

  get blocked(): ReadonlyMap<string, BlockedView> {
    return this.#blocked
  }

  /** Gives blocked views another chance. */
  retry(): void {
    this.#blocked.clear()
  }

  /** Never rejects: the rows are offline or set aside when it resolves, or the view is blocked. */
  async append(storageId: string, batches: readonly OutboxBatch[]): Promise<void> {
    if (this.#blocked.has(storageId)) return
    try {
      const sound = await this.#withoutFaulty(batches, damageOf)
      const view = await this.#parts.views.find(storageId)
      if (view === undefined) this.#block(storageId, unknownView(storageId), false)
      else await this.#appendSound(view, sound)
    } catch (error) {
      this.#block(storageId, asTwinstoreError(error), true)
    }
  }

  async #appendSound(view: FeatureView, batches: readonly OutboxBatch[]): Promise<void> {
    if (batches.length === 0) return
    try {
      await this.#parts.offline.append(view, batches)
    } catch (error) {
      const fault = asTwinstoreError(error)
      // The bytes of a row, or the table? Only rows that are found faulty here are taken out; else the table is at fault.
      if (fault.code !== 'DATA_LOSS') throw fault
      const sound = await this.#withoutFaulty(batches, (entry) => entryFault(view, entry))
      if (rowCount(sound) === rowCount(batches)) throw fault
      await this.#appendSound(view, sound)
    }
  }

  /** The batches without faulty entries, which are set aside, and without batches that have no others. */
  async #withoutFaulty(
    batches: readonly OutboxBatch[],
    faultOf: (entry: OutboxEntry) => TwinstoreError | undefined,
  ): Promise<readonly OutboxBatch[]> {
    const soundBatches: OutboxBatch[] = []
    let looked = 0
    for (const { source, entries } of batches) {
      const sound: OutboxEntry[] = []
      for (const entry of entries) {
        if (++looked % ROWS_IN_A_TURN === 0) await nextTurn()
        const fault = faultOf(entry)
        if (fault === undefined) sound.push(entry)
        else await this.#parts.setAside({ ...entry, ...source, fault })
      }
      if (sound.length > 0) soundBatches.push({ source, entries: sound })
    }
    return soundBatches
  }

  #block(storageId: string, error: TwinstoreError, retryHelps: boolean): void {
    this.#blocked.set(storageId, { storageId, error, retryHelps })
  }
}

function rowCount(batches: readonly OutboxBatch[]): number {
  return batches.reduce((rows, { entries }) => rows + entries.length, 0)
}

function unknownView(storageId: string): TwinstoreError {
  return new TwinstoreError(
    'FAILED_PRECONDITION',
    `the outbox holds rows of ${storageId}, which no definitions know; they stay there: apply definitions that have it`,
  )
}
