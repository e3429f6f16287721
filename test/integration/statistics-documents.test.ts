/** Statistics documents in an object store, and who makes them when. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { FeatureView } from '../../src/domain/registry.ts'
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import type { StatisticsData, TableStatus } from '../../src/offline/offline-store.ts'
import { describedAfterSync } from '../../src/statistics/after-sync.ts'
import { openStatisticsDocuments } from '../../src/statistics/document-store.ts'
import { createStatistics, type Statistics, type StatisticsParts } from '../../src/statistics/statistics.ts'
import { type StatisticsDocument, statisticsDocument } from '../../src/statistics/statistics-document.ts'
import type { Syncer, ViewSyncResult } from '../../src/writing/syncer.ts'
import { viewOf } from './offline-store-fixtures.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinstore-statistics-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const view = viewOf({ n: 'double' })
const other = viewOf({ n: 'double' }, { name: 'other', version: 2 })
const DATA: StatisticsData = {
  rows: 4,
  referenceRows: 2,
  exactQuantiles: true,
  features: [
    {
      name: 'n',
      type: 'double',
      nulls: 1,
      missing: 2,
      distinct: 1,
      numbers: { min: 3, max: 3, mean: 3, quantiles: [3, 3, 3, 3, 3, 3, 3], notFinite: 0 },
      bins: { kind: 'values', values: ['3'], counts: [1, 0, 3], referenceCounts: [1, 1, 0] },
    },
  ],
}

function documentOf(tableVersion: number, recordedMs: number, of: FeatureView = view): StatisticsDocument {
  return statisticsDocument({
    view: of,
    fingerprint: 'f',
    recordedMs,
    window: { fromMicros: 0, untilMicros: 1_000_000 },
    reference: { fromMicros: -1_000_000, untilMicros: 0 },
    thresholds: { shifting: 0.1, drifted: 0.25 },
    data: { ...DATA, tableVersion },
  })
}

let folders = 0
const openObjects = () => openFolderObjects(join(folder, String(++folders)))

async function pathsOf(objects: ObjectStore): Promise<string[]> {
  const paths: string[] = []
  for await (const { path } of objects.list('statistics/')) paths.push(path)
  return paths
}

test('a document says what was found, in words and in numbers, and comes back as it was kept', async () => {
  const objects = await openObjects()
  const documents = openStatisticsDocuments(objects, 10)
  const path = await documents.keep(other, documentOf(7, 1_700_000_000_000, other))
  expect(path).toBe('statistics/other/v2/00000000000000000007-001700000000000.json')
  expect(JSON.parse(String(await objects.read(path)))).toMatchObject({
    statisticsFormat: 1,
    view: 'other',
    viewVersion: 2,
    tableVersion: 7,
    recordedAt: '2023-11-14T22:13:20.000Z',
    window: { from: '1970-01-01T00:00:00.000Z', until: '1970-01-01T00:00:01.000Z', rows: 4 },
    reference: { from: '1969-12-31T23:59:59.000Z', rows: 2 },
    features: [
      { name: 'n', nullRate: 0.25, missingRate: 0.5, drift: 'drifted', numbers: { quantiles: { p1: 3, p99: 3 } } },
    ],
  })
  expect(await documents.newest(other, 5)).toEqual([documentOf(7, 1_700_000_000_000, other)])
  expect(await documents.newest(view, 5)).toEqual([])
})

test('documents are listed newest first, and the oldest go when there are too many', async () => {
  const objects = await openObjects()
  const documents = openStatisticsDocuments(objects, 3)
  for (const [version, recorded] of [
    [2, 20],
    [9, 10],
    [10, 30],
    [10, 40],
    [11, 5],
  ]) {
    await documents.keep(view, documentOf(version!, recorded!))
  }
  const found = await documents.newest(view, 10)
  expect(found.map(({ tableVersion, recordedAt }) => [tableVersion, Date.parse(recordedAt)])).toEqual([
    [11, 5],
    [10, 40],
    [10, 30],
  ])
  expect(await documents.newest(view, 1)).toHaveLength(1)
  expect(await pathsOf(objects)).toHaveLength(3)
})

test('a document is never replaced: one of the same moment gets another name', async () => {
  const objects = await openObjects()
  const documents = openStatisticsDocuments(objects, 10)
  const names = await Promise.all(Array.from({ length: 4 }, () => documents.keep(view, documentOf(1, 100))))
  expect(new Set(names).size).toBe(4)
})

test('a damaged document is named', async () => {
  const objects = await openObjects()
  const documents = openStatisticsDocuments(objects, 10)
  const path = await documents.keep(view, documentOf(1, 100))
  await objects.put(path, Buffer.from('{"statisticsFormat": 1'))
  await expect(documents.newest(view, 1)).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringContaining(path),
  })
  await objects.put(path, Buffer.from('{"statisticsFormat": 2}'))
  await expect(documents.newest(view, 1)).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringContaining('format 1'),
  })
})

interface Made {
  readonly statistics: Statistics
  /** Views in the order in which they were described. */
  readonly described: string[]
  readonly faults: string[]
}

