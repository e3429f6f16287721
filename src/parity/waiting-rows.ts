/**
 * The newest row of each wanted key that waits in the outbox.
 *
 * Read up to the shard's last position as of the beginning: every row that was online before is in there or archived, and
 * writers cannot make it endless. Pages bound what is held; of each row only what `keep` takes stays.
 */
import type { RowKey, Shard } from '../domain/entity-key.ts'
import { asTwinstoreError, type TwinstoreError } from '../domain/errors.ts'
import { compareRowVersions, rowFault, rowPosition } from '../domain/row-codec.ts'
import { NO_POSITION } from '../domain/version.ts'
import { boundedParallel } from '../lib/bounded-parallel.ts'
import type { OnlineStore, OutboxEntry } from '../online/online-store.ts'

export interface WaitingRows {
  readonly rows: Map<RowKey, Buffer>
  /** Shards whose outbox could not be read. */
  readonly faults: ReadonlyMap<Shard, TwinstoreError>
}

export interface WaitingLimits {
  /** Rows and bytes of a page (options `archive-batch-rows`, `archive-batch-bytes`). */
  readonly page: { readonly rows: number; readonly bytes: number }
  /** Outboxes read side by side (option `archive-shards-at-once`). */
  readonly shardsAtOnce: number
}

export async function readWaiting(
  online: Pick<OnlineStore, 'readOutbox' | 'lastPosition'>,
  shards: readonly Shard[],
  isWanted: (key: RowKey) => boolean,
  keep: (row: Buffer) => Buffer,
  { page, shardsAtOnce }: WaitingLimits,
): Promise<WaitingRows> {
  const rows = new Map<RowKey, Buffer>()
  const faults = new Map<Shard, TwinstoreError>()
  const take = (entry: OutboxEntry): void => {
    const { key, row, position } = entry
    if (!isWanted(key) || rowFault(row) !== undefined || rowPosition(row) !== position) return
    const known = rows.get(key)
    if (known === undefined || compareRowVersions(row, known) > 0) rows.set(key, keep(row))
  }
  await boundedParallel(shards, Math.max(1, shardsAtOnce), async (shard) => {
    try {
      const last = await online.lastPosition(shard)
      for (let after = NO_POSITION; after < last; ) {
        const entries = await online.readOutbox(shard, after, page)
        if (entries.length === 0) return
        for (const entry of entries) take(entry)
        after = entries.at(-1)!.position
      }
    } catch (error) {
      faults.set(shard, asTwinstoreError(error))
    }
  })
  return { rows, faults }
}
