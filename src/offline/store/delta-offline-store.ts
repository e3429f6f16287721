/**
 * The offline store over Delta tables in an object store, with the columnar work done by jobs.
 *
 * Here is decided what files mean: which of them a question is about, and when what a job wrote belongs to a table. Rows
 * are written to files first, the files are uploaded, and one commit makes them part of the table together with how far
 * their origin has come; what a crash leaves behind before that is in no table.
 */
import type { KeyValue } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import type { ExportJob } from '../dataset-jobs.ts'
import { tablePath } from '../delta/ensure-table.ts'
import { type FileFilter, pruneFiles } from '../delta/prune-files.ts'
import type { ExportRequest, OfflineStore, StatisticsRequest } from '../offline-store.ts'
import type { TableScan } from '../table-jobs.ts'
import { appendBatches, archivedIn } from './append-entries.ts'
import { compactView } from './compact-view.ts'
import { entityHistory } from './entity-history.ts'
import { lookUpEntities } from './entity-look-up.ts'
import { readKept, readLatest } from './latest-rows.ts'
import { readLatestOf } from './latest-selection.ts'
import { lookUp } from './look-up.ts'
import { restoreRows } from './restore-rows.ts'
import { openSpool } from './spool.ts'
import type { DeltaOfflineStoreOptions, StoreParts } from './store-parts.ts'
import { syncView } from './sync-view.ts'
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
  const busy = new Set<string>()

  /** One of a kind at a time per table: a second one would do the work again, or wait for files that are about to go. */
  const alone = async <T>(
    kind: 'sync' | 'compaction' | 'vacuum',
    view: FeatureView,
    work: () => Promise<T>,
  ): Promise<T> => {
    const name = `${kind} ${tablePath(view)}`
    if (busy.has(name)) {
      throw new TwinstoreError('ABORTED', `a ${kind} of view ${view.name} is running; wait for it to end`)
    }
    busy.add(name)
    try {
      return await work()
    } finally {
      busy.delete(name)
    }
  }

  /** Runs `job` over those files of the view's table that can hold what it looks for; says at which version. */
  const scan = async <T>(
    view: FeatureView,
    version: number | undefined,
    filter: FileFilter,
    job: (table: TableScan) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T & { readonly tableVersion: number }> => {
    const state = await tables.at(view, version)
    const files = pruneFiles(view, state.files, filter)
    const few = filter.entities !== undefined && filter.entities.length <= LOOKUP_ENTITIES_MAX
    const output = few
      ? await lookUp(tables, { view, files }, job, signal)
      : await tables.withFiles(view, files, (files) => job({ view, files }), signal)
    return { ...output, tableVersion: state.version }
  }

  return {
    async prepare(view) {
      await tables.ensure(view)
    },
    append: (view, batches) => appendBatches(parts, view, batches),
    async archivedPositions(view, sources) {
      const snapshot = await tables.table(view).snapshot()
      return sources.map((source) => archivedIn(snapshot, source))
    },
    sync: (view, position, jobOptions = {}) => alone('sync', view, () => syncView(parts, view, position, jobOptions)),
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
      return scan(view, request.tableVersion, exportFilter(request), job, jobOptions?.signal)
    },
    trainingSet: (service, request, jobOptions = {}) => joinTrainingSet(parts, service, request, jobOptions),
    compact: (view, request, jobOptions = {}) =>
      alone('compaction', view, () => compactView(parts, view, request, jobOptions)),
    vacuum: (view, request, jobOptions = {}) =>
      alone('vacuum', view, () => vacuumView(parts, view, request, jobOptions)),
    statistics(view, request, jobOptions) {
      const job = (table: TableScan) => engine.run('statistics', { ...request, table }, jobOptions)
      return scan(view, undefined, windowsFilter(request), job, jobOptions?.signal)
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

/**
 * Up to so many entities are looked up: their row groups are found and verified one by one. More of them are in most row groups
 * of most tables (a file has about 64 to 1,000), so that whole files are verified and scanned.
 */
const LOOKUP_ENTITIES_MAX = 64

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
