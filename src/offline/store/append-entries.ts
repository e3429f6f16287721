/**
 * Adds outbox entries to a view's table, each exactly once.
 *
 * The table records, per online store and shard, the position up to which it holds the outbox, in the same commit as the
 * rows. So a replay after a crash is recognized, and of two archivers with the same entries the one that commits second
 * finds its rows there already.
 */
import type { FeatureView } from '../../domain/registry.ts'
import type { Position } from '../../domain/version.ts'
import type { OutboxEntry } from '../../online/online-store.ts'
import type { Action } from '../delta/actions.ts'
import type { Snapshot } from '../delta/snapshot.ts'
import type { AppendResult, OutboxSource } from '../offline-store.ts'
import type { StoreParts } from './store-parts.ts'
import { discardFiles, inStagingFolder, uploadFiles } from './written-files.ts'

export async function appendEntries(
  parts: StoreParts,
  view: FeatureView,
  source: OutboxSource,
  entries: readonly OutboxEntry[],
): Promise<AppendResult> {
  let read = await parts.tables.ensure(view)
  for (;;) {
    const fresh = entries.filter((entry) => entry.position > archivedIn(read, source))
    if (fresh.length === 0) return { tableVersion: read.version, rowsAdded: 0 }
    const { committed, snapshot } = await commitEntries(parts, view, source, fresh, read)
    if (committed) return { tableVersion: snapshot.version, rowsAdded: fresh.length }
    // Another archiver came first, with some or all of these entries. Every turn of the loop is one that it has won.
    read = snapshot
  }
}

/** The greatest outbox position of the source that the table holds. */
export function archivedIn(snapshot: Snapshot | undefined, source: OutboxSource): Position {
  return (snapshot?.txns.get(appIdOf(source)) ?? 0) as Position
}

function appIdOf({ storeId, shard }: OutboxSource): string {
  return `outbox/${storeId}/${shard}`
}

async function commitEntries(
  parts: StoreParts,
  view: FeatureView,
  source: OutboxSource,
  entries: readonly OutboxEntry[],
  read: Snapshot,
): Promise<{ readonly committed: boolean; readonly snapshot: Snapshot }> {
  const rows = entries.map(({ key, row }) => ({ key, row }))
  const files = await inStagingFolder(parts, async (outputDir) => {
    const output = await parts.engine.run('append', { view, rows, outputDir })
    return uploadFiles(parts, view, output.files)
  })
  const version = Math.max(...entries.map((entry) => entry.position))
  const actions: readonly Action[] = [{ txn: { appId: appIdOf(source), version } }, ...files.map((add) => ({ add }))]
  const result = await parts.tables.table(view).commit({
    read,
    actions,
    operation: 'WRITE',
    onConflict: (newest) => (archivedIn(newest, source) === archivedIn(read, source) ? actions : undefined),
  })
  if (!result.committed) await discardFiles(parts, view, files)
  return result
}
