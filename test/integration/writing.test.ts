/** The write path over the real stores: LMDB and Delta tables in temporary folders. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { RowKey } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { FeatureView } from '../../src/domain/registry.ts'
import { rowPosition, rowValues } from '../../src/domain/row-codec.ts'
import { decodeValue } from '../../src/domain/value-codec.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createInlineEngine } from '../../src/offline/duckdb/job-runner.ts'
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'
import type { OfflineStore } from '../../src/offline/offline-store.ts'
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts'
import type { OnlineStore, RowWrite } from '../../src/online/online-store.ts'
import type { Archiver } from '../../src/writing/archiver.ts'
import { createWriteService } from '../../src/writing/feature-write-service.ts'
import { createFeatureWriter } from '../../src/writing/feature-writer.ts'
import { createArchiver } from '../../src/writing/outbox-archiver.ts'
import { createSyncer } from '../../src/writing/syncer.ts'
import type { WriteLimits } from '../../src/writing/write-limits.ts'
import { LMDB_LIMITS } from '../support/lmdb-limits.mjs'
import { encodeWriteRequest, type TypedWriteOptions } from '../support/typed-rows.ts'
import { TestDefinitions, viewOf } from '../unit/writing-fixture.ts'
import { openTestStore } from './offline-store-fixtures.ts'

const MiB = 1024 * 1024
const limits: WriteLimits = {
  rowsMax: 10_000,
  valueBytesMax: MiB,
  rowBytesMax: 4 * MiB,
  entityKeyBytesMax: 512,
  eventAheadMsMax: 86_400_000,
  turnMsMax: 2,
}

const status = viewOf({
  name: 'airport_status',
  joinKeys: [{ name: 'airport', type: 'string' }],
  features: [
    { name: 'closed', type: { kind: 'bool' } },
    { name: 'expected_delay_minutes', type: { kind: 'double' } },
  ],
  partitionBy: 'month',
})

const daily = viewOf({
  name: 'airport_daily',
  joinKeys: [{ name: 'airport', type: 'string' }],
  features: [{ name: 'flights', type: { kind: 'int64' } }],
  partitionBy: 'month',
  source: { sql: '', files: [] },
})

interface Row {
  readonly airport: string
  readonly minutes: number
  readonly eventMicros?: number
}

interface Stack {
  readonly online: OnlineStore
  readonly offline: OfflineStore
  /** Opens an archiver over the stores, or over ones that fail on purpose. */
  archiver(stores?: { readonly online?: OnlineStore; readonly offline?: OfflineStore }): Promise<Archiver>
  write(archiver: Archiver, rows: readonly Row[], options?: TypedWriteOptions): Promise<Buffer>
  history(airport: string): Promise<readonly { readonly position: number; readonly minutes: unknown }[]>
  onlineMinutes(key: RowKey): Promise<unknown>
  readonly applied: RowWrite[]
}

async function openStack(sourceSql = ''): Promise<Stack> {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-writing-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const definitions = new TestDefinitions(status, daily)
  const online = await openLmdbStore({
    ...LMDB_LIMITS,
    durability: 'process',
    dir: join(dir, 'online'),
    shardCount: 2,
    clock: systemClock,
  })
  const engineLimits = {
    memoryBytes: 500 * MiB,
    threads: 2,
    spillDir: join(dir, 'spill'),
    spillBytesMax: 1024 * MiB,
    sliceValuesMax: 100_000,
  }
  const engine = createInlineEngine(engineLimits, systemClock)
  const offline = openTestStore({
    objects: await openFolderObjects(join(dir, 'offline')),
    engine,
    resolveSource: async () => sourceSql,
    spoolDir: join(dir, 'spool'),
    latestBatchRows: 1000,
  })
  onTestFinished(async () => {
    await online.close()
    await offline.close()
    await engine.close()
  })
  const applied: RowWrite[] = []
  const changes = { applied: (rows: readonly RowWrite[]) => void applied.push(...rows), changed: () => {} }

  return {
    online,
    offline,
    applied,
    async archiver(stores = {}) {
      const made = createArchiver({
        online,
        offline,
        ...stores,
        definitions,
        clock: systemClock,
        random: () => 0,
        owner: randomUUID(),
        limits: {
          intervalMs: 3_600_000,
          batchRows: 50,
          batchBytes: MiB,
          shardsAtOnce: 4,
          viewsAtOnce: 2,
          leaseMs: 3_600_000,
          retry: { minMs: 60_000, maxMs: 60_000 },
        },
        setAside: () => Promise.reject(new Error('no row is to be set aside')),
        earlierViews: async () => undefined,
        onFault: () => {},
        onTailLost: () => {},
      })
      await made.start()
      return made
    },
    write(archiver, rows, options) {
      const writer = createFeatureWriter({ online, archiver, changes })
      const service = createWriteService({ writer, definitions, clock: systemClock, limits })
      const typed = rows.map(({ airport, minutes, eventMicros }) => ({
        values: { airport, closed: false, expected_delay_minutes: minutes },
        ...(eventMicros === undefined ? {} : { eventMicros }),
      }))
      return service.writeFeatures(encodeWriteRequest(status, typed, options))
    },
    async history(airport) {
      const { rows, truncated } = await offline.history(status, { entity: [airport], limit: 10_000 })
      expect(truncated).toBe(false)
      return rows.map((row) => ({ position: row.position, minutes: decoded(status, row.values, 1) }))
    },
    async onlineMinutes(key) {
      const [row] = await online.readMany([key])
      return decoded(status, rowValues(row as Buffer), 1)
    },
  }
}

