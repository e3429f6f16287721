/** Views with every type, encoded rows, and a job engine over temporary folders. */
import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { entityKey, type KeyValue, type RowKey, rowKey } from '../../src/domain/entity-key.ts'
import { type Feature, type FeatureView, storageId } from '../../src/domain/registry.ts'
import { encodeRow } from '../../src/domain/row-codec.ts'
import { encodeValue, type FeatureValue } from '../../src/domain/value-codec.ts'
import { parseTypeName } from '../../src/domain/value-type.ts'
import type { Position } from '../../src/domain/version.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { JobSettings } from '../../src/offline/duckdb/job.ts'
import { createInlineEngine } from '../../src/offline/duckdb/job-runner.ts'
import type { OfflineEngine } from '../../src/offline/engine.ts'
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import type { OfflineStore } from '../../src/offline/offline-store.ts'
import { type SpooledRow, writeRowSpool } from '../../src/offline/row-spool.ts'
import { type DeltaOfflineStoreOptions, openDeltaOfflineStore } from '../../src/offline/store/delta-offline-store.ts'
import type { DataFile, WrittenFile } from '../../src/offline/table-jobs.ts'

/** Opens the object store of a test in its folder, or elsewhere: where, says the test file that loads the tests. */
export type OpenPlace = (dir: string) => Promise<ObjectStore>

export let openPlace: OpenPlace = (dir) => openFolderObjects(join(dir, 'offline'))

/** For a test file that runs the tests of another one over another store; before it loads them. */
export function testsRunOver(place: OpenPlace): void {
  openPlace = place
}

export type Values = readonly (FeatureValue | null | undefined)[]

export function features(types: Readonly<Record<string, string>>, allowNaN = false): Feature[] {
  return Object.entries(types).map(([name, type]) => ({ name, type: parseTypeName(type)!, allowNaN }))
}

export function viewOf(types: Readonly<Record<string, string>>, more: Partial<FeatureView> = {}): FeatureView {
  const all = features(types)
  return {
    name: 'v',
    version: 1,
    entities: ['e'],
    joinKeys: [{ name: 'k', type: 'string' }],
    features: all,
    schemaId: 1,
    schemaFeatureCounts: [all.length],
    onStale: 'serve',
    partitionBy: 'day',
    online: true,
    ...more,
  }
}

export interface RowSpec {
  readonly key: readonly KeyValue[]
  readonly event: number
  readonly position: number
  readonly created?: number
  readonly values: Values
}

/** An outbox row as the online store keeps it. */
export function rowOf(view: FeatureView, spec: RowSpec): { key: RowKey; row: Buffer; position: Position } {
  const values = spec.values.map((value, ordinal) => {
    const encoded = encodeValue(view.features[ordinal]!.type, value)
    if (typeof encoded === 'string') throw new Error(encoded)
    return encoded
  })
  const key = entityKey(
    view.joinKeys.map((joinKey) => joinKey.type),
    spec.key,
  )
  const position = spec.position as Position
  const createdMicros = spec.created ?? spec.position
  const row = encodeRow({ schemaId: view.schemaId, eventMicros: spec.event, createdMicros, position, values })
  return { key: rowKey(storageId(view), key), row, position }
}

export interface Bench {
  readonly folder: string
  readonly limits: JobSettings
  readonly engine: OfflineEngine
  newDir(): string
}

/** One for the tests of a file, to be asked for where they are declared: opened before them, and gone after them. */
export function sharedBench(): Bench {
  const bench = {} as Bench
  beforeAll(async () => {
    Object.assign(bench, await openBench())
  })
  afterAll(() => rm(bench.folder, { recursive: true, force: true }))
  return bench
}

async function openBench(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'twinstore-offline-'))
  const limits = {
    memoryBytes: 500_000_000,
    threads: 2,
    spillDir: join(folder, 'spill'),
    spillBytesMax: 1_000_000_000,
    sliceValuesMax: 4_194_304,
  }
  const newDir = () => {
    const dir = join(folder, randomUUID())
    mkdirSync(dir)
    return dir
  }
  return { folder, limits, engine: createInlineEngine(limits, systemClock), newDir }
}

/** Limits wide enough for every test that is not about them. */
export function openTestStore(
  parts: Pick<DeltaOfflineStoreOptions, 'objects' | 'engine' | 'spoolDir'> & Partial<DeltaOfflineStoreOptions>,
): OfflineStore {
  return openDeltaOfflineStore({
    engineName: 'test',
    resolveSource: async () => '',
    table: { clock: systemClock, engineInfo: 'Twinstore/test', commitAttemptsMax: 100, logReadsMax: 8 },
    spoolBytesMax: 2 ** 30,
    filesAtOnce: 4,
    verifiedFilesMax: 100,
    latestBatchRows: 100,
    ...parts,
  })
}

/** Runs an append job over outbox rows, from a row spool as the store does. */
export async function runAppend(
  { engine, newDir }: Pick<Bench, 'engine' | 'newDir'>,
  view: FeatureView,
  rows: readonly SpooledRow[],
): Promise<readonly WrittenFile[]> {
  const dir = newDir()
  const rowsFile = join(dir, 'rows')
  await writeRowSpool(rowsFile, [rows])
  return (await engine.run('append', { view, rowsFile, outputDir: join(dir, 'files') })).files
}

export function dataFiles(written: readonly WrittenFile[]): DataFile[] {
  return written.map(({ path, eventDate }) => ({ path, eventDate }))
}

/** The rows of a latest job's spool file. */
export async function spooledRows(path: string): Promise<{ key: string; row: Buffer }[]> {
  const bytes = await readFile(path)
  const rows: { key: string; row: Buffer }[] = []
  for (let at = 0; at < bytes.length; ) {
    const keyLength = bytes.readUInt32BE(at)
    const rowLength = bytes.readUInt32BE(at + 4)
    at += 8
    rows.push({
      key: bytes.toString('latin1', at, at + keyLength),
      row: bytes.subarray(at + keyLength, at + keyLength + rowLength),
    })
    at += keyLength + rowLength
  }
  return rows
}
