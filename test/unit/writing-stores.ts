/** The embedded online store on a temporary folder, and an offline store in memory whose faults a test can script. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { entityKey, type RowKey, rowKey } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { type FeatureView, storageId } from '../../src/domain/registry.ts'
import { compareRowVersions, rowEventMicros, rowValues } from '../../src/domain/row-codec.ts'
import { decodeValue } from '../../src/domain/value-codec.ts'
import type { Position } from '../../src/domain/version.ts'
import type { Clock } from '../../src/lib/clock.ts'
import type {
  AppendResult,
  KeptRows,
  LatestOptions,
  OfflineStore,
  OutboxBatch,
  OutboxSource,
} from '../../src/offline/offline-store.ts'
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts'
import type { Invalidation, OnlineStore, OutboxEntry, RowWrite } from '../../src/online/online-store.ts'
import { LMDB_LIMITS } from '../support/lmdb-limits.mjs'
import { ManualClock } from './writing-fixture.ts'

export async function temporaryFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-writing-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export async function openTestStore(shardCount = 4, clock: Clock = new ManualClock()): Promise<OnlineStore> {
  return openIn(await temporaryFolder(), shardCount, clock)
}

async function openIn(dir: string, shardCount: number, clock: Clock): Promise<OnlineStore> {
  const store = await openLmdbStore({ ...LMDB_LIMITS, durability: 'process', dir, shardCount, clock })
  onTestFinished(() => store.close())
  return store
}

/** A store with a copy that has only what was there at the last `replicate`, as a replica that lags. */
export interface ReplicatedStore {
  readonly online: OnlineStore
  replicate(): Promise<void>
  /** From now on the copy is the store. Whoever watches is told that something happened, as Redis does. */
  failOver(): Promise<void>
}