function decoded(view: FeatureView, values: readonly Uint8Array[], ordinal: number): unknown {
  return decodeValue(view.features[ordinal]!.type, Buffer.from(values[ordinal]!))
}

test('a written row is online when acknowledged, and with ack BOTH in the history too', async () => {
  const stack = await openStack()
  const archiver = await stack.archiver()
  await stack.write(archiver, [{ airport: 'ATL', minutes: 45 }], { ack: 'BOTH' })
  const [row] = stack.applied
  expect(await stack.onlineMinutes(row!.key)).toBe(45)
  expect(await stack.history('ATL')).toEqual([{ position: rowPosition(row!.row), minutes: 45 }])
  expect(await archiver.stop(10_000)).toBe(true)
})

test('late rows stay out of the online store and are in the history; a flush brings what is acknowledged', async () => {
  const stack = await openStack()
  const archiver = await stack.archiver()
  const now = systemClock.nowMicros()
  await stack.write(archiver, [{ airport: 'ATL', minutes: 2, eventMicros: now }])
  await stack.write(archiver, [
    { airport: 'ATL', minutes: 1, eventMicros: now - 1_000_000 },
    { airport: 'ATL', minutes: 3, eventMicros: now },
  ])
  await archiver.flush()
  expect(await stack.onlineMinutes(stack.applied[0]!.key)).toBe(3)
  expect((await stack.history('ATL')).map((row) => row.minutes)).toEqual([3, 2, 1])
  await archiver.stop(10_000)
})

test('a retry with the same write_id adds nothing to either store', async () => {
  const stack = await openStack()
  const archiver = await stack.archiver()
  const first = await stack.write(archiver, [{ airport: 'ATL', minutes: 1 }], { writeId: 'once' })
  const again = await stack.write(archiver, [{ airport: 'ATL', minutes: 1 }], { writeId: 'once', ack: 'BOTH' })
  expect(again).toEqual(first)
  expect(await stack.history('ATL')).toHaveLength(1)
  await archiver.stop(10_000)
})

test('a crash anywhere between commit and trim leaves every acknowledged row in the history exactly once', async () => {
  const place = fc.constantFrom('before append', 'after append', 'before trim', 'after trim')
  const batch = fc.array(fc.constantFrom('ATL', 'JFK', 'ORD'), { minLength: 1, maxLength: 80 })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(batch, place), { minLength: 1, maxLength: 4 }), async (steps) => {
      const stack = await openStack()
      const written = new Map<string, number[]>()
      let minutes = 0
      for (const [airports, crashAt] of steps) {
        const crashing = await stack.archiver(crashingStores(stack, crashAt))
        const rows = airports.map((airport) => ({ airport, minutes: minutes++ }))
        for (const row of rows) written.set(row.airport, [...(written.get(row.airport) ?? []), row.minutes])
        await stack.write(crashing, rows)
        await expect(crashing.flush()).rejects.toThrow(`crash ${crashAt}`)
        // The crashed archiver fails at every further step, so stopping it is like killing it.
        await crashing.stop(0)
      }
      const archiver = await stack.archiver()
      await archiver.flush()
      for (const [airport, expected] of written) {
        const found = (await stack.history(airport)).map((row) => row.minutes as number)
        expect(found.sort((a, b) => a - b)).toEqual(expected)
      }
      expect((await stack.online.outboxDepth()).rows).toBe(0)
      await archiver.stop(10_000)
    }),
    { numRuns: 5 },
  )
})

/** Stores that stop working for ever at the given place of the first batch. */
function crashingStores({ online, offline }: Stack, crashAt: string): { online: OnlineStore; offline: OfflineStore } {
  let crashed = false
  const pass = (place: string) => {
    if (place === crashAt) crashed = true
    if (crashed) throw new TwinstoreError('UNAVAILABLE', `crash ${crashAt}`)
  }
  return {
    offline: {
      ...offline,
      append: async (...args) => {
        pass('before append')
        const result = await offline.append(...args)
        pass('after append')
        return result
      },
    },
    online: {
      ...online,
      trimOutbox: async (...args) => {
        pass('before trim')
        await online.trimOutbox(...args)
        pass('after trim')
      },
    },
  }
}

test('a sync fills both stores, a second one does nothing', async () => {
  const sql = `SELECT 'A' || i AS airport, i AS flights, TIMESTAMPTZ '2001-02-01' AS event_timestamp FROM range(2500) t(i)`
  const { online, offline } = await openStack(sql)
  const syncer = createSyncer({
    online,
    offline,
    definitions: new TestDefinitions(status, daily),
    changes: { applied: () => {}, changed: () => {} },
    clock: systemClock,
    flush: async () => {},
    seedRows: 400,
    passRows: 1000,
  })
  expect(await syncer.needsFirstSync()).toBe(true)
  const first = await syncer.sync('all')
  expect(first).toMatchObject([{ view: 'airport_daily', rowsRead: 2500, rowsAdded: 2500, rowsOnline: 2500 }])
  expect(await syncer.needsFirstSync()).toBe(false)
  const second = await syncer.sync(['airport_daily'])
  expect(second).toMatchObject([{ rowsRead: 2500, rowsAdded: 0, rowsOnline: 0, tableVersion: first[0]!.tableVersion }])
  await online.writeMark('sync/airport_daily', 'pending')
  expect(await syncer.sync(['airport_daily'])).toMatchObject([{ rowsAdded: 0, rowsOnline: 0 }])
  const key = 'airport_daily/S\u0002A7' as RowKey
  const [row] = await online.readMany([key])
  expect(decoded(daily, rowValues(row as Buffer), 0)).toBe(7n)
})
