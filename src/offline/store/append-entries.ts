/**
 * Adds outbox entries to a view's table, each exactly once.
 *
 * The table records, per online store and shard, the position up to which it holds the outbox, in the same commit as the
 * rows. So a replay after a crash is recognized, and of two archivers with the same entries the one that commits second
 * finds its rows there already. Shards share a commit: with one each, a table would grow by as many versions and small
 * files per pass as there are shards.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { FeatureView } from '../../domain/registry.ts'
import type { Position } from '../../domain/version.ts'
import type { OutboxEntry } from '../../online/online-store.ts'
import type { Action } from '../delta/actions.ts'
import type { Snapshot } from '../delta/snapshot.ts'
import type { AppendResult, OutboxBatch, OutboxSource } from '../offline-store.ts'
import { whileSpooling } from '../row-spool.ts'
import { inStagingFolder } from '../staging-folder.ts'
import type { StoreParts } from './store-parts.ts'
import { discardFiles, uploadFiles } from './written-files.ts'

export async function appendBatches(
  parts: StoreParts,
  view: FeatureView,
  batches: readonly OutboxBatch[],
): Promise<AppendResult> {
  // Rows of a source in two batches would be committed under the position of the last one only.
  const distinct = new Set(batches.map(({ source }) => appIdOf(source)))
  assert.equal(distinct.size, batches.length, 'one batch per source')
  let read = await parts.tables.ensure(view)
  for (;;) {
    const fresh = freshBatches(batches, read)
    if (fresh.length === 0) return { tableVersion: read.version, rowsAdded: 0 }
    const { committed, snapshot } = await commitBatches(parts, view, fresh, read)
    if (committed) return { tableVersion: snapshot.version, rowsAdded: rowCount(fresh) }
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

/** What the table does not hold yet; a source with nothing new has no batch. */
function freshBatches(batches: readonly OutboxBatch[], read: Snapshot): readonly OutboxBatch[] {
  return batches
    .map(({ source, entries }) => ({ source, entries: entriesAfter(entries, archivedIn(read, source)) }))
    .filter(({ entries }) => entries.length > 0)
}

/** Entries are in order of position, so that a million of them need not be looked at one by one. */
function entriesAfter(entries: readonly OutboxEntry[], position: Position): readonly OutboxEntry[] {
  let from = 0
  let to = entries.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (entries[middle]!.position > position) to = middle
    else from = middle + 1
  }
  return from === 0 ? entries : entries.slice(from)
}

async function commitBatches(
  parts: StoreParts,
  view: FeatureView,
  batches: readonly OutboxBatch[],
  read: Snapshot,
): Promise<{ readonly committed: boolean; readonly snapshot: Snapshot }> {
  const files = await inStagingFolder(parts.objects, async (dir) => {
    const rowsFile = join(dir, 'rows')
    const input = { view, rowsFile, outputDir: join(dir, 'files') }
    const rows = batches.map(({ entries }) => entries)
    const output = await whileSpooling(rowsFile, rows, (signal) => parts.engine.run('append', input, { signal }))
    return uploadFiles(parts, view, output.files)
  })
  const progress = batches.map(({ source, entries }) => ({
    txn: { appId: appIdOf(source), version: entries.at(-1)!.position },
  }))
  const actions: readonly Action[] = [...progress, ...files.map((add) => ({ add }))]
  const result = await parts.tables.table(view).commit({
    read,
    actions,
    operation: 'WRITE',
    // The files hold rows of all sources, so one source that moved makes them wrong as a whole.
    onConflict: (newest) =>
      batches.every(({ source }) => archivedIn(newest, source) === archivedIn(read, source)) ? actions : undefined,
  })
  if (!result.committed) await discardFiles(parts, view, files)
  return result
}

function rowCount(batches: readonly OutboxBatch[]): number {
  return batches.reduce((rows, { entries }) => rows + entries.length, 0)
}
