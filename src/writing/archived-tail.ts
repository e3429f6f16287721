/**
 * The last rows of a shard that were archived, to tell whether the online store still has them.
 *
 * A failover to a replica that lagged loses the end of a shard's writes. Positions show it only until the next write,
 * whose position is a time and so passes those that were lost; the rows themselves show it later too: each was the online
 * value or older than it when it was archived, and what was lost first is the last row. A key that was written again since
 * says nothing, so several are kept.
 */
import type { RowKey } from '../domain/entity-key.ts'
import { compareRowVersions, ROW_HEADER_BYTES } from '../domain/row-codec.ts'
import type { OnlineStore, OutboxEntry } from '../online/online-store.ts'
import { damageOf } from './entry-fault.ts'

/** Enough that not all are written again at once; at about 200 bytes each, 0.1 MB for 16 shards. */
const KEYS_MAX = 32

export class ArchivedTail {
  /** Key to the header of its newest archived row, in the order they were archived. */
  #rows = new Map<RowKey, Buffer>()

  /** `entries` are archived, the last one being the newest of the shard. */
  remember(entries: readonly OutboxEntry[]): void {
    for (const entry of entries.slice(-KEYS_MAX)) {
      // The header of a damaged row, which was set aside, says nothing.
      if (damageOf(entry) !== undefined) continue
      const known = this.#rows.get(entry.key)
      this.#rows.delete(entry.key)
      // A copy: the row would keep the whole page in memory.
      const header = Buffer.from(entry.row.subarray(0, ROW_HEADER_BYTES))
      this.#rows.set(entry.key, known !== undefined && compareRowVersions(known, header) > 0 ? known : header)
    }
    for (const key of this.#rows.keys()) {
      if (this.#rows.size <= KEYS_MAX) return
      this.#rows.delete(key)
    }
  }

  /** Whether the online store lacks one of them. Rejects when it does not answer. */
  async isLost(online: Pick<OnlineStore, 'readMany'>): Promise<boolean> {
    const expected = [...this.#rows]
    const found = await online.readMany(expected.map(([key]) => key))
    return found.some((result, index) => {
      if (result === null) return true
      if (Buffer.isBuffer(result)) return compareRowVersions(result, expected[index]![1]) < 0
      // A damaged row is another fault.
      if (result.code !== 'DATA_LOSS') throw result
      return false
    })
  }
}
