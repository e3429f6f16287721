/**
 * Writes a batch: one script per shard, all in parallel.
 *
 * A client's write id is first bound to its content on the id's home shard, because a second write with that id may have rows
 * of other shards; then each shard's script keeps its own record. The binding is taken back when nothing was written.
 *
 * A write without an id has a record too, for the link's own repetitions: about 200 bytes per shard and batch (measured) for
 * `ATTEMPT_LIFE_MARGIN_MS` and twice the time of repeating, so 1,000 of them a second hold some 15 MB.
 */
import { randomUUID } from 'node:crypto'
import { type EntityKey, type Shard, shardOf } from '../../domain/entity-key.ts'
import { type ErrorCode, TwinstoreError } from '../../domain/errors.ts'
import type { WriteStatus } from '../../domain/outcome.ts'
import type { OnlineExtent } from '../../domain/registry.ts'
import type { Position } from '../../domain/version.ts'
import { nextTurn } from '../../lib/next-turn.ts'
import type { RowOutcome, RowWrite, WriteOptions } from '../online-store.ts'
import { type RedisCalls, script } from './redis-calls.ts'
import { redisError } from './redis-errors.ts'
import { byShard, type ShardKeys, valueKey } from './redis-keys.ts'
import type { RedisReply } from './redis-link.ts'
import { mendShard } from './redis-mend.ts'
import type { RedisStoreOptions } from './redis-store-options.ts'
import { NAME_SCRIPT, SEED_SCRIPT } from './scripts/position-scripts.ts'
import { WRITE_SCRIPT } from './scripts/write-script.ts'

const WRITE = script(WRITE_SCRIPT)
const SEED = script(SEED_SCRIPT)
const NAME = script(NAME_SCRIPT)
/** Longer than the link goes on repeating a script, and than a paused Redis may take to run what lies in its sockets. */
const ATTEMPT_LIFE_MARGIN_MS = 60_000
/** What goes to Redis in one turn of the event loop: encoding 1 MiB and handing it to the kernel takes 1 to 2 ms. */
const TURN_BYTES_MAX = 1024 * 1024

export interface WriterParts {
  readonly calls: RedisCalls
  readonly storeId: string
  readonly shards: readonly ShardKeys[]
  readonly options: RedisStoreOptions
}

interface Token {
  readonly suffix: string
  readonly contentHash: string
  readonly lifeMs: number
  /** Zero for a token of our own, which is not counted among the write ids. */
  readonly idsMax: number
  readonly extent: OnlineExtent
}

export async function writeRows(
  parts: WriterParts,
  rows: readonly RowWrite[],
  { writeId, contentHash = '', extent = 'all' }: WriteOptions,
): Promise<readonly RowOutcome[]> {
  const { options, shards } = parts
  const groups = [
    ...byShard(
      rows.map(({ key }) => key),
      shards.length,
    ),
  ]
  if (writeId === undefined) {
    const lifeMs = 2 * options.writeTimeoutMs + ATTEMPT_LIFE_MARGIN_MS
    return await writeGroups(parts, rows, groups, {
      suffix: `t${randomUUID()}`,
      contentHash,
      lifeMs,
      idsMax: 0,
      extent,
    })
  }
  const token = {
    suffix: `w${Buffer.from(writeId, 'utf8').toString('latin1')}`,
    contentHash,
    lifeMs: options.writeIdRetentionSeconds * 1000,
    idsMax: share(options.writeIdsMax, shards),
    extent,
  }
  const bound = await bindWriteId(parts, writeId, token)
  try {
    return await writeGroups(parts, rows, groups, token)
  } catch (error) {
    if (bound.isNew && error instanceof PartialWrite && error.isNothingWritten) await bound.undo()
    throw error instanceof PartialWrite ? error.error : error
  }
}

async function bindWriteId(
  { calls, shards }: WriterParts,
  writeId: string,
  { contentHash, lifeMs, idsMax }: Token,
): Promise<{ readonly isNew: boolean; undo(): Promise<void> }> {
  const id = Buffer.from(writeId, 'utf8').toString('latin1')
  const { tag, recordPrefix, ids } = shards[shardOf(id as EntityKey, shards.length)]!
  const name = latin1(`${recordPrefix}n${id}`)
  const args = [contentHash, lifeMs, idsMax, latin1(`n${id}`), recordPrefix]
  const answer = String(await calls.run(tag, NAME, [name, ids], args))
  if (answer === 'CLASH') throw clash(writeId)
  return {
    isNew: answer === 'NEW',
    undo: async () => {
      await calls.change(tag, 'DEL', name).catch(() => undefined)
    },
  }
}

