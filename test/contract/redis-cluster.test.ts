import { afterAll, beforeAll } from 'vitest'
import { type RedisCluster, startCluster } from '../support/redis/redis-cluster.mjs'
import { onlineStoreContract } from './online-store.ts'
import { loopback, redisMaker } from './redis-fixture.ts'

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster.dispose())

const make = redisMaker(
  () =>
    loopback(
      'cluster',
      cluster.nodes.map(({ port }) => port),
    ),
  (key) => cluster.primaryOf(key),
  { count: 1, timeoutMs: 2000 },
)

onlineStoreContract('Redis Cluster, each write on a replica too,', make)
