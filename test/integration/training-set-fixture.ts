/** What the tests of exports and training sets share: a folder, a DuckDB session to make and read files with, and jobs. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyType } from '../../src/domain/entity-key.ts'
import type { Compute, Feature, FeatureService, FeatureView } from '../../src/domain/registry.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { ExportJob, TrainingSetJob } from '../../src/offline/dataset-jobs.ts'
import { runExport } from '../../src/offline/duckdb/export-job.ts'
import type { JobContext } from '../../src/offline/duckdb/job.ts'
import { openSession, type Session } from '../../src/offline/duckdb/session.ts'
import { identifier, literal } from '../../src/offline/duckdb/sql.ts'
import { tableColumns } from '../../src/offline/duckdb/table-sql.ts'
import { createTrainingSetJob } from '../../src/offline/duckdb/training-set-job.ts'
import type { DataFile, EngineLimits } from '../../src/offline/table-jobs.ts'

export interface Workbench {
  readonly dir: string
  readonly session: Session
  path(name: string): string
  /** A Parquet file with these rows, each a literal of SQL per column of the view's table. */
  tableFile(view: FeatureView, name: string, rows: readonly (readonly string[])[]): Promise<DataFile>
  trainingSet(
    input: TrainingSetJob['input'],
    options?: {
      readonly computes?: ReadonlyMap<string, Compute>
      readonly threads?: number
      readonly sliceValuesMax?: number
      readonly memoryBytes?: number
      readonly signal?: AbortSignal
    },
  ): Promise<TrainingSetJob['output']>
  export(input: ExportJob['input'], threads?: number): Promise<ExportJob['output']>
  close(): Promise<void>
}

export async function openWorkbench(): Promise<Workbench> {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-datasets-'))
  const limits = (threads: number, memoryBytes = 512 * 1024 * 1024): EngineLimits => ({
    memoryBytes,
    threads,
    spillDir: join(dir, 'spill'),
    spillBytesMax: 1024 ** 3,
  })
  const session = await openSession(limits(1), systemClock)
  const inOwnSession = async <T>(
    threads: number,
    signal: AbortSignal,
    work: (session: Session, context: JobContext) => Promise<T>,
    memoryBytes?: number,
  ): Promise<T> => {
    const own = await openSession(limits(threads, memoryBytes), systemClock, signal)
    try {
      return await work(own, { signal, progress: () => {} })
    } finally {
      await own.close()
    }
  }
  return {
    dir,
    session,
    path: (name) => join(dir, name),
    async tableFile(view, name, rows) {
      const path = join(dir, name)
      const columns = tableColumns(view)
      const values = rows.map((row) => `(${row.join(', ')})`).join(', ')
      const places = columns.map((_, index) => `v${index}`)
      const list = columns.map((column, index) => `CAST(v${index} AS ${column.type}) AS ${identifier(column.name)}`)
      const from = `(VALUES ${values}) AS v(${places.join(', ')})`
      await session.run(`COPY (SELECT ${list.join(', ')} FROM ${from}) TO ${literal(path)} (FORMAT parquet)`)
      return { path, eventDate: '2001-01-01' }
    },
    trainingSet(input, { computes = new Map(), threads = 2, sliceValuesMax = 16_000_000, memoryBytes, signal } = {}) {
      const job = createTrainingSetJob({ loadComputes: async () => computes, sliceValuesMax })
      const work = (own: Session, context: JobContext) => job(own, input, context)
      return inOwnSession(threads, signal ?? new AbortController().signal, work, memoryBytes)
    },
    export: (input, threads = 2) =>
      inOwnSession(threads, new AbortController().signal, (own, context) => runExport(own, input, context)),
    async close() {
      await session.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

export function testView(
  name: string,
  joinKeys: Readonly<Record<string, KeyType>>,
  features: readonly Feature[],
  more: Partial<FeatureView> = {},
): FeatureView {
  return {
    name,
    version: 1,
    entities: [name],
    joinKeys: Object.entries(joinKeys).map(([key, type]) => ({ name: key, type })),
    features,
    schemaId: 1,
    schemaFeatureCounts: [features.length],
    onStale: 'null',
    partitionBy: 'day',
    online: true,
    ...more,
  }
}

export function testService(...members: FeatureService['members']): FeatureService {
  return { name: 'service', members }
}
