/**
 * The offline store over Delta tables in an object store, with the columnar work done by jobs.
 *
 * Here is decided what files mean: which of them a question is about, and when what a job wrote belongs to a table. Rows
 * are written to files first, the files are uploaded, and one commit makes them part of the table together with how far
 * their origin has come; what a crash leaves behind before that is in no table.
 */
import type { KeyValue } from '../../domain/entity-key.ts'
import type { ExportJob } from '../dataset-jobs.ts'
import type { FileFilter } from '../delta/prune-files.ts'
import type { ExportRequest, OfflineStore, StatisticsRequest } from '../offline-store.ts'
import type { TableScan } from '../table-jobs.ts'
import { appendBatches, archivedIn } from './append-entries.ts'
import { compactView } from './compact-view.ts'
import { entityHistory } from './entity-history.ts'
import { lookUpEntities } from './entity-look-up.ts'
import { ExclusiveWork } from './exclusive-work.ts'
import { readKept, readLatest } from './latest-rows.ts'
import { readLatestOf } from './latest-selection.ts'
import { restoreRows } from './restore-rows.ts'
import { openSpool } from './spool.ts'
import type { DeltaOfflineStoreOptions, StoreParts } from './store-parts.ts'
import { syncView } from './sync-view.ts'
import { scanTable } from './table-scan.ts'
import { tableStatus } from './table-status.ts'
import { joinTrainingSet } from './training-set.ts'
import { vacuumView } from './vacuum-view.ts'
import { openViewTables } from './view-tables.ts'

export type { DeltaOfflineStoreOptions } from './store-parts.ts'

/** The engine is the caller's: it is closed after the store. */
export function openDeltaOfflineStore(options: DeltaOfflineStoreOptions): OfflineStore {
  const { engine, checkpoints } = options
  const table = { ...options.table, ...(checkpoints && { checkpoints: { engine, ...checkpoints } }) }
  const tables = openViewTables({ ...options, table })
  const spool = openSpool(options.spoolDir, options.spoolBytesMax)
  const parts: StoreParts = { ...options, tables, spool }
  const exclusive = new ExclusiveWork()

  return {
    async prepare(view) {
      await tables.ensure(view)
    },
    append: (view, batches) => appendBatches(parts, view, batches),
    async archivedPositions(view, sources) {
      const snapshot = await tables.table(view).snapshot()
      return sources.map((source) => archivedIn(snapshot, source))
    },
    sync: (view, position, jobOptions = {}) =>
      exclusive.run('sync', view, () => syncView(parts, view, position, jobOptions)),
    latest: (view, jobOptions = {}) => readLatest(parts, view, jobOptions),
    latestOf: (view, selection, jobOptions = {}) => readLatestOf(parts, view, selection, jobOptions),
    kept: (view, nowMicros, jobOptions = {}) => readKept(parts, view, nowMicros, jobOptions),
    lookUp: (view, entities, jobOptions = {}) => lookUpEntities(parts, view, entities, jobOptions),
    restore: (view, rows) => restoreRows(parts, view, rows),
    history: (view, request, jobOptions = {}) => entityHistory(parts, view, request, jobOptions),
    export(view, request, jobOptions) {
      const job = (table: TableScan) =>
        spool.keep(async (outputFile) => ({
          ...(await engine.run('export', exportInput(table, request, outputFile), jobOptions)),
          engine: options.engineName,
        }))
      return scanTable(
        tables,
        { view, version: request.tableVersion, filter: exportFilter(request) },
        job,
        jobOptions?.signal,
      )
    },
    trainingSet: (service, request, jobOptions = {}) => joinTrainingSet(parts, service, request, jobOptions),
    compact: (view, request, jobOptions = {}) =>
      exclusive.run('compaction', view, () => compactView(parts, view, request, jobOptions)),
    vacuum: (view, request, jobOptions = {}) =>
      exclusive.run('vacuum', view, () => vacuumView(parts, view, request, jobOptions)),
    statistics(view, request, jobOptions) {
      const job = (table: TableScan) => engine.run('statistics', { ...request, table }, jobOptions)
      return scanTable(tables, { view, version: undefined, filter: windowsFilter(request) }, job, jobOptions?.signal)
    },
    status: (view) => tableStatus(tables, view),
    async health() {
      // Whether the store answers is all that is asked; there need not be such an object.
      await options.objects.read('health')
    },
    async close() {
      await tables.settled()
      await spool.close()
    },
  }
}

function exportFilter({ fromMicros, untilMicros, entities }: ExportRequest): FileFilter {
  return {
    ...(fromMicros === undefined ? {} : { eventMicrosMin: fromMicros }),
    ...(untilMicros === undefined ? {} : { eventMicrosMax: untilMicros - 1 }),
    ...(entities === undefined ? {} : { entities }),
  }
}

/** From the beginning of the one window to the end of the other. */
function windowsFilter({ window, reference }: StatisticsRequest): FileFilter {
  return {
    eventMicrosMin: Math.min(window.fromMicros, reference.fromMicros),
    eventMicrosMax: Math.max(window.untilMicros, reference.untilMicros) - 1,
  }
}

function exportInput(table: TableScan, request: ExportRequest, outputFile: string): ExportJob['input'] {
  const { tableVersion: _, entities, ...asked } = request
  return { ...asked, table, outputFile, ...(entities === undefined ? {} : { entities: entities.map(keyTexts) }) }
}

function keyTexts(entity: readonly KeyValue[]): string[] {
  return entity.map(String)
}
