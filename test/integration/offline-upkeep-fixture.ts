/** Tables of many small files in whichever store the tests run over, and what their versions hold. */
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import type { Shard } from '../../src/domain/entity-key.ts'
import type { FeatureView, Registry } from '../../src/domain/registry.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import type { CompactRequest, OfflineStore, TrainingSetRequest } from '../../src/offline/offline-store.ts'
import { type DeltaOfflineStoreOptions, openDeltaOfflineStore } from '../../src/offline/store/delta-offline-store.ts'
import { type Bench, openPlace, rowOf, viewOf } from './offline-store-fixtures.ts'

export const DAY_MICROS = 86_400_000_000
export const DAY_MS = 86_400_000

export const VIEW = viewOf({ n: 'int64', text: 'string', list: 'list<double>', v: 'vector<2>' })

/** All files of a partition become one, however few and whatever their size. */
export const ALL: CompactRequest = {
  targetBytes: 2 ** 30,
  filesMin: 2,
  runBytesMax: 2 ** 40,
  batchFilesMax: 1000,
}

/** What is older than a day goes. */
export const VACUUM = { ageMs: DAY_MS, filesMax: 1000 }

export interface Upkeep {
  readonly dir: string
  readonly objects: ObjectStore
  readonly store: OfflineStore
  /** Sets the clock of the stores so far ahead of the real one, when nothing is being done in the background any more. */
  later(aheadMs: number): Promise<void>
  /** What could not be done with checkpoints. */
  readonly faults: unknown[]
  another(more?: Partial<DeltaOfflineStoreOptions>): OfflineStore
  /** Adds rows to a few days, as one commit; returns the version. */
  append(number: number, through?: OfflineStore, view?: FeatureView): Promise<number>
  /** The digest of all rows at a version. */
  digest(version: number, view?: FeatureView): Promise<string>
  /** Digests of the versions from 0 on, as a test found them. */
  readonly digests: string[]
  /** Data files in the table's folder, sorted. */
  files(): Promise<string[]>
  /** The table in a local folder: its own, or a copy of it as it is now. */
  folder(): Promise<string>
}

/** Where the table is in the store. */
export const TABLE = 'views/v/v1'

async function paths(objects: ObjectStore): Promise<string[]> {
  const found: string[] = []
  for await (const { path } of objects.list(`${TABLE}/`)) found.push(path.slice(TABLE.length + 1))
  return found
}

export async function openUpkeep(bench: Bench, checkpointEvery = 4): Promise<Upkeep> {
  const dir = bench.newDir()
  const objects = await openPlace(dir)
  const clock: Clock = { ...systemClock, nowMicros: () => systemClock.nowMicros() + aheadMs * 1000 }
  let aheadMs = 0
  let store: OfflineStore | undefined
  const another = (more: Partial<DeltaOfflineStoreOptions> = {}): OfflineStore =>
    openDeltaOfflineStore({
      objects,
      engine: bench.engine,
      engineName: 'test',
      resolveSource: async () => '',
      table: { clock, engineInfo: 'Twinstore/test', commitAttemptsMax: 100, logReadsMax: 8 },
      checkpoints: {
        everyVersions: checkpointEvery,
        tombstoneAgeMs: 7 * DAY_MS,
        onFault: (fault) => upkeep.faults.push(fault),
      },
      spoolDir: join(dir, 'spool'),
      spoolBytesMax: 1_000_000_000,
      filesAtOnce: 4,
      verifiedFilesMax: 100,
      latestBatchRows: 100,
      ...more,
    })
  const upkeep: Upkeep = {
    dir,
    objects,
    get store() {
      store ??= another()
      return store
    },
    async later(ms) {
      await store?.close()
      store = undefined
      aheadMs = ms
    },
    faults: [],
    digests: [],
    another,
    async append(number, through = upkeep.store, view = VIEW) {
      return (await through.append(view, [batchOf(number, view)])).tableVersion
    },
    async digest(version, view = VIEW) {
      const columns = ['k', 'event_timestamp', 'write_position', 'write_origin', 'schema_id', 'missing_features']
      const all = [...columns, ...view.features.map((feature) => feature.name)]
      const dataset = await upkeep.store.export(view, { format: 'csv', tableVersion: version, columns: all })
      await dataset.dispose()
      return `${dataset.rows} rows ${dataset.sha256}`
    },
    async files() {
      return (await paths(objects)).filter((path) => path.endsWith('.parquet') && !path.startsWith('_'))
    },
    async folder() {
      if (objects.location.startsWith('file:')) return join(objects.location.slice('file:'.length), TABLE)
      const copy = join(dir, randomUUID())
      for (const path of await paths(objects)) {
        await mkdir(dirname(join(copy, path)), { recursive: true })
        await writeFile(join(copy, path), (await objects.read(`${TABLE}/${path}`))!)
      }
      return copy
    },
  }
  return upkeep
}

