/** What an adapter gives the contract suite, and the keys and rows the suite works with. */
import { entityKey, type RowKey, rowKey, type Shard, shardOf, splitRowKey } from '../../src/domain/entity-key.ts'
import { encodeRow, rowValues } from '../../src/domain/row-codec.ts'
import { NO_POSITION, type Position } from '../../src/domain/version.ts'
import type { OnlineStore, OutboxEntry, RowWrite } from '../../src/online/online-store.ts'

/** The limits that the suite sets small to reach them; an adapter takes its own defaults for the others. */
export interface ContractLimits {
  readonly outboxRowsMax?: number
  readonly outboxBytesMax?: number
}

/** A fresh store of an adapter, with at least two shards. */
export interface StoreUnderTest {
  readonly store: OnlineStore
  /** Closes nothing by itself: opens the same stored data again after the caller closed `store`. */
  reopen(): Promise<OnlineStore>
  /** Flips a bit in the stored value of a key, behind the store's back. */
  damage(key: RowKey): Promise<void>
  /** Closes what is open and removes the data. */
  dispose(): Promise<void>
}

export type MakeStore = (limits: ContractLimits) => Promise<StoreUnderTest>

export function keyOf(name: string | Buffer, view = 'airport_daily'): RowKey {
  if (typeof name === 'string') return rowKey(view, entityKey(['string'], [name]))
  return rowKey(view, name.toString('latin1') as Parameters<typeof rowKey>[1])
}

/** A row whose one value holds `content`; the store must give back exactly these bytes but for position and created. */
export function rowOf(eventMicros: number, content: string | Buffer, position: number = NO_POSITION): Buffer {
  const values = [typeof content === 'string' ? Buffer.from(content) : content]
  return encodeRow({ schemaId: 1, eventMicros, createdMicros: position, position: position as Position, values })
}

export function contentOf(row: unknown): string {
  return Buffer.isBuffer(row) ? rowValues(row)[0]!.toString('utf8') : String(row)
}

export function write(key: RowKey, eventMicros: number, content: string | Buffer): RowWrite {
  return { key, row: rowOf(eventMicros, content) }
}

export function shards(store: OnlineStore): Shard[] {
  return Array.from({ length: store.shardCount }, (_, index) => index as Shard)
}

export function shardOfKey(store: OnlineStore, key: RowKey): Shard {
  return shardOf(splitRowKey(key).entityKey, store.shardCount)
}

/** `count` keys that all belong to the shard of the first. */
export function keysOfOneShard(store: OnlineStore, count: number): RowKey[] {
  const keys: RowKey[] = []
  for (let index = 0; keys.length < count; index++) {
    const key = keyOf(`one-shard-${index}`)
    if (keys.length === 0 || shardOfKey(store, key) === shardOfKey(store, keys[0]!)) keys.push(key)
  }
  return keys
}

const WHOLE = { rows: 1_000_000, bytes: 1_000_000_000 }

export async function outboxOf(store: OnlineStore, shard: Shard): Promise<readonly OutboxEntry[]> {
  return await store.readOutbox(shard, NO_POSITION, WHOLE)
}

export async function wholeOutbox(store: OnlineStore): Promise<OutboxEntry[]> {
  return (await Promise.all(shards(store).map((shard) => outboxOf(store, shard)))).flat()
}

export async function emptyOutbox(store: OnlineStore): Promise<void> {
  for (const shard of shards(store)) {
    const entries = await outboxOf(store, shard)
    if (entries.length > 0) await store.trimOutbox(shard, entries.at(-1)!.position)
  }
}
