/**
 * Reads rows by key, on the event loop, in slices.
 *
 * A read of LMDB is a look into mapped memory: about 2 µs with the copy and the checksum of a 2 KB row, less than a trip to
 * another thread. What is large is cut into slices of at most 256 rows or 1 MiB (about 0.5 ms), between which other
 * requests run; each slice sees the newest commits.
 *
 * `getBinaryFast` returns a buffer that the next read overwrites (a small row) or a view into the map, which the next
 * commit may overwrite (a large one), so every row is copied into memory of its own.
 */
import { setImmediate } from 'node:timers/promises'
import type { RowKey } from '../../domain/entity-key.ts'
import { asTwinstoreError, TwinstoreError } from '../../domain/errors.ts'
import type { RowResult } from '../../domain/outcome.ts'
import { rowFault } from '../../domain/row-codec.ts'
import { keyName } from '../key-name.ts'
import type { Environment } from './environment.ts'
import { keyBytes } from './value-key.ts'

const SLICE_ROWS = 256
const SLICE_BYTES = 1024 * 1024

export async function readRows(
  env: Environment,
  keys: readonly RowKey[],
  checkUsable: () => void,
): Promise<readonly RowResult[]> {
  const results: RowResult[] = []
  for (;;) {
    checkUsable()
    env.refresh()
    readSlice(env, keys, results)
    if (results.length === keys.length) return results
    await setImmediate()
  }
}

function readSlice(env: Environment, keys: readonly RowKey[], results: RowResult[]): void {
  const end = Math.min(keys.length, results.length + SLICE_ROWS)
  for (let bytes = 0; results.length < end && bytes < SLICE_BYTES; ) {
    const result = readRow(env, keys[results.length]!)
    if (Buffer.isBuffer(result)) bytes += result.length
    results.push(result)
  }
}

function readRow(env: Environment, key: RowKey): RowResult {
  try {
    const found = env.values.getBinaryFast(keyBytes(key))
    if (found === undefined) return null
    // lmdb-js puts the row's length on a longer buffer as an own property; `subarray` then is what copies no more.
    const row = Buffer.allocUnsafeSlow(found.length)
    row.set(found.subarray(0, found.length))
    const fault = rowFault(row)
    if (fault === undefined) return row
    return new TwinstoreError('DATA_LOSS', `${fault.message} (${keyName(key)}): write the row again`)
  } catch (error) {
    return asTwinstoreError(error)
  }
}
