/** Applies rows inside one transaction: positions, values, outbox and write id change together. */
import { type RowKey, shardOfRow } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { WriteStatus } from '../../domain/outcome.ts'
import type { OnlineExtent } from '../../domain/registry.ts'
import { acceptRow, compareRowVersions, ROW_HEADER_BYTES, rowFault, rowPosition } from '../../domain/row-codec.ts'
import { nextPosition } from '../../domain/version.ts'
import type { RowOutcome, RowWrite, WriteOptions } from '../online-store.ts'
import { type Environment, entryCount } from './environment.ts'
import { isKeptOnline } from './horizons.ts'
import type { LmdbLimits } from './lmdb-options.ts'
import { entryBytes, putOutboxEntry } from './outbox.ts'
import { type Counters, readCounters, writeCounters } from './store-header.ts'
import { keyBytes } from './value-key.ts'
import { recallWrite, rememberWrite, writeIdKey } from './write-ids.ts'

/** Everything about a write that can be known and refused before its transaction. */
export interface PreparedWrite {
  readonly rows: readonly RowWrite[]
  readonly keys: readonly Buffer[]
  readonly outboxBytes: number
  readonly writeId: Buffer | undefined
  readonly contentHash: string
  readonly extent: OnlineExtent
}

export function prepareWrite(rows: readonly RowWrite[], options: WriteOptions): PreparedWrite {
  return {
    rows,
    keys: rows.map((row) => keyBytes(row.key)),
    outboxBytes: rows.reduce((bytes, { key, row }) => bytes + entryBytes(key, row), 0),
    writeId: options.writeId === undefined ? undefined : writeIdKey(options.writeId),
    contentHash: options.contentHash ?? '',
    extent: options.extent ?? 'all',
  }
}

export interface WriteEffect {
  readonly outcomes: readonly RowOutcome[]
  /** Keys whose value changed; none for a retry. */
  readonly changed: readonly RowKey[]
}

export function applyWrite(
  env: Environment,
  write: PreparedWrite,
  nowMicros: number,
  shardCount: number,
  limits: LmdbLimits,
): WriteEffect {
  if (write.writeId !== undefined) {
    const outcomes = recallWrite(env, write.writeId, write.contentHash, nowMicros, limits)
    if (outcomes !== undefined) return { outcomes, changed: [] }
  }
  const counters = readCounters(env)
  refuseWithoutRoom(env, write, counters, limits)

  const outcomes: RowOutcome[] = []
  const changed: RowKey[] = []
  let last = counters.position
  for (const [index, { key, row }] of write.rows.entries()) {
    const position = nextPosition(last, nowMicros)
    const bytes = write.keys[index]!
    const accepted = acceptRow(row, position)
    const isKept = write.extent === 'all' || isKeptOnline(env, write.extent, key, bytes, accepted)
    const status = isKept ? putIfGreater(env, bytes, accepted) : 'HISTORY_ONLY'
    putOutboxEntry(env, shardOfRow(key, shardCount), bytes, accepted, position)
    if (status === 'APPLIED') changed.push(key)
    outcomes.push({ status, position })
    last = position
  }

  if (write.writeId !== undefined) {
    // A position of its own keeps records of the same microsecond apart, also for a write without rows.
    last = nextPosition(last, nowMicros)
    rememberWrite(env, write.writeId, { contentHash: write.contentHash, outcomes }, nowMicros, last, limits)
  }
  writeCounters(env, { position: last, outboxBytes: counters.outboxBytes + write.outboxBytes })
  return { outcomes, changed }
}

/** Stores rows with the positions in them; future positions are greater than all of those, so that a later write wins. */
export function putRows(
  env: Environment,
  rows: readonly RowWrite[],
  keys: readonly Buffer[],
  put: PutRow,
): readonly WriteStatus[] {
  const counters = readCounters(env)
  const statuses = rows.map(({ row }, index) => put(env, keys[index]!, row))
  const position = rows.reduce((greatest, { row }) => Math.max(greatest, rowPosition(row)), counters.position)
  if (position > counters.position) writeCounters(env, { ...counters, position })
  return statuses
}

export type PutRow = (env: Environment, key: Buffer, row: Buffer) => WriteStatus

/** Replaces what is damaged, and what has the same version. */
export function putOverDamage(env: Environment, key: Buffer, row: Buffer): WriteStatus {
  const found = env.values.getBinaryFast(key)
  const stored = found?.subarray(0, found.length)
  const stays = stored !== undefined && rowFault(stored) === undefined && compareRowVersions(row, stored) < 0
  if (stays) return 'SUPERSEDED'
  env.values.put(key, row)
  return 'APPLIED'
}

export function putIfGreater(env: Environment, key: Buffer, row: Buffer): WriteStatus {
  const stored = env.values.getBinaryFast(key)
  // What is too short to hold a version cannot be compared, and has nothing worth keeping.
  const superseded = stored !== undefined && stored.length >= ROW_HEADER_BYTES && compareRowVersions(row, stored) <= 0
  if (superseded) return 'SUPERSEDED'
  env.values.put(key, row)
  return 'APPLIED'
}

function refuseWithoutRoom(env: Environment, write: PreparedWrite, counters: Counters, limits: LmdbLimits): void {
  const waiting = entryCount(env.outbox)
  if (waiting + write.rows.length > limits.outboxRowsMax) {
    throw full('outbox-rows-max', `${limits.outboxRowsMax} rows`, `${waiting} wait, ${write.rows.length} came`)
  }
  if (counters.outboxBytes + write.outboxBytes > limits.outboxBytesMax) {
    const detail = `${counters.outboxBytes} bytes wait, ${write.outboxBytes} came`
    throw full('outbox-bytes-max', `${limits.outboxBytesMax} bytes`, detail)
  }
  refuseFullStore(env, limits)
}

export function refuseFullStore(env: Environment, limits: LmdbLimits): void {
  const usedBytes = env.usedBytes()
  if (usedBytes < limits.storeBytesMax) return
  throw new TwinstoreError(
    'RESOURCE_EXHAUSTED',
    `the online store holds ${usedBytes} bytes, which is the limit lmdb-bytes-max (${limits.storeBytesMax}); nothing was written, reads go on: raise the limit, or remove views that are not needed online`,
  )
}

function full(option: string, limit: string, detail: string): TwinstoreError {
  return new TwinstoreError(
    'RESOURCE_EXHAUSTED',
    `the outbox has no room: ${detail}, the limit ${option} is ${limit}; nothing was written: try again when the archiver has moved rows to the offline store, send smaller batches, or raise the limit`,
  )
}
