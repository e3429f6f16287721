/**
 * Writes batches in a loop and prints each acknowledged one as a line of JSON, until it is killed. Runs compiled code.
 *
 * Arguments: folder, durability, a name that no other run has. Several batches are under way at once, so that commits
 * are shared; every third carries a write id.
 */
import { writeSync } from 'node:fs'
import { entityKey, rowKey } from '../../dist/domain/entity-key.js'
import { encodeRow } from '../../dist/domain/row-codec.js'
import { systemClock } from '../../dist/lib/clock.js'
import { openLmdbStore } from '../../dist/online/lmdb/lmdb-store.js'
import { LMDB_LIMITS } from '../support/lmdb-limits.mjs'

const [dir, durability, run] = process.argv.slice(2)
const WRITERS = 4
const ROWS = 20
const KEYS = 60

const store = await openLmdbStore({ dir, shardCount: 2, clock: systemClock, ...LMDB_LIMITS, durability })
/** One system call per line: the line is in the pipe before anything else happens, also before a kill. */
const print = (line) => writeSync(1, `${JSON.stringify(line)}\n`)
print({ opened: true })

async function writer(number) {
  for (let batch = 0; ; batch++) {
    const names = Array.from({ length: ROWS }, (_, index) => `key-${(batch * 7 + number * 13 + index) % KEYS}`)
    const rows = names.map((name, index) => ({
      key: rowKey('view', entityKey(['string'], [name])),
      row: encodeRow({
        schemaId: 1,
        eventMicros: (batch * 31 + index * 17) % 97,
        createdMicros: 0,
        position: 0,
        values: [Buffer.alloc(1_500, `${run}/${number}/${batch}`)],
      }),
    }))
    const writeId = batch % 3 === 0 ? { writeId: `${run}/${number}/${batch}`, contentHash: 'hash' } : {}
    const outcomes = await store.write(rows, writeId)
    print({
      ...writeId,
      rows: outcomes.map(({ status, position }, index) => ({
        key: rows[index].key,
        eventMicros: (batch * 31 + index * 17) % 97,
        status,
        position,
      })),
    })
  }
}

await Promise.all(Array.from({ length: WRITERS }, (_, number) => writer(number)))
