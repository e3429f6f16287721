/** The Delta tables of views, and their snapshots as scans over local files. */
import { stat } from 'node:fs/promises'
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import type { AddFile } from '../delta/actions.ts'
import { type DeltaTable, type DeltaTableOptions, openDeltaTable } from '../delta/delta-table.ts'
import { ensureTable, tablePath } from '../delta/ensure-table.ts'
import { PARTITION_COLUMN } from '../delta/schema.ts'
import type { Snapshot } from '../delta/snapshot.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { DataFile } from '../table-jobs.ts'
import { boundedParallel } from './bounded-parallel.ts'

/** The version of a view's table before it is made. */
export const NO_TABLE = -1

/** A table as a question sees it: before it is made it has version -1 and no files. */
export interface TableState {
  readonly version: number
  readonly files: readonly AddFile[]
}

export interface ViewTables {
  table(view: FeatureView): DeltaTable
  /** The newest snapshot of the view's table, which is made or given the view's columns if need be. */
  ensure(view: FeatureView): Promise<Snapshot>
  /** The table at a version, undefined: the newest. NOT_FOUND for a version it does not have. */
  at(view: FeatureView, version?: number): Promise<TableState>
  dataFiles(view: FeatureView, files: readonly AddFile[]): Promise<DataFile[]>
}

export interface ViewTablesOptions {
  readonly objects: ObjectStore
  readonly table: DeltaTableOptions
  /** Files that are fetched at the same time. */
  readonly filesAtOnce: number
}

export function openViewTables(options: ViewTablesOptions): ViewTables {
  const { objects, table: tableOptions, filesAtOnce } = options
  // One per view and view version; a table keeps its newest snapshot, so that a look at it reads new entries only.
  const opened = new Map<string, DeltaTable>()

  const table = (view: FeatureView): DeltaTable => {
    const path = tablePath(view)
    const found = opened.get(path) ?? openDeltaTable(objects, path, tableOptions)
    opened.set(path, found)
    return found
  }

  return {
    table,
    ensure: (view) => ensureTable(table(view), view, { nowMs: Math.floor(tableOptions.clock.nowMicros() / 1000) }),
    async at(view, version) {
      if (version === NO_TABLE) return { version, files: [] }
      if (version !== undefined) return table(view).snapshotAt(version)
      return (await table(view).snapshot()) ?? { version: NO_TABLE, files: [] }
    },
    dataFiles: (view, files) =>
      boundedParallel(files, filesAtOnce, async (file) => ({
        path: await soundFile(objects, `${tablePath(view)}/${file.path}`, file.size),
        eventDate: file.partitionValues[PARTITION_COLUMN] ?? '',
      })),
  }
}

/** The object as a local file. A file that is gone or cut short is found here, by its name, rather than amid a query. */
async function soundFile(objects: ObjectStore, path: string, bytes: number): Promise<string> {
  const { local, found } = await localWithSize(objects, path).catch((cause: unknown) => {
    if (isAbsent(cause)) throw damaged(objects, path, 'is gone', cause)
    throw cause
  })
  if (found.size !== bytes) throw damaged(objects, path, `has ${found.size} bytes, its table's log says ${bytes}`)
  return local
}

async function localWithSize(objects: ObjectStore, path: string) {
  const local = await objects.localFile(path)
  return { local, found: await stat(local) }
}

function isAbsent(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'NOT_FOUND' || code === 'ENOENT'
}

function damaged(objects: ObjectStore, path: string, problem: string, cause?: unknown): TwinstoreError {
  return new TwinstoreError('DATA_LOSS', `${objects.location}: ${path} ${problem}; restore it from a backup`, { cause })
}