export async function openReplicatedStore(shardCount: number, clock: Clock): Promise<ReplicatedStore> {
  const primaryDir = await temporaryFolder()
  const replicaDir = join(await temporaryFolder(), 'replica')
  let current = await openIn(primaryDir, shardCount, clock)
  const listeners = new Set<(changed: Invalidation) => void>()
  const own = {
    watch(listener: (changed: Invalidation) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const online = new Proxy(current, {
    get: (_, name: keyof OnlineStore) => (name === 'watch' ? own.watch : current[name]),
  })
  return {
    online,
    replicate: () => cp(primaryDir, replicaDir, { recursive: true, force: true }),
    async failOver() {
      current = await openIn(replicaDir, shardCount, clock)
      for (const listener of listeners) listener('all')
    },
  }
}

interface Table {
  readonly rows: OutboxEntry[]
  readonly positions: Map<string, Position>
  syncRows: RowWrite[]
  version: number
  syncPosition: Position | 0
  /** How many rows, and synced rows, the table had at each version. */
  readonly sizes: { readonly rows: number; readonly syncRows: number }[]
}

/**
 * Keeps the promises of the port for `append`, `archivedPositions`, `sync`, `latest` and `status`. `before` and `after` run around every
 * append's commit and may throw: a crash on either side of it.
 */
export class MemoryOffline {
  readonly appends: { readonly storageId: string; readonly rows: number }[] = []
  before: (storageId: string, entries: readonly OutboxEntry[]) => void | Promise<void> = () => {}
  after: (storageId: string) => void = () => {}
  /** What the source of each view yields, to be added by the next sync. */
  readonly sources = new Map<string, RowWrite[]>()
  readonly #tables = new Map<string, Table>()

  table(id: string): Table {
    const table = this.#tables.get(id) ?? {
      rows: [],
      positions: new Map(),
      syncRows: [],
      version: -1,
      syncPosition: 0 as const,
      sizes: [],
    }
    this.#tables.set(id, table)
    return table
  }

  /** A version with what is in the table now. */
  commit(id: string): void {
    const table = this.table(id)
    table.version++
    table.sizes[table.version] = { rows: table.rows.length, syncRows: table.syncRows.length }
  }

  /** Positions of a view's rows, in the order of their commits. */
  positions(id: string): readonly number[] {
    return this.table(id).rows.map((row) => row.position)
  }

  readonly store = {
    append: async (view: FeatureView, batches: readonly OutboxBatch[]): Promise<AppendResult> => {
      const id = storageId(view)
      await this.before(
        id,
        batches.flatMap(({ entries }) => entries),
      )
      const table = this.table(id)
      let rowsAdded = 0
      for (const { source, entries } of batches) {
        const archived = table.positions.get(positionKey(source)) ?? 0
        const fresh = entries.filter((entry) => entry.position > archived)
        if (fresh.length === 0) continue
        table.rows.push(...fresh)
        table.positions.set(positionKey(source), fresh.at(-1)!.position)
        rowsAdded += fresh.length
      }
      if (rowsAdded > 0) this.commit(id)
      this.appends.push({ storageId: id, rows: rowsAdded })
      this.after(id)
      return { tableVersion: table.version, rowsAdded }
    },
    archivedPositions: async (view: FeatureView, sources: readonly OutboxSource[]): Promise<readonly Position[]> =>
      sources.map((source) => this.table(storageId(view)).positions.get(positionKey(source)) ?? (0 as Position)),
    sync: async (view: FeatureView, position: Position) => {
      const table = this.table(storageId(view))
      const read = this.sources.get(view.name) ?? []
      const known = new Set(table.syncRows.map((row) => row.key + row.row.toString('hex')))
      const added = read.filter((row) => !known.has(row.key + row.row.toString('hex')))
      table.syncRows = [...table.syncRows, ...added]
      if (added.length > 0) table.syncPosition = position
      if (added.length > 0 || table.version < 0) this.commit(storageId(view))
      const { version: tableVersion, syncPosition } = table
      return { rowsRead: read.length, rowsAdded: added.length, tableVersion, syncPosition }
    },
    latest: async (view: FeatureView, { after, limit = Infinity, sinceVersion = -1 }: LatestOptions = {}) => {
      const table = this.table(storageId(view))
      const from = table.sizes[sinceVersion] ?? { rows: 0, syncRows: 0 }
      const types = view.joinKeys.map(({ type }) => type)
      const least = after === undefined ? '' : rowKey(storageId(view), entityKey(types, after as readonly string[]))
      const newest = new Map<RowKey, RowWrite>()
      for (const { key, row } of [...table.syncRows.slice(from.syncRows), ...table.rows.slice(from.rows)]) {
        const known = newest.get(key)
        if (known === undefined || compareRowVersions(row, known.row) > 0) newest.set(key, { key, row })
      }
      // In the order of the keys' bytes: any order will do that is the same every time.
      const keys = [...newest.keys()].sort().filter((key) => key > least)
      const rows = keys.slice(0, limit).map((key) => newest.get(key)!)
      async function* batches() {
        if (rows.length > 0) yield rows
      }
      const { version: tableVersion, syncPosition } = table
      return { tableVersion, syncPosition, rows: rows.length, entities: keys.length, batches: batches() }
    },
    kept: async (view: FeatureView, nowMicros: number): Promise<KeptRows> => {
      const latest = await this.store.latest(view)
      const { topBy, limit } = view.keepOnline!
      const ordinal = view.features.findIndex((feature) => feature.name === topBy)
      const ranked: { readonly row: RowWrite; readonly value: number }[] = []
      for await (const batch of latest.batches) {
        for (const row of batch) {
          const value = decodeValue(view.features[ordinal]!.type, rowValues(row.row)[ordinal]!)
          ranked.push({ row, value: Number(value ?? Number.NEGATIVE_INFINITY) })
        }
      }
      ranked.sort((a, b) => b.value - a.value || (a.row.key < b.row.key ? -1 : 1))
      const isKept = (place: number): boolean => place < limit || rowEventMicros(ranked[place]!.row.row) > nowMicros
      const kept = ranked.filter((_, place) => isKept(place)).map(({ row }) => row)
      const leftOut = ranked.filter((_, place) => !isKept(place)).map(({ row }) => rowEventMicros(row.row))
      async function* batches() {
        if (kept.length > 0) yield kept
      }
      const { tableVersion, syncPosition } = latest
      const horizon = leftOut.length === 0 ? {} : { leftOutMicrosMax: Math.max(...leftOut) }
      return { tableVersion, syncPosition, rows: kept.length, ...horizon, batches: batches() }
    },
    status: async (view: FeatureView) => {
      const { version, rows, syncRows, syncPosition } = this.table(storageId(view))
      const size = { rows: rows.length + syncRows.length, files: 0, bytes: 0 }
      return { view: view.name, tableVersion: version, ...size, syncPosition, newestEventMicros: undefined }
    },
  } satisfies Partial<OfflineStore>
}

function positionKey({ storeId, shard }: OutboxSource): string {
  return `${storeId}/${shard}`
}

export function offlineDown(): TwinstoreError {
  return new TwinstoreError('UNAVAILABLE', 'the offline folder is gone')
}
