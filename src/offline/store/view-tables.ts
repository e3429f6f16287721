/** The Delta tables of views, and their files as local files, lent for as long as a job reads them. */
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { boundedParallel } from '../../lib/bounded-parallel.ts'
import { type DeltaTable, type DeltaTableOptions, openDeltaTable } from '../delta/delta-table.ts'
import { ensureTable, tablePath } from '../delta/ensure-table.ts'
import { filesUntil, type VersionedFile } from '../delta/row-versions.ts'
import { PARTITION_COLUMN } from '../delta/schema.ts'
import type { Snapshot } from '../delta/snapshot.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { DataFile, TableScan } from '../table-jobs.ts'
import { withLoans } from './loans.ts'
import { createSoundFiles } from './sound-files.ts'

/** The version of a view's table before it is made. */
export const NO_TABLE = -1

/** A table as a question sees it: before it is made it has version -1 and no files. */
export interface TableState {
  readonly version: number
  readonly files: readonly VersionedFile[]
}

export interface ViewTables {
  table(view: FeatureView): DeltaTable
  /** The newest snapshot of the view's table, which is made or given the view's columns if need be. */
  ensure(view: FeatureView): Promise<Snapshot>
  /**
   * The table at a version, undefined: the newest. NOT_FOUND for a version it does not have. An older version is read from the
   * newest files, whose rows say since when they are there; only if some do not, from the files of that version.
   */
  at(view: FeatureView, version?: number): Promise<TableState>
  /**
   * Lends files of the view's table to `use`. They are there until what it gives is settled, and no longer. DATA_LOSS for one
   * that is not what the table's log says. An aborted `signal` ends the fetching.
   */
  withFiles<T>(
    view: FeatureView,
    files: readonly VersionedFile[],
    use: (files: readonly DataFile[]) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T>
  /** The same for files of several tables, in their order. */
  withScans<T>(
    tables: readonly TableFiles[],
    use: (scans: readonly TableScan[]) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T>
  /** Resolves when nothing is done in the background any more. */
  settled(): Promise<void>
}

/** Those files of a view's table that a question is about. */
export interface TableFiles {
  readonly view: FeatureView
  readonly files: readonly VersionedFile[]
  /** True for a job that reads small parts of the files and verifies those itself. */
  readonly inParts?: boolean
}

export interface ViewTablesOptions {
  readonly objects: ObjectStore
  readonly table: DeltaTableOptions
  /** Files that are fetched at the same time. */
  readonly filesAtOnce: number
  /** Files that are remembered as verified; a forgotten one is read once more. */
  readonly verifiedFilesMax: number
}

export function openViewTables(options: ViewTablesOptions): ViewTables {
  const { objects, table: tableOptions, filesAtOnce } = options
  const soundFiles = createSoundFiles(objects, options.verifiedFilesMax)
  // One per view and view version; a table keeps its newest snapshot, so that a look at it reads new entries only.
  const opened = new Map<string, DeltaTable>()

  const table = (view: FeatureView): DeltaTable => {
    const path = tablePath(view)
    const found = opened.get(path) ?? openDeltaTable(objects, path, tableOptions)
    opened.set(path, found)
    return found
  }

  const withScans = <T>(
    wanted: readonly TableFiles[],
    use: (scans: readonly TableScan[]) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> =>
    withLoans(async (loans) => {
      const files = wanted.flatMap(({ view, files, inParts }) => files.map((file) => ({ view, file, inParts })))
      const lent = await boundedParallel(files, filesAtOnce, async ({ view, file, inParts }): Promise<DataFile> => {
        if (signal?.aborted) throw new TwinstoreError('CANCELLED', 'cancelled while its files were fetched')
        const sound = soundFiles.borrow(`${tablePath(view)}/${file.path}`, file, inParts)
        const path = await loans.take(sound.then(({ loan }) => loan))
        const { unverified } = await sound
        const { rowsUntilVersion } = file
        const eventDate = file.partitionValues[PARTITION_COLUMN] ?? ''
        const partly = rowsUntilVersion === undefined ? {} : { rowsUntilVersion }
        return { path, eventDate, ...partly, ...(unverified === undefined ? {} : { unverified }) }
      })
      const next = lent.values()
      return use(wanted.map(({ view, files }) => ({ view, files: files.map(() => next.next().value!) })))
    })

  return {
    table,
    ensure: (view) => ensureTable(table(view), view, { nowMs: Math.floor(tableOptions.clock.nowMicros() / 1000) }),
    async at(view, version) {
      if (version === NO_TABLE) return { version, files: [] }
      const newest = await table(view).snapshot()
      if (version === undefined) return newest ?? { version: NO_TABLE, files: [] }
      const isInRange = newest !== undefined && Number.isInteger(version) && version >= 0 && version <= newest.version
      const files = isInRange ? filesUntil(version, newest.files) : undefined
      return files === undefined ? table(view).snapshotAt(version) : { version, files }
    },
    withFiles: (view, files, use, signal) => withScans([{ view, files }], (scans) => use(scans[0]!.files), signal),
    withScans,
    async settled() {
      await Promise.all([...opened.values()].map((one) => one.settled()))
    },
  }
}
