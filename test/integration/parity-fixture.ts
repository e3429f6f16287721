/** Twins with everything that moves rows between them: a real online store, Delta tables in a folder, the archiver, the writer. */
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type EntityKey, keyPart, type RowKey, rowKey } from '../../src/domain/entity-key.ts'
import { ALL_KEYS } from '../../src/domain/key-sample.ts'
import type { FeatureView } from '../../src/domain/registry.ts'
import { storageId } from '../../src/domain/registry.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createInlineEngine } from '../../src/offline/duckdb/job-runner.ts'
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'
import type { OfflineStore } from '../../src/offline/offline-store.ts'
import type { OnlineStore } from '../../src/online/online-store.ts'
import { type CompareRequest, compareTwins, type ParityResult } from '../../src/parity/compare-twins.ts'
import type { ParityParts } from '../../src/parity/parity-parts.ts'
import type { Archiver } from '../../src/writing/archiver.ts'
import { createWriteService } from '../../src/writing/feature-write-service.ts'
import { createFeatureWriter } from '../../src/writing/feature-writer.ts'
import { isSynced, seedOnline } from '../../src/writing/online-seed.ts'
import { type ArchiverLimits, createArchiver } from '../../src/writing/outbox-archiver.ts'
import { encodeWriteRequest } from '../support/typed-rows.ts'
import { TestDefinitions, viewOf } from '../unit/writing-fixture.ts'
import { openTestStore } from './offline-store-fixtures.ts'

const MiB = 1024 ** 2

export const airport: FeatureView = viewOf({
  name: 'airport',
  joinKeys: [{ name: 'airport', type: 'string' }],
  features: [
    { name: 'flights', type: { kind: 'int64' } },
    { name: 'mean_delay', type: { kind: 'double' } },
    { name: 'name', type: { kind: 'string' } },
  ],
})

export interface Twins {
  readonly dir: string
  readonly online: OnlineStore
  readonly offline: OfflineStore
  readonly archiver: Archiver
  readonly definitions: TestDefinitions
  readonly parts: ParityParts
  /** Through the write service, as a client does. */
  write(rows: Readonly<Record<string, WrittenValues>>, eventMicros?: number, ack?: 'ONLINE' | 'BOTH'): Promise<void>
  compare(request?: Partial<CompareRequest>, view?: FeatureView): Promise<ParityResult>
  /** Brings online what syncs have brought to the history. */
  seed(view: FeatureView): Promise<void>
}

export interface WrittenValues {
  readonly flights: bigint
  readonly mean_delay: number
  readonly name: string
}

export function values(flights: number): WrittenValues {
  return { flights: BigInt(flights), mean_delay: flights / 8, name: `written ${flights}` }
}

export function keyOf(name: string): RowKey {
  return rowKey(storageId(airport), keyPart('string', name) as EntityKey)
}

export const LIMITS: ParityParts['limits'] = {
  page: { rows: 1000, bytes: MiB },
  shardsAtOnce: 4,
  keysMax: 100_000,
  suspectsMax: 100_000,
  batchKeys: 100,
  looksMax: 5,
  repairsMax: 1000,
  eventAheadMsMax: 86_400_000,
}

export interface TwinsOptions {
  readonly online: OnlineStore
  readonly dir: string
  readonly archiver?: Partial<ArchiverLimits>
  readonly views?: readonly FeatureView[]
  readonly resolveSource?: () => string
}

export async function openTwins({
  online,
  dir,
  archiver: limits = {},
  views = [airport],
  resolveSource = () => '',
}: TwinsOptions): Promise<Twins> {
  const engine = createInlineEngine(
    {
      memoryBytes: 300 * MiB,
      threads: 1,
      spillBytesMax: 1024 * MiB,
      sliceValuesMax: 100_000,
      spillDir: join(dir, 'spill'),
    },
    systemClock,
  )
  const definitions = new TestDefinitions(...views)
  const openOffline = async (): Promise<OfflineStore> => {
    const offline = openTestStore({
      objects: await openFolderObjects(join(dir, 'offline')),
      engine,
      resolveSource: async () => resolveSource(),
      spoolDir: join(dir, 'spool'),
    })
    onTestFinished(() => offline.close())
    return offline
  }
  const offline = await openOffline()
  const archiver = createArchiver({
    online,
    offline,
    definitions,
    clock: systemClock,
    random: () => 0.5,
    owner: 'one',
    limits: {
      intervalMs: 20,
      batchRows: 5000,
      batchBytes: MiB,
      shardsAtOnce: 4,
      viewsAtOnce: 2,
      leaseMs: 3_600_000,
      retry: { minMs: 10, maxMs: 50 },
      ...limits,
    },
    setAside: async () => {},
    earlierViews: async () => undefined,
    onFault: () => {},
    onTailLost: () => {},
  })
  for (const view of views) await offline.prepare(view)
  await archiver.start()
  onTestFinished(async () => void (await archiver.stop(5000)))
  const service = createWriteService({
    writer: createFeatureWriter({ online, archiver, changes: { applied: () => {}, changed: () => {} } }),
    definitions,
    clock: systemClock,
    limits: {
      rowsMax: 10_000,
      valueBytesMax: MiB,
      rowBytesMax: MiB,
      entityKeyBytesMax: 1000,
      eventAheadMsMax: 86_400_000,
      turnMsMax: 2,
    },
  })
  const parts: ParityParts = {
    online,
    offline,
    isSynced: async (view) =>
      (await offline.status(view)).syncPosition === 0 || (await isSynced({ online, offline }, view)),
    clock: systemClock,
    limits: LIMITS,
  }
  return {
    dir,
    online,
    offline,
    archiver,
    definitions,
    parts,
    async write(rows, eventMicros, ack = 'ONLINE') {
      const event = eventMicros === undefined ? {} : { eventMicros }
      const written = Object.entries(rows).map(([name, row]) => ({ values: { airport: name, ...row }, ...event }))
      await service.writeFeatures(encodeWriteRequest(airport, written, { ack }), new AbortController().signal)
    },
    compare: (request = {}, view = airport) =>
      compareTwins(parts, view, { sample: ALL_KEYS, repair: false, findingsMax: 100, ...request }),
    async seed(view) {
      const changes = { applied: () => {}, changed: () => {} }
      await seedOnline({ online, offline, changes, seedRows: 100, passRows: 1000 }, view, { goal: 'synced' })
    },
  }
}
