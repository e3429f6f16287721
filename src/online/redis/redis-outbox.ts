/**
 * The outbox of a shard: a stream whose ids are positions.
 *
 * It is read in pages of about `PAGE_BYTES`, because Redis answers nobody else while it copies a page: a megabyte takes it
 * about half a millisecond.
 */
import type { RowKey } from '../../domain/entity-key.ts'
import type { Position } from '../../domain/version.ts'
import type { OutboxDepth, OutboxEntry } from '../online-store.ts'
import type { RedisCalls } from './redis-calls.ts'
import type { ShardKeys } from './redis-keys.ts'
import type { RedisReply } from './redis-link.ts'

const PAGE_BYTES = 1024 * 1024
/** Of the first page, whose entries may be of any size. */
const FIRST_PAGE_ROWS = 16
const PAGE_ROWS_MAX = 1000

type StreamEntry = readonly [id: Buffer, fields: readonly Buffer[]]

export async function readOutboxEntries(
  calls: RedisCalls,
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
    const page = (await calls.command(
      keys.tag,
      'XRANGE',
      keys.outbox,
      `(${streamId(from)}`,
      '+',
      'COUNT',
      count,
    )) as readonly StreamEntry[]
    for (const found of page) {
      const entry = decodeEntry(found)
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

function decodeEntry([id, fields]: StreamEntry): OutboxEntry {
  const [millis, micros] = id.toString('latin1').split('-')
  const position = (Number(millis) * 1000 + Number(micros)) as Position
  return { key: fields[1]!.toString('latin1') as RowKey, row: fields[3]!, position }
}

function streamId(position: number): string {
  return `${Math.floor(position / 1000)}-${position % 1000}`
}
