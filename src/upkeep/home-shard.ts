/** The shard whose archiver also does a view's scheduled work: spreads the views over the instances. */
import type { Shard } from '../domain/entity-key.ts'
import { type FeatureView, storageId } from '../domain/registry.ts'
import { murmur3 } from '../lib/murmur3.ts'

export function homeShard(view: Pick<FeatureView, 'name' | 'version'>, shardCount: number): Shard {
  return (murmur3(Buffer.from(storageId(view), 'utf8').toString('latin1')) % shardCount) as Shard
}
