/** The latest row per entity, read from a spool file batch by batch as the caller takes them. */
import type { RowKey } from '../../domain/entity-key.ts'
import type { FeatureView } from '../../domain/registry.ts'
import type { RowWrite } from '../../online/online-store.ts'
import type { AddFile } from '../delta/actions.ts'
import { rowVersionsOf } from '../delta/row-versions.ts'
import type { Snapshot } from '../delta/snapshot.ts'
import type { JobOptions, KeptRows, LatestOptions, LatestRows } from '../offline-store.ts'
import { rowSpoolPieces, rowsOfPiece } from '../row-spool.ts'
import type { DataFile, TableScan } from '../table-jobs.ts'
import type { StoreParts } from './store-parts.ts'
import { lastSyncPosition } from './sync-view.ts'
import { NO_TABLE } from './view-tables.ts'

/** The spool file is gone when the reader of the batches has finished or given up. */
export async function readLatest(parts: StoreParts, view: FeatureView, options: LatestOptions): Promise<LatestRows> {
  const { after, limit, sinceVersion, ...jobOptions } = options
  const snapshot = await parts.tables.table(view).snapshot()
  const files = filesAfter(snapshot, sinceVersion)
  const asked = { ...(after === undefined ? {} : { after }), ...(limit === undefined ? {} : { limit }) }
  const spool = (table: TableScan) =>
    parts.spool.keep(async (outputFile) => ({
      ...(await parts.engine.run('latest', { table, outputFile, ...asked }, jobOptions)),
      outputFile,
    }))
  const spooled = await parts.tables.withFiles(view, files, (files) => spool({ view, files }), options.signal)
  return {
    tableVersion: snapshot?.version ?? NO_TABLE,
    syncPosition: lastSyncPosition(snapshot),
    rows: spooled.rows,
    entities: spooled.entities,
    batches: batchesOf(spooled.outputFile, parts.latestBatchRows, spooled.dispose),
  }
}

export async function readKept(
  parts: StoreParts,
  view: FeatureView,
  nowMicros: number,
  options: JobOptions,
): Promise<KeptRows> {
  const snapshot = await parts.tables.table(view).snapshot()
  const spool = (files: readonly DataFile[]) =>
    parts.spool.keep(async (outputFile) => ({
      ...(await parts.engine.run('kept', { table: { view, files }, nowMicros, outputFile }, options)),
      outputFile,
    }))
  const { rows, leftOutMicrosMax, outputFile, dispose } = await parts.tables.withFiles(
    view,
    snapshot?.files ?? [],
    spool,
    options.signal,
  )
  return {
    tableVersion: snapshot?.version ?? NO_TABLE,
    syncPosition: lastSyncPosition(snapshot),
    rows,
    ...(leftOutMicrosMax === undefined ? {} : { leftOutMicrosMax }),
    batches: batchesOf(outputFile, parts.latestBatchRows, dispose),
  }
}

/** The files that can hold rows the table got after `version`; undefined: all. */
function filesAfter(snapshot: Snapshot | undefined, version: number | undefined): readonly AddFile[] {
  const files = snapshot?.files ?? []
  if (version === undefined) return files
  return files.filter((file) => (rowVersionsOf(file)?.last ?? Number.POSITIVE_INFINITY) > version)
}

export async function* batchesOf(
  path: string,
  batchRows: number,
  dispose: () => Promise<void>,
): AsyncGenerator<readonly RowWrite[]> {
  try {
    let batch: RowWrite[] = []
    for await (const piece of rowSpoolPieces(path)) {
      for (const { key, row } of rowsOfPiece(piece)) {
        batch.push({ key: key as RowKey, row })
        if (batch.length < batchRows) continue
        yield batch
        batch = []
      }
    }
    if (batch.length > 0) yield batch
  } finally {
    await dispose()
  }
}
