/**
 * The rows of one entity, newest first.
 *
 * Files are looked into month by month, the newest first, until there are as many rows as were asked for: the latest versions
 * of an entity with years of history cost a few files, and no other is even fetched. Every step takes twice as many months as
 * the one before, so that a whole history takes few steps.
 */
import type { FeatureView } from '../../domain/registry.ts'
import type { AddFile } from '../delta/actions.ts'
import { pruneFiles } from '../delta/prune-files.ts'
import { PARTITION_COLUMN } from '../delta/schema.ts'
import type { HistoryRequest, JobOptions } from '../offline-store.ts'
import type { HistoryRowData, TableScan } from '../table-jobs.ts'
import { lookUp } from './look-up.ts'
import type { StoreParts } from './store-parts.ts'

export interface EntityHistory {
  readonly rows: readonly HistoryRowData[]
  /** More rows exist than the limit let through. */
  readonly truncated: boolean
  readonly tableVersion: number
}

export async function entityHistory(
  { tables, engine }: StoreParts,
  view: FeatureView,
  request: HistoryRequest,
  options: JobOptions,
): Promise<EntityHistory> {
  const { entity, eventMicrosMax, limit } = request
  const { version, files } = await tables.at(view)
  const months = filesByMonth(
    pruneFiles(view, files, { entities: [entity], ...(eventMicrosMax === undefined ? {} : { eventMicrosMax }) }),
  )
  const rows: HistoryRowData[] = []
  let truncated = false
  for (let at = 0, count = 1; at < months.length && !truncated; at += count, count *= 2) {
    const wanted = { view, files: months.slice(at, at + count).flat() }
    const input = { ...request, entity: entity.map(String), limit: limit - rows.length }
    const job = (table: TableScan) => engine.run('history', { ...input, table }, options)
    const found = await lookUp(tables, wanted, job, options.signal)
    rows.push(...found.rows)
    truncated = found.truncated
  }
  return { rows, truncated, tableVersion: version }
}

/**
 * The files of each month, newest first: no row of a later element is newer than any of an earlier one. A file is dated with a
 * day or with the first of its month, whichever the view had when it was written. With files of no known date all are one.
 */
export function filesByMonth(files: readonly AddFile[]): readonly (readonly AddFile[])[] {
  const months = new Map<string, AddFile[]>()
  for (const file of files) {
    const [month] = /^\d{4}-\d\d(?=-\d\d$)/.exec(file.partitionValues[PARTITION_COLUMN] ?? '') ?? []
    if (month === undefined) return [files]
    const ofMonth = months.get(month) ?? []
    months.set(month, ofMonth)
    ofMonth.push(file)
  }
  return [...months].sort(([a], [b]) => (a < b ? 1 : -1)).map(([, ofMonth]) => ofMonth)
}
