/** Writes until the disk is full, then checks that exactly the acknowledged rows are there. Runs compiled code. */
import { entityKey, rowKey } from '../../dist/domain/entity-key.js'
import { encodeRow } from '../../dist/domain/row-codec.js'
import { systemClock } from '../../dist/lib/clock.js'
import { openLmdbStore } from '../../dist/online/lmdb/lmdb-store.js'
import { LMDB_LIMITS } from '../support/lmdb-limits.mjs'

const store = await openLmdbStore({ dir: process.argv[2], shardCount: 1, clock: systemClock, ...LMDB_LIMITS })
const keyOf = (number) => rowKey('view', entityKey(['int64'], [BigInt(number)]))
const row = encodeRow({ schemaId: 1, eventMicros: 1, createdMicros: 0, position: 0, values: [Buffer.alloc(20_000)] })
const acknowledged = new Set()
const refusals = new Set()
const ATTEMPTS = 100

for (let number = 0; number < ATTEMPTS; number++) {
  try {
    await store.write([{ key: keyOf(number), row }])
    acknowledged.add(number)
  } catch (error) {
    refusals.add(error.code)
  }
}
const rows = await store.readMany(Array.from({ length: ATTEMPTS }, (_, number) => keyOf(number)))
const lost = [...acknowledged].filter((number) => !Buffer.isBuffer(rows[number])).length
const unexpected = rows.filter((row, number) => row !== null && !acknowledged.has(number)).length
process.stdout.write(JSON.stringify({ refusals: [...refusals], lost, unexpected }))
await store.close()
