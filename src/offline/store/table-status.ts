/** How a view's table is, from its log alone. */
import type { FeatureView } from '../../domain/registry.ts'
import { newestEventMicrosOf, rowCountOf } from '../delta/data-file.ts'
import type { TableStatus } from '../offline-store.ts'
import { lastSyncPosition } from './sync-view.ts'
import { NO_TABLE, type ViewTables } from './view-tables.ts'

export async function tableStatus(tables: ViewTables, view: FeatureView): Promise<TableStatus> {
  const snapshot = await tables.table(view).snapshot()
  const files = snapshot?.files ?? []
  let [rows, bytes] = [0, 0]
  let newestEventMicros: number | undefined
  for (const file of files) {
    rows += rowCountOf(file) ?? 0
    bytes += file.size
    const newest = newestEventMicrosOf(file)
    if (newest !== undefined) newestEventMicros = Math.max(newestEventMicros ?? newest, newest)
  }
  return {
    view: view.name,
    tableVersion: snapshot?.version ?? NO_TABLE,
    rows,
    files: files.length,
    bytes,
    syncPosition: lastSyncPosition(snapshot),
    newestEventMicros,
  }
}
