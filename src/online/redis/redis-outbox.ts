/**
 * The outbox of a shard: a stream whose ids are positions.
 *
 * It is read in pages of about `PAGE_BYTES`, because Redis answers nobody else while it copies a page: a megabyte takes it
 * about half a millisecond.
 */
import type { RowKey } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Position } from '../../domain/version.ts'
import type { OutboxDepth, OutboxEntry } from '../online-store.ts'
import { type RedisCalls, script } from './redis-calls.ts'
import type { ShardKeys } from './redis-keys.ts'
import type { RedisReply } from './redis-link.ts'
import { READ_OUTBOX_SCRIPT } from './scripts/position-scripts.ts'

const PAGE_BYTES = 1024 * 1024
/** Of the first page, whose entries may be of any size. */
const FIRST_PAGE_ROWS = 16
const PAGE_ROWS_MAX = 1000

type StreamEntry = readonly [id: Buffer, fields: readonly Buffer[] | null]

const READ_OUTBOX = script(READ_OUTBOX_SCRIPT)

/** Up to `count` entries after a position. */
type ReadPage = (keys: ShardKeys, after: Position, count: number) => Promise<readonly StreamEntry[]>

export function primaryPages(calls: RedisCalls): ReadPage {
  return async ({ tag, outbox }, after, count) =>
    (await calls.command(tag, 'XRANGE', outbox, `(${streamId(after)}`, '+', 'COUNT', count)) as readonly StreamEntry[]
}

/**
 * Pages that the replicas which writes wait for have too. A row must not be archived that a failover can take back: the shard
 * would give its position to another.
 */
export function replicatedPages(calls: RedisCalls): ReadPage {
  return async ({ tag, state, outbox }, after, count) =>
    (await calls.run(tag, READ_OUTBOX, [state, outbox], [streamId(after), count])) as readonly StreamEntry[]
}

export async function readOutboxEntries(
  readPage: ReadPage,
  keys: ShardKeys,
  after: Position,
  limits: { readonly rows: number; readonly bytes: number },
): Promise<OutboxEntry[]> {
  const entries: OutboxEntry[] = []
  let bytes = 0
  let from = after
  let pageRows = FIRST_PAGE_ROWS
  for (;;) {
    const count = Math.min(pageRows, limits.rows - entries.length)
    const page = await readPage(keys, from, count)
    for (const found of page) {
      const entry = decodeEntry(found)
      if (entry === undefined) {
        // Not even whose row it is can be read. The sound entries before it go out first; alone at the front it stops the
        // shard, since to skip it is to lose it.
        if (entries.length > 0) return entries
        throw corruptEntry(keys, found)
      }
      bytes += entry.key.length + entry.row.length
      if (entries.length > 0 && bytes > limits.bytes) return entries
      entries.push(entry)
    }
    if (page.length < count || entries.length >= limits.rows) return entries
    from = entries.at(-1)!.position
    pageRows = Math.max(1, Math.min(PAGE_ROWS_MAX, Math.floor(PAGE_BYTES / (bytes / entries.length))))
  }
}

export async function outboxDepth(calls: RedisCalls, shards: readonly ShardKeys[]): Promise<OutboxDepth> {
  const depths = await Promise.all(
    shards.map(async ({ tag, outbox, state }) => {
      const [rows, counters] = await Promise.all([
        calls.command(tag, 'XLEN', outbox),
        calls.command(tag, 'HMGET', state, 'in', 'out'),
      ])
      const [bytesIn, bytesOut] = counters as readonly RedisReply[]
      return { rows: Number(rows), bytes: Number(bytesIn ?? 0) - Number(bytesOut ?? 0) }
    }),
  )
  return depths.reduce((sum, { rows, bytes }) => ({ rows: sum.rows + rows, bytes: sum.bytes + bytes }), {
    rows: 0,
    bytes: 0,
  })
}

function decodeEntry([id, fields]: StreamEntry): OutboxEntry | undefined {
  const [keyField, key, rowField, row] = fields ?? []
  if (String(keyField) !== 'key' || String(rowField) !== 'row') return undefined
  const [millis, micros] = id.toString('latin1').split('-')
  const position = (Number(millis) * 1000 + Number(micros)) as Position
  return { key: key!.toString('latin1') as RowKey, row: row!, position }
}

function corruptEntry({ outbox }: ShardKeys, [id]: StreamEntry): TwinstoreError {
  return new TwinstoreError(
    'DATA_LOSS',
    `corrupt entry ${id} in ${outbox}: it cannot be archived; restore Redis from a copy, or give the row up (XDEL ${outbox} ${id})`,
  )
}

function streamId(position: number): string {
  return `${Math.floor(position / 1000)}-${position % 1000}`
}
