/** Removes rows by their position: one script per shard, all in parallel. */
import type { RowKey } from '../../domain/entity-key.ts'
import type { Position } from '../../domain/version.ts'
import { script } from './redis-calls.ts'
import { byShard, valueKey } from './redis-keys.ts'
import type { RedisReply } from './redis-link.ts'
import { lost, type WriterParts } from './redis-writer.ts'
import { REMOVE_SCRIPT } from './scripts/position-scripts.ts'

const REMOVE = script(REMOVE_SCRIPT)

/** A repetition finds nothing left to remove and says so: what it says is then less than what was done. */
export async function removeRows(
  { calls, storeId, shards }: Pick<WriterParts, 'calls' | 'storeId' | 'shards'>,
  rowKeys: readonly RowKey[],
  before: Position,
): Promise<readonly boolean[]> {
  const removed = new Array<boolean>(rowKeys.length)
  await Promise.all(
    [...byShard(rowKeys, shards.length)].map(async ([shard, indexes]) => {
      const keys = shards[shard]!
      const names = indexes.map((index) => valueKey(keys, rowKeys[index]!))
      const reply = (await calls.run(
        keys.tag,
        REMOVE,
        [keys.state, ...names],
        [storeId, String(before)],
      )) as RedisReply[]
      const [kind, letters] = reply.map(String)
      if (kind !== 'OK') throw lost(keys)
      for (const [at, index] of indexes.entries()) removed[index] = letters?.[at] === 'R'
    }),
  )
  return removed
}
