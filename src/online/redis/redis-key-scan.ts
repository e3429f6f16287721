/**
 * Lists the keys of a view, shard by shard, by SCAN on the node that holds the shard.
 *
 * SCAN promises to list what is there throughout, on one server process. It takes no key, so a Cluster would run it on any
 * node without a word, and a cursor of one node means nothing on another. So it runs in a script with two keys of the
 * shard: a node that does not hold the slot redirects it, and one that is handing the slot over answers TRYAGAIN, because
 * one of the two keys is never there. And when the link reports that anything may have been missed, which it does when a
 * node was lost or a shard has another primary, the shard whose scan was under way counts as not listed.
 *
 * Cost: SCAN walks over all keys of its node, whatever its pattern; so a listing is one walk per shard. Rejected: one walk per
 * node with a pattern for all shards, which would have to know the nodes; CLUSTER GETKEYSINSLOT, which has no cursor.
 */
import type { RowKey } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { KeyPage, ScanCursor } from '../online-store.ts'
import type { RedisCalls } from './redis-calls.ts'
import { redisError } from './redis-errors.ts'
import { rowKeyOf, type ShardKeys } from './redis-keys.ts'
import type { RedisLink, RedisReply } from './redis-link.ts'
import { SCAN_SCRIPT } from './scripts/position-scripts.ts'

/** Keys that Redis looks at per call: about 0.3 ms, in which it answers nobody else. */
const STEP_KEYS_MAX = 1000

export class RedisKeyScan {
  readonly #calls: RedisCalls
  readonly #shards: readonly ShardKeys[]
  /** Counts the times at which changes, and so nodes, may have been missed. */
  #epoch = 0

  constructor(calls: RedisCalls, shards: readonly ShardKeys[], link: Pick<RedisLink, 'watch'>) {
    this.#calls = calls
    this.#shards = shards
    link.watch((changed) => {
      if (changed === 'all') this.#epoch += 1
    })
  }

  async page(storageId: string, cursor: ScanCursor | undefined, limit: number): Promise<KeyPage> {
    const { shard, epoch, at } = cursor === undefined ? this.#startOf(0) : parseCursor(cursor)
    try {
      const [nextAt, keys] = await this.#step(this.#shards[shard]!, storageId, at, limit)
      if (epoch !== this.#epoch) throw nodeChanged(shard)
      if (nextAt !== '0') return { keys, next: cursorOf(shard, epoch, nextAt) }
      return { keys, next: this.#after(shard) }
    } catch (error) {
      return { keys: [], next: this.#after(shard), fault: redisError(error) }
    }
  }

  async #step(
    { tag, state, valuePrefix }: ShardKeys,
    storageId: string,
    at: string,
    limit: number,
  ): Promise<readonly [next: string, keys: readonly RowKey[]]> {
    const keys = [state, `absent:{${tag}}`]
    // A project and a storage id hold nothing that is special in a pattern.
    const args = [at, `${valuePrefix}${storageId}/*`, Math.min(Math.max(1, limit), STEP_KEYS_MAX)]
    const reply = (await this.#calls.read(tag, 'EVAL', SCAN_SCRIPT, keys.length, ...keys, ...args)) as RedisReply[]
    return [String(reply[0]), (reply[1] as readonly Buffer[]).map(rowKeyOf)]
  }

  #startOf(shard: number) {
    return { shard, epoch: this.#epoch, at: '0' }
  }

  #after(shard: number): ScanCursor | undefined {
    return shard + 1 < this.#shards.length ? cursorOf(shard + 1, this.#epoch, '0') : undefined
  }
}

function cursorOf(shard: number, epoch: number, at: string): ScanCursor {
  return `${shard} ${epoch} ${at}` as string as ScanCursor
}

function parseCursor(cursor: ScanCursor): { readonly shard: number; readonly epoch: number; readonly at: string } {
  const [shard, epoch, at] = cursor.split(' ')
  return { shard: Number(shard), epoch: Number(epoch), at: at! }
}

function nodeChanged(shard: number): TwinstoreError {
  return new TwinstoreError(
    'UNAVAILABLE',
    `the node of shard ${shard} was lost or replaced while its keys were listed; list them again`,
  )
}
