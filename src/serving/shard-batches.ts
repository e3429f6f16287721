import { type Shard, shardOfRow } from '../domain/entity-key.ts'
import type { Flight } from './flight.ts'

/** Flights of one shard, so that a shard which does not answer holds up nobody else's keys (G8). */
export interface ShardBatch {
  readonly shard: Shard
  readonly flights: Flight[]
}

/** The flights by shard, in order, in batches of at most `batchKeysMax`. */
export function shardBatches(flights: readonly Flight[], shardCount: number, batchKeysMax: number): ShardBatch[] {
  const batches: ShardBatch[] = []
  /** By shard, the one that is not full. */
  const open: (ShardBatch | undefined)[] = []
  for (const flight of flights) {
    const shard = shardOfRow(flight.key, shardCount)
    let batch = open[shard]
    if (batch === undefined || batch.flights.length === batchKeysMax) {
      batch = { shard, flights: [] }
      open[shard] = batch
      batches.push(batch)
    }
    batch.flights.push(flight)
  }
  return batches
}