async function made(more: Partial<StatisticsParts['offline']> = {}): Promise<Made> {
  const described: string[] = []
  const faults: string[] = []
  const status = async ({ name }: FeatureView) => ({ view: name, newestEventMicros: 5_000_000 }) as TableStatus
  const registry = { fingerprint: 'f', views: new Map([view, other].map((each) => [each.name, each])) }
  const statistics = createStatistics({
    offline: {
      status,
      async statistics({ name }) {
        described.push(name)
        return { ...DATA, tableVersion: 1 }
      },
      ...more,
    },
    documents: openStatisticsDocuments(await openObjects(), 10),
    definitions: { current: { registry: registry as never, computes: new Map() } },
    clock: { nowMicros: () => 1_700_000_000_000_000 },
    windowMs: 1000,
    topValuesMax: 5,
    exactRowsMax: 100,
    thresholds: { shifting: 0.1, drifted: 0.25 },
    onFault: (name, { message }) => faults.push(`${name}: ${message}`),
  })
  return { statistics, described, faults }
}

const result = (name: string, rowsAdded: number) => ({ view: name, rowsAdded }) as ViewSyncResult

test('after a sync, also one that failed for some view, those of the views that got rows are made, each once', async () => {
  const { statistics, described } = await made()
  const results: ViewSyncResult[] = []
  const syncer = describedAfterSync(
    {
      async sync(_views: unknown, options: { onResult?: (result: ViewSyncResult) => void }) {
        options.onResult?.(result('v', 3))
        options.onResult?.(result('other', 0))
        expect(described).toEqual([])
        throw new Error('a third view failed')
      },
    } as unknown as Syncer,
    statistics,
  )
  const sync = syncer.sync('all', { onResult: (each) => results.push(each) })
  await expect(sync).rejects.toThrow('a third view failed')
  expect(results.map((each) => each.view)).toEqual(['v', 'other'])
  await statistics.idle()
  expect(described).toEqual(['v'])
  expect([...statistics.last().keys()]).toEqual(['v'])
  expect(await statistics.kept([], 5)).toHaveLength(1)
})

test('a fault in the background is told and does not stop the others; one that waits is not made twice', async () => {
  let failures = 1
  const { statistics, described, faults } = await made({
    async statistics({ name }) {
      described.push(name)
      if (failures-- > 0) throw new TwinstoreError('RESOURCE_EXHAUSTED', 'no memory')
      return { ...DATA, tableVersion: 1 }
    },
  })
  statistics.soon(['v'])
  statistics.soon(['other', 'gone'])
  statistics.soon(['other'])
  await statistics.idle()
  expect(described).toEqual(['v', 'other'])
  expect(faults).toEqual(['v: no memory'])
  expect([...statistics.last().keys()]).toEqual(['other'])
})

test('stopping aborts what is under way, begins nothing more and tells no fault', async () => {
  let begun = () => {}
  const isBegun = new Promise<void>((resolve) => {
    begun = resolve
  })
  const { statistics, faults } = await made({
    statistics: (_view, _request, options) =>
      new Promise((_resolve, reject) => {
        options?.signal?.addEventListener('abort', () => reject(new Error('aborted')))
        begun()
      }),
  })
  statistics.soon(['v', 'other'])
  await isBegun
  await statistics.stop()
  expect(faults).toEqual([])
  expect(statistics.last().size).toBe(0)
})

test('a view without rows is refused when it is named, and left out when all are asked for', async () => {
  const empty = async ({ name }: FeatureView) =>
    ({ view: name, newestEventMicros: name === 'v' ? undefined : 5_000_000 }) as TableStatus
  const { statistics } = await made({ status: empty })
  await expect(statistics.make(['v'], {})).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  expect((await statistics.make([], {})).map((document) => document.view)).toEqual(['other'])
  await expect(statistics.make(['othr'], {})).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining('other'),
  })
})

test('statistics of chosen times are kept, and are not what the metrics tell', async () => {
  const { statistics } = await made()
  await statistics.make(['v'], { fromMicros: 0 })
  expect(statistics.last().size).toBe(0)
  expect(await statistics.kept(['v'], 5)).toHaveLength(1)
})
