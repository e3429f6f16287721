/**
 * The outbox table. A key is shard (u16), position (u64) and the entry's size in bytes (u32), all big-endian, so that a
 * shard's entries sort by position and a trim can count bytes without reading rows. A value is the length of the row
 * key (u16), the row key and the row.
 */
import type { RowKey, Shard } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Position } from '../../domain/version.ts'
import type { OutboxEntry } from '../online-store.ts'
import type { Environment } from './environment.ts'
import { readCounters, writeCounters } from './store-header.ts'
import { readUint64, writeUint64 } from './uint64.ts'

const POSITION_AT = 2
const SIZE_AT = 10
const KEY_BYTES = 14

/** What an entry counts for in the outbox's bytes. */
export function entryBytes(key: RowKey, row: Buffer): number {
  return key.length + row.length
}

export function putOutboxEntry(env: Environment, shard: Shard, key: Buffer, row: Buffer, position: Position): void {
  const value = Buffer.allocUnsafeSlow(2 + key.length + row.length)
  value.writeUInt16BE(key.length, 0)
  value.set(key, 2)
  value.set(row, 2 + key.length)
  env.outbox.put(outboxKey(shard, position, key.length + row.length), value)
}

export function readOutboxEntries(
  env: Environment,
  shard: Shard,
  after: Position,
  limits: { readonly rows: number; readonly bytes: number },
): OutboxEntry[] {
  const entries: OutboxEntry[] = []
  let bytes = 0
  const range = { start: outboxKey(shard, after + 1, 0), end: outboxKey(shard + 1, 0, 0) }
  for (const { key, value } of env.outbox.getRange(range)) {
    bytes += key.readUInt32BE(SIZE_AT)
    const full = entries.length >= limits.rows || bytes > limits.bytes
    if (entries.length > 0 && full) break
    const entry = decodeEntry(readUint64(key, POSITION_AT) as Position, value)
    if (entry === undefined) {
      // Not even whose row it is can be read. The sound entries before it go out first; alone at the front it stops the
      // shard, since to skip it is to lose it.
      if (entries.length > 0) break
      throw corruptEntry(shard, key)
    }
    entries.push(entry)
  }
  return entries
}

/** Drops up to `rowsMax` entries up to `through`; false when none are left. Must run in a transaction. */
export function trimOutboxStep(env: Environment, shard: Shard, through: Position, rowsMax: number): boolean {
  const range = { start: outboxKey(shard, 0, 0), end: outboxKey(shard, through + 1, 0), limit: rowsMax }
  const keys = [...env.outbox.getKeys(range)]
  let bytes = 0
  for (const key of keys) {
    bytes += key.readUInt32BE(SIZE_AT)
    env.outbox.remove(key)
  }
  if (bytes > 0) {
    const counters = readCounters(env)
    writeCounters(env, { ...counters, outboxBytes: counters.outboxBytes - bytes })
  }
  return keys.length === rowsMax
}

function outboxKey(shard: number, position: number, size: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES)
  key.writeUInt16BE(shard, 0)
  writeUint64(key, position, POSITION_AT)
  key.writeUInt32BE(size, SIZE_AT)
  return key
}

/** A damaged row is given out as it is: the archiver checks rows, and sets aside what it cannot read. */
function decodeEntry(position: Position, value: Buffer): OutboxEntry | undefined {
  const keyEnd = value.length < 2 ? Number.POSITIVE_INFINITY : 2 + value.readUInt16BE(0)
  if (keyEnd > value.length) return undefined
  return { key: value.toString('latin1', 2, keyEnd) as RowKey, row: value.subarray(keyEnd), position }
}

function corruptEntry(shard: Shard, key: Buffer): TwinstoreError {
  return new TwinstoreError(
    'DATA_LOSS',
    `corrupt outbox entry at shard ${shard}, position ${readUint64(key, POSITION_AT)}: it cannot be archived; restore the online store's folder from a copy`,
  )
}
