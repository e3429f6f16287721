/** Removes rows by their position. Must run in a transaction. */
import { ROW_HEADER_BYTES, rowPosition } from '../../domain/row-codec.ts'
import type { Position } from '../../domain/version.ts'
import type { Environment } from './environment.ts'

/** Whether each was there and is removed. What is too short to have a position stays: reads report it. */
export function removeRows(env: Environment, keys: readonly Buffer[], before: Position): boolean[] {
  return keys.map((key) => {
    const stored = env.values.getBinaryFast(key)
    if (stored === undefined || stored.length < ROW_HEADER_BYTES || rowPosition(stored) >= before) return false
    env.values.remove(key)
    return true
  })
}
