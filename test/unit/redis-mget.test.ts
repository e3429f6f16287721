/** The MGET of the read path is byte for byte what ioredis would send. */
import fc from 'fast-check'
import { Command } from 'ioredis'
import { expect, test } from 'vitest'
import { type EntityKey, rowKey } from '../../src/domain/entity-key.ts'
import { encodeMget, shardKeys, valueKey } from '../../src/online/redis/redis-keys.ts'

/** Any bytes: int64 keys have all of them, and long string keys make names of several hundred. */
const keys = fc.array(
  fc
    .uint8Array({ maxLength: 200 })
    .map((bytes) => rowKey('route_daily@2', Buffer.from(bytes).toString('latin1') as EntityKey)),
  { minLength: 1, maxLength: 120 },
)

test('the bytes are those of the arguments one by one', () => {
  fc.assert(
    fc.property(keys, fc.constantFrom('p', 'a-project.with_a-name'), (rowKeys, project) => {
      const [shard] = shardKeys(project, 1)
      const names = rowKeys.map((key) => valueKey(shard!, key))
      const expected = new Command('MGET', names, { replyEncoding: null }).toWritable({} as never)
      expect(encodeMget(shard!, rowKeys).equals(Buffer.from(expected as Buffer))).toBe(true)
    }),
  )
})
