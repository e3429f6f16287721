import { afterAll, beforeAll } from 'vitest'
import { type RedisProcess, startRedis } from '../support/redis/redis-process.mjs'
import { onlineStoreContract } from './online-store.ts'
import { loopback, redisMaker } from './redis-fixture.ts'

let redis: RedisProcess
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.dispose())

onlineStoreContract(
  'Redis',
  redisMaker(
    () => loopback('standalone', [redis.port]),
    async () => redis,
  ),
)
