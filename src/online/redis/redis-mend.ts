/**
 * Puts sound rows over damaged ones.
 *
 * Lua has no CRC-32, so whether a stored row is sound is seen here; the script takes the SHA-1 of one that is not, and
 * replaces it only if it still is what was seen. A row that a writer put there meanwhile is compared by its version as ever.
 */
import { createHash } from 'node:crypto'
import { rowFault } from '../../domain/row-codec.ts'
import type { RowWrite } from '../online-store.ts'
import { type RedisCalls, script } from './redis-calls.ts'
import { type ShardKeys, valueKey } from './redis-keys.ts'
import type { RedisReply } from './redis-link.ts'
import { MEND_SCRIPT } from './scripts/position-scripts.ts'

const MEND = script(MEND_SCRIPT)

/** Replies as the seed script does. */
export async function mendShard(
  calls: RedisCalls,
  storeId: string,
  keys: ShardKeys,
  rows: readonly RowWrite[],
): Promise<readonly RedisReply[]> {
  const names = rows.map(({ key }) => valueKey(keys, key))
  const stored = (await calls.command(keys.tag, 'MGET', ...names)) as readonly RedisReply[]
  const args = rows.flatMap(({ row }, index) => [row, damageSeen(stored[index])])
  return (await calls.run(keys.tag, MEND, [keys.state, ...names], [storeId, ...args])) as readonly RedisReply[]
}

/** The SHA-1 of a row that is not sound; empty for any other. */
function damageSeen(stored: RedisReply | undefined): string {
  if (!Buffer.isBuffer(stored) || rowFault(stored) === undefined) return ''
  return createHash('sha1').update(stored).digest('hex')
}