/** A table with so many commits of three small files each. */
export async function smallFiles(bench: Bench, commits = 5): Promise<Upkeep> {
  const upkeep = await openUpkeep(bench)
  await upkeep.store.prepare(VIEW)
  upkeep.digests.push(await upkeep.digest(0))
  for (let number = 1; number <= commits; number++) {
    upkeep.digests.push(await upkeep.digest(await upkeep.append(number)))
  }
  return upkeep
}

export async function expectVersions(upkeep: Upkeep, digests: readonly string[]): Promise<void> {
  for (const [version, digest] of digests.entries()) expect(await upkeep.digest(version)).toBe(digest)
}

/** Six rows of three days and three entities, told apart by `number`, from a shard of their own. */
export function batchOf(number: number, view: FeatureView = VIEW) {
  const entries = Array.from({ length: 6 }, (_, index) => {
    const position = number * 100 + index + 1
    const values = view.features.map(({ name }) => featureValue(name, position))
    const key = [`entity-${'abc'[(number + index) % 3]}`]
    return rowOf(view, { key, event: (index % 3) * DAY_MICROS + position * 1_000_000, position, values })
  })
  return { source: { storeId: 'store', shard: number as Shard }, entries }
}

function featureValue(feature: string, position: number) {
  if (feature === 'text') return position % 5 === 0 ? null : `text ${position}`
  if (feature === 'list') return position % 4 === 0 ? undefined : [position, 0.5]
  if (feature === 'v') return [position, -1]
  return BigInt(position)
}

/** A service over the view and a spine that meets its rows. */
export async function trainingRequest(
  dir: string,
): Promise<[Parameters<OfflineStore['trainingSet']>[0], TrainingSetRequest]> {
  const service = { name: 's', members: [{ kind: 'view', use: { view: 'v', as: 'v', joinKeyMap: {} } }] } as const
  const registry: Registry = {
    project: 'p',
    fingerprint: 'f'.repeat(32),
    entities: new Map(),
    views: new Map([['v', VIEW]]),
    onDemandViews: new Map(),
    services: new Map([['s', service]]),
  }
  const spineFile = join(dir, 'spine.csv')
  const rows = ['a', 'b', 'c'].flatMap((key) =>
    Array.from({ length: 40 }, (_, index) => `entity-${key},${new Date(index * 7_000_000).toISOString()}`),
  )
  await writeFile(spineFile, `k,at\n${rows.join('\n')}\n`)
  const spine = { spineFile, spineFormat: 'csv', timestampColumn: 'at' } as const
  return [service, { ...spine, mode: 'EVENT_TIME', format: 'parquet', registry }]
}

/** An engine that does something just before a job of a kind, or just after it. */
export function around(
  engine: DeltaOfflineStoreOptions['engine'],
  kind: string,
  hooks: { readonly before?: () => Promise<unknown>; readonly after?: () => Promise<unknown> },
): DeltaOfflineStoreOptions['engine'] {
  return {
    async run(asked, input, options) {
      if (asked === kind) await hooks.before?.()
      const output = await engine.run(asked, input, options)
      if (asked === kind) await hooks.after?.()
      return output
    },
    close: () => engine.close(),
  }
}
