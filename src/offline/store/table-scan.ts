/** A job over those files of a view's table that can hold what it looks for. */
import type { FeatureView } from '../../domain/registry.ts'
import { type FileFilter, pruneFiles } from '../delta/prune-files.ts'
import type { TableScan } from '../table-jobs.ts'
import { lookUp } from './look-up.ts'
import type { ViewTables } from './view-tables.ts'

/**
 * Up to so many entities are looked up: their row groups are found and verified one by one. More of them are in most row groups
 * of most tables (a file has about 64 to 1,000), so that whole files are verified and scanned.
 */
const LOOKUP_ENTITIES_MAX = 64

export interface ScannedTable {
  readonly view: FeatureView
  /** Undefined: the newest. */
  readonly version: number | undefined
  readonly filter: FileFilter
}

/** What the job gives, and the version it was run at. */
export async function scanTable<T>(
  tables: ViewTables,
  { view, version, filter }: ScannedTable,
  job: (table: TableScan) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T & { readonly tableVersion: number }> {
  const state = await tables.at(view, version)
  const files = pruneFiles(view, state.files, filter)
  const few = filter.entities !== undefined && filter.entities.length <= LOOKUP_ENTITIES_MAX
  const output = few
    ? await lookUp(tables, { view, files }, job, signal)
    : await tables.withFiles(view, files, (files) => job({ view, files }), signal)
  return { ...output, tableVersion: state.version }
}