async function writeGroups(
  parts: WriterParts,
  rows: readonly RowWrite[],
  groups: readonly (readonly [Shard, readonly number[]])[],
  token: Token,
): Promise<readonly RowOutcome[]> {
  const outcomes = new Array<RowOutcome>(rows.length)
  const failures: Failure[] = []
  async function writeGroup(shard: Shard, group: readonly RowWrite[], indexes: readonly number[]): Promise<void> {
    try {
      const { first, letters } = await writeShard(parts, parts.shards[shard]!, group, token)
      for (const [at, index] of indexes.entries()) {
        outcomes[index] = { status: statusOf(letters[at]), position: (first + at) as Position }
      }
    } catch (error) {
      failures.push({ shard, rowCount: indexes.length, error: redisError(error) })
    }
  }
  const writing: Promise<void>[] = []
  let turnBytes = 0
  for (const [shard, indexes] of groups) {
    const group = indexes.map((index) => rows[index]!)
    const bytes = group.reduce((sum, { row }) => sum + row.length, 0)
    if (turnBytes > 0 && turnBytes + bytes > TURN_BYTES_MAX) {
      turnBytes = 0
      await nextTurn()
    }
    turnBytes += bytes
    writing.push(writeGroup(shard, group, indexes))
  }
  await Promise.all(writing)
  if (failures.length === 0) return outcomes
  const isNothingWritten = failures.length === groups.length && failures.every(({ error }) => isRefusal(error.code))
  const error = failureOf(failures, rows.length)
  throw token.idsMax === 0 ? error : new PartialWrite(error, isNothingWritten)
}

async function writeShard(
  { calls, storeId, shards, options }: WriterParts,
  keys: ShardKeys,
  rows: readonly RowWrite[],
  { suffix, contentHash, lifeMs, idsMax, extent }: Token,
): Promise<{ readonly first: number; readonly letters: string }> {
  const record = latin1(`${keys.recordPrefix}${suffix}`)
  const [rowsMax, bytesMax] = [share(options.outboxRowsMax, shards), share(options.outboxBytesMax, shards)]
  const reply = (await calls.run(
    keys.tag,
    WRITE,
    [keys.state, keys.outbox, record, keys.ids, ...rows.map(({ key }) => valueKey(keys, key))],
    [
      ...[storeId, rowsMax, bytesMax, contentHash, lifeMs, idsMax, latin1(suffix), keys.recordPrefix],
      ...[keys.valuePrefix.length, extent, ...rows.map(({ row }) => row)],
    ],
  )) as readonly RedisReply[]
  const [kind, one, two] = reply.map(String)
  switch (kind) {
    case 'OK':
      return { first: Number(one), letters: two ?? '' }
    case 'ROWS':
      throw full(keys, 'outbox-rows-max', `${rowsMax} rows`, `${one} wait, ${rows.length} came`, shards, options)
    case 'BYTES':
      throw full(keys, 'outbox-bytes-max', `${bytesMax} bytes`, `${one} bytes wait, ${two} came`, shards, options)
    case 'CLASH':
      throw clash(suffix.slice(1))
    default:
      throw lost(keys)
  }
}

/** Rows with positions of their own, no outbox. */
export function seedRows(parts: WriterParts, rows: readonly RowWrite[]): Promise<readonly WriteStatus[]> {
  return storeRows(parts, rows, async (keys, ofShard) => {
    const names = ofShard.map(({ key }) => valueKey(keys, key))
    const args = [parts.storeId, ...ofShard.map(({ row }) => row)]
    return (await parts.calls.run(keys.tag, SEED, [keys.state, ...names], args)) as RedisReply[]
  })
}

export function mendRows(parts: WriterParts, rows: readonly RowWrite[]): Promise<readonly WriteStatus[]> {
  return storeRows(parts, rows, (keys, ofShard) => mendShard(parts.calls, parts.storeId, keys, ofShard))
}

