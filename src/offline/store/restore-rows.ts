/**
 * Gives rows back to a table that lost them, each at most once.
 *
 * Whether the table has a row is looked at in the version that the commit is based on. Of two restores at the same time the
 * second one looks again, because both count the table's restores; no other commit can bring such a row, since no outbox
 * holds it and its position was given once.
 */
import { join } from 'node:path'
import { decodeEntityKey, splitRowKey } from '../../domain/entity-key.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { rowEventMicros } from '../../domain/row-codec.ts'
import type { RowWrite } from '../../online/online-store.ts'
import type { Action } from '../delta/actions.ts'
import { pruneFiles } from '../delta/prune-files.ts'
import type { AppendResult } from '../offline-store.ts'
import { writeRowSpool } from '../row-spool.ts'
import { inStagingFolder } from '../staging-folder.ts'
import type { StoreParts } from './store-parts.ts'
import { discardFiles, uploadFiles } from './written-files.ts'

/** Its number counts the restores. */
const APP_ID = 'restore'

export async function restoreRows(
  parts: StoreParts,
  view: FeatureView,
  rows: readonly RowWrite[],
): Promise<AppendResult> {
  let read = await parts.tables.ensure(view)
  for (;;) {
    const candidates = pruneFiles(view, read.files, filterOf(view, rows))
    const written = await inStagingFolder(parts.objects, async (dir) => {
      const rowsFile = join(dir, 'rows')
      await writeRowSpool(rowsFile, [rows])
      return await parts.tables.withFiles(view, candidates, async (existing) => {
        const input = { view, rowsFile, existing, outputDir: join(dir, 'files') }
        const { files } = await parts.engine.run('restore', input)
        const rowsAdded = files.reduce((sum, { stats }) => sum + stats.numRecords, 0)
        return { files: await uploadFiles(parts, view, files), rowsAdded }
      })
    })
    if (written.rowsAdded === 0) return { tableVersion: read.version, rowsAdded: 0 }
    const count = (read.txns.get(APP_ID) ?? 0) + 1
    const actions: readonly Action[] = [
      { txn: { appId: APP_ID, version: count } },
      ...written.files.map((add) => ({ add })),
    ]
    const { committed, snapshot } = await parts.tables.table(view).commit({
      read,
      actions,
      operation: 'WRITE',
      onConflict: (newest) => ((newest.txns.get(APP_ID) ?? 0) < count ? actions : undefined),
    })
    if (committed) return { tableVersion: snapshot.version, rowsAdded: written.rowsAdded }
    await discardFiles(parts, view, written.files)
    // Every turn of the loop is one that another restore has won.
    read = snapshot
  }
}

function filterOf(view: FeatureView, rows: readonly RowWrite[]) {
  const types = view.joinKeys.map((key) => key.type)
  const times = rows.map(({ row }) => rowEventMicros(row))
  return {
    eventMicrosMin: Math.min(...times),
    eventMicrosMax: Math.max(...times),
    entities: rows.map(({ key }) => decodeEntityKey(types, splitRowKey(key).entityKey)),
  }
}
