/** The latest rows of a sample of a table's entities, or of some that are named. */
import type { KeyValue } from '../../domain/entity-key.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { pruneFiles } from '../delta/prune-files.ts'
import type { EntitySelection, JobOptions, SelectedRows } from '../offline-store.ts'
import type { TableScan } from '../table-jobs.ts'
import { batchesOf } from './latest-rows.ts'
import type { StoreParts } from './store-parts.ts'

/** The spool file is gone when the reader of the batches has finished or given up. */
export async function readLatestOf(
  parts: StoreParts,
  view: FeatureView,
  selection: EntitySelection,
  options: JobOptions,
): Promise<SelectedRows> {
  const { version, files } = await parts.tables.at(view)
  const { engine, spool, tables } = parts
  const run = (table: TableScan, outputFile: string) =>
    'sample' in selection
      ? engine.run('latestSample', { table, sample: selection.sample, outputFile }, options)
      : engine.run('latestOf', { table, entities: keyTexts(selection.entities), outputFile }, options)
  const able = 'sample' in selection ? files : pruneFiles(view, files, selection)
  const spooled = await tables.withFiles(
    view,
    able,
    (files) => spool.keep(async (outputFile) => ({ ...(await run({ view, files }, outputFile)), outputFile })),
    options.signal,
  )
  const batches = batchesOf(spooled.outputFile, parts.latestBatchRows, spooled.dispose)
  return { tableVersion: version, rows: spooled.rows, batches }
}

function keyTexts(entities: readonly (readonly KeyValue[])[]): readonly (readonly string[])[] {
  return entities.map((entity) => entity.map(String))
}