/** The rows of each shard by a script that replies OK and a letter per row, or LOST. */
async function storeRows(
  { shards }: WriterParts,
  rows: readonly RowWrite[],
  store: (keys: ShardKeys, rows: readonly RowWrite[]) => Promise<readonly RedisReply[]>,
): Promise<readonly WriteStatus[]> {
  const statuses = new Array<WriteStatus>(rows.length)
  const groups = byShard(
    rows.map(({ key }) => key),
    shards.length,
  )
  await Promise.all(
    [...groups].map(async ([shard, indexes]) => {
      const keys = shards[shard]!
      const reply = await store(
        keys,
        indexes.map((index) => rows[index]!),
      )
      const [kind, letters] = reply.map(String)
      if (kind !== 'OK') throw lost(keys)
      for (const [at, index] of indexes.entries()) statuses[index] = statusOf(letters?.[at])
    }),
  )
  return statuses
}

interface Failure {
  readonly shard: Shard
  readonly rowCount: number
  readonly error: TwinstoreError
}

/** Inside the writer only: whether the write id may be used for something else. */
class PartialWrite extends Error {
  readonly error: TwinstoreError
  readonly isNothingWritten: boolean

  constructor(error: TwinstoreError, isNothingWritten: boolean) {
    super(error.message)
    this.error = error
    this.isNothingWritten = isNothingWritten
  }
}

/** The failure of the whole batch: the least certain of its shards' decides, since it says what the client must fear. */
function failureOf(failures: readonly Failure[], rowCount: number): TwinstoreError {
  const worst = failures.find(({ error }) => !isRefusal(error.code)) ?? failures[0]!
  const failed = failures.reduce((sum, failure) => sum + failure.rowCount, 0)
  if (failed === rowCount) return worst.error
  const shards = failures.map(({ shard }) => shard).sort((a, b) => a - b)
  return new TwinstoreError(
    worst.error.code,
    `${failed} of ${rowCount} rows (shard ${shards.join(', ')}) are not acknowledged: ${worst.error.message}. The other ${rowCount - failed} rows are written; repeat the request with the same write_id to write what is missing and nothing twice`,
    { cause: worst.error },
  )
}

/** Whether the shard certainly wrote nothing. */
function isRefusal(code: ErrorCode): boolean {
  return code === 'RESOURCE_EXHAUSTED' || code === 'ALREADY_EXISTS' || code === 'FAILED_PRECONDITION'
}

function statusOf(letter: string | undefined): WriteStatus {
  if (letter === 'H') return 'HISTORY_ONLY'
  return letter === 'A' ? 'APPLIED' : 'SUPERSEDED'
}

/** A shard's part of a limit on the whole store. */
function share(limit: number, shards: readonly ShardKeys[]): number {
  return Math.ceil(limit / shards.length)
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function clash(writeId: string): TwinstoreError {
  return new TwinstoreError(
    'ALREADY_EXISTS',
    `write_id ${writeId} was used by a write with other rows: give each write an id of its own, and repeat an id only with the same rows`,
  )
}

function full(
  { shard }: ShardKeys,
  option: 'outbox-rows-max' | 'outbox-bytes-max',
  limit: string,
  detail: string,
  shards: readonly ShardKeys[],
  { outboxRowsMax, outboxBytesMax }: RedisStoreOptions,
): TwinstoreError {
  const whole = option === 'outbox-rows-max' ? outboxRowsMax : outboxBytesMax
  return new TwinstoreError(
    'RESOURCE_EXHAUSTED',
    `the outbox of shard ${shard} has no room: ${detail}, the limit ${option} is ${whole} for ${shards.length} shards, ${limit} each; its rows were not written: try again when the archiver has moved rows to the offline store, send smaller batches, or raise the limit`,
  )
}

export function lost({ shard }: ShardKeys): TwinstoreError {
  return new TwinstoreError(
    'FAILED_PRECONDITION',
    `shard ${shard} of the online store was emptied behind this instance (FLUSHALL, or Redis came back without its data); nothing was written: restart the instances, which makes it anew and brings the latest rows back from the offline store`,
  )
}
