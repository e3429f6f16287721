/**
 * The outcomes of writes that carried a write id, so that a retry gets the same ones.
 *
 * `write-ids` maps an id to when it was recorded (u64 microseconds), a sequence (u64), the content hash and the
 * outcomes; `write-id-expiry` maps (recorded, sequence) to the id, oldest first. Bounded by age and by number: every
 * recording write forgets up to `FORGET_STEP` of the oldest that are too old or too many, so that no write pays for a
 * long clean-up, and the tables shrink faster than they grow.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { WriteStatus } from '../../domain/outcome.ts'
import type { Position } from '../../domain/version.ts'
import type { RowOutcome } from '../online-store.ts'
import { type Environment, entryCount, KEY_BYTES_MAX } from './environment.ts'
import { readUint64, writeUint64 } from './uint64.ts'

const FORGET_STEP = 4
const HASH_LENGTH_AT = 16
const HASH_AT = 18
const OUTCOME_BYTES = 9
/** By the byte that stands for each in a record. */
const STATUSES: readonly WriteStatus[] = ['SUPERSEDED', 'APPLIED', 'HISTORY_ONLY']

export interface WriteIdLimits {
  readonly writeIdRetentionSeconds: number
  readonly writeIdsMax: number
}

export function writeIdKey(writeId: string): Buffer {
  const key = Buffer.from(writeId, 'utf8')
  if (key.length > 0 && key.length <= KEY_BYTES_MAX) return key
  throw new TwinstoreError(
    'INVALID_ARGUMENT',
    `write_id has ${key.length} bytes; the LMDB online store takes 1 to ${KEY_BYTES_MAX}`,
  )
}

/** The outcomes of an earlier write with this id; ALREADY_EXISTS if that had other content. */
export function recallWrite(
  env: Environment,
  key: Buffer,
  contentHash: string,
  nowMicros: number,
  limits: WriteIdLimits,
): readonly RowOutcome[] | undefined {
  const record = env.writeIds.get(key)
  if (record === undefined || isExpired(readUint64(record, 0), nowMicros, limits)) return undefined
  const hashEnd = HASH_AT + record.readUInt16BE(HASH_LENGTH_AT)
  if (record.toString('utf8', HASH_AT, hashEnd) === contentHash) return decodeOutcomes(record, hashEnd)
  throw new TwinstoreError(
    'ALREADY_EXISTS',
    `write_id ${key.toString('utf8')} was used by a write with other rows: give each write an id of its own, and repeat an id only with the same rows`,
  )
}

/** `sequence` tells apart ids recorded at the same time. Must run in the transaction of the write. */
export function rememberWrite(
  env: Environment,
  key: Buffer,
  write: { readonly contentHash: string; readonly outcomes: readonly RowOutcome[] },
  nowMicros: number,
  sequence: number,
  limits: WriteIdLimits,
): void {
  const replaced = env.writeIds.get(key)
  if (replaced !== undefined) env.writeIdExpiry.remove(replaced.subarray(0, HASH_LENGTH_AT))
  const record = encodeRecord(write.contentHash, write.outcomes, nowMicros, sequence)
  env.writeIds.put(key, record)
  env.writeIdExpiry.put(Buffer.from(record.subarray(0, HASH_LENGTH_AT)), key)
  forgetOldest(env, nowMicros, limits)
}

function forgetOldest(env: Environment, nowMicros: number, limits: WriteIdLimits): void {
  let surplus = entryCount(env.writeIdExpiry) - limits.writeIdsMax
  for (const { key, value } of [...env.writeIdExpiry.getRange({ limit: FORGET_STEP })]) {
    if (surplus <= 0 && !isExpired(readUint64(key, 0), nowMicros, limits)) return
    env.writeIdExpiry.remove(key)
    env.writeIds.remove(value)
    surplus--
  }
}

function isExpired(recordedMicros: number, nowMicros: number, limits: WriteIdLimits): boolean {
  return nowMicros - recordedMicros > limits.writeIdRetentionSeconds * 1_000_000
}

function encodeRecord(
  contentHash: string,
  outcomes: readonly RowOutcome[],
  nowMicros: number,
  sequence: number,
): Buffer {
  const hash = Buffer.from(contentHash, 'utf8')
  const record = Buffer.allocUnsafeSlow(HASH_AT + hash.length + outcomes.length * OUTCOME_BYTES)
  writeUint64(record, nowMicros, 0)
  writeUint64(record, sequence, 8)
  record.writeUInt16BE(hash.length, HASH_LENGTH_AT)
  record.set(hash, HASH_AT)
  let at = HASH_AT + hash.length
  for (const { status, position } of outcomes) {
    record[at] = STATUSES.indexOf(status)
    writeUint64(record, position, at + 1)
    at += OUTCOME_BYTES
  }
  return record
}

function decodeOutcomes(record: Buffer, start: number): RowOutcome[] {
  const outcomes: RowOutcome[] = []
  for (let at = start; at < record.length; at += OUTCOME_BYTES) {
    const position = readUint64(record, at + 1) as Position
    outcomes.push({ status: STATUSES[record[at]!]!, position })
  }
  return outcomes
}
