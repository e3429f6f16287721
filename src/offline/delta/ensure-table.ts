/** Gives a view its Delta table, with every column its rows have. */
import { randomUUID } from 'node:crypto'
import type { FeatureView } from '../../domain/registry.ts'
import type { Action, Metadata } from './actions.ts'
import type { DeltaTable } from './delta-table.ts'
import { TABLE_PROTOCOL } from './protocol-support.ts'
import { evolvedColumns, PARTITION_COLUMN, parseSchema, schemaString, viewColumns } from './schema.ts'
import type { Snapshot } from './snapshot.ts'

/**
 * Settings that other engines obey. The history is complete, so nobody may delete rows (rewriting files is still
 * allowed); and old versions stay readable (G5), so nobody may clean up the log, which other engines do by default
 * after 30 days when they write a checkpoint.
 */
const CONFIGURATION = { 'delta.appendOnly': 'true', 'delta.enableExpiredLogCleanup': 'false' }

/** Where a view's table is in the object store. */
export function tablePath(view: Pick<FeatureView, 'name' | 'version'>): string {
  return `views/${view.name}/v${view.version}`
}

/**
 * Creates the table or adds the columns it lacks; changes nothing if it has them all. Safe to call from several
 * processes at once. Throws FAILED_PRECONDITION for a column whose type differs from the view's.
 */
export async function ensureTable(
  table: DeltaTable,
  view: FeatureView,
  options: { readonly nowMs: number; readonly tableId?: string },
): Promise<Snapshot> {
  const read = await table.snapshot()
  if (read === undefined) {
    const created = await table.commit({
      read,
      actions: creation(view, options.nowMs, options.tableId ?? randomUUID()),
      operation: 'CREATE TABLE',
      onConflict: () => undefined,
    })
    return created.committed ? created.snapshot : ensureTable(table, view, options)
  }
  const actions = evolution(table.path, read, view)
  if (actions === undefined) return read
  const { snapshot } = await table.commit({
    read,
    actions,
    operation: 'ADD COLUMNS',
    onConflict: (newest) => evolution(table.path, newest, view),
  })
  return snapshot
}

function creation(view: FeatureView, nowMs: number, id: string): readonly Action[] {
  const metaData: Metadata = {
    id,
    name: view.name,
    ...(view.description === undefined ? {} : { description: view.description }),
    format: { provider: 'parquet', options: {} },
    schemaString: schemaString(viewColumns(view)),
    partitionColumns: [PARTITION_COLUMN],
    configuration: CONFIGURATION,
    createdTime: nowMs,
  }
  return [{ protocol: TABLE_PROTOCOL }, { metaData }]
}

function evolution(path: string, read: Snapshot, view: FeatureView): readonly Action[] | undefined {
  const columns = evolvedColumns(path, parseSchema(path, read.metadata.schemaString), viewColumns(view))
  return columns && [{ metaData: { ...read.metadata, schemaString: schemaString(columns) } }]
}
