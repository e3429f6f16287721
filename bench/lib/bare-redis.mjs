/**
 * A bare ioredis client that knows which node holds each shard: what a program would do that has nothing but ioredis.
 *
 * One connection per primary, every command written at once. Measured on the machine of the README (100 rows of 2 KB, 16
 * shards, 1 to 16 batches in flight): so one MGET per shard brings 370-410k rows/s, through `pipeline()` 250-310k, through
 * autopipelining 230-300k, one GET per row 130k. `ioredis.Cluster` does the same and looks up the slot of every key besides. The
 * fastest is the baseline. (One MGET per node brings 400-620k, but a Cluster refuses keys of several slots.)
 */
import { Redis } from 'ioredis'

/** `cluster` is of `test/support/redis/`, `shards` the store's keys. Resolves to the client for each shard. */
export async function openBareRedis(defer, cluster, shards) {
  const byPort = new Map()
  const clients = []
  for (const { tag } of shards) {
    const { port } = await cluster.primaryOf(`{${tag}}`)
    if (!byPort.has(port)) byPort.set(port, connection(defer, port))
    clients.push(byPort.get(port))
  }
  await Promise.all([...byPort.values()].map((client) => client.ping()))
  return clients
}

function connection(defer, port) {
  // RESP3, the default of ioredis 6, is no faster; this is what the store uses.
  const client = new Redis({ host: '127.0.0.1', port, protocol: 2 })
  defer(() => client.disconnect())
  return client
}
