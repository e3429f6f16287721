/** How a view's table is, from its log alone. */
import type { FeatureView } from '../../domain/registry.ts'
import { nextTurn } from '../../lib/next-turn.ts'
import { isSummarized, summaryOf } from '../delta/data-file.ts'
import type { TableStatus } from '../offline-store.ts'
import { lastSyncPosition } from './sync-view.ts'
import { NO_TABLE, type ViewTables } from './view-tables.ts'

/** Files whose statistics are parsed in one turn of the event loop, some milliseconds of it. */
const PARSED_IN_A_TURN = 50

export async function tableStatus(tables: ViewTables, view: FeatureView): Promise<TableStatus> {
  const snapshot = await tables.table(view).snapshot()
  const files = snapshot?.files ?? []
  let [rows, bytes] = [0, 0]
  let newestEventMicros: number | undefined
  let parsed = 0
  for (const file of files) {
    if (!isSummarized(file) && ++parsed % PARSED_IN_A_TURN === 0) await nextTurn()
    const summary = summaryOf(file)
    rows += summary.rows ?? 0
    bytes += file.size
    const newest = summary.newestEventMicros
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
