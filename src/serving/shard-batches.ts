import { shardOfRow } from '../domain/entity-key.ts'
import type { Flight } from './flight.ts'

/**
 * The flights by shard, in order, in batches of at most `batchKeysMax`. One batch has one shard, so that a shard which
 * does not answer holds up nobody else's keys (G8).
 */
export function shardBatches(flights: readonly Flight[], shardCount: number, batchKeysMax: number): Flight[][] {
  if (shardCount === 1 && flights.length <= batchKeysMax) return [flights as Flight[]]
  const batches: Flight[][] = []
  const open = new Map<number, Flight[]>()
  for (const flight of flights) {
    const shard = shardOfRow(flight.key, shardCount)
    const batch = open.get(shard)
    if (batch !== undefined && batch.length < batchKeysMax) batch.push(flight)
    else {
      const next = [flight]
      open.set(shard, next)
      batches.push(next)
    }
  }
  return batches
}
