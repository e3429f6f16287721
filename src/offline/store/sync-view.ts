/** Runs a view's source and commits what it adds. Syncs of one view follow each other; what a later one adds depends on it. */
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import type { Position } from '../../domain/version.ts'
import type { Action } from '../delta/actions.ts'
import type { Snapshot } from '../delta/snapshot.ts'
import type { JobOptions } from '../engine.ts'
import type { SyncResult } from '../offline-store.ts'
import { inStagingFolder } from '../staging-folder.ts'
import type { DataFile } from '../table-jobs.ts'
import type { StoreParts } from './store-parts.ts'
import { discardFiles, uploadFiles } from './written-files.ts'

const APP_ID = 'sync'

export async function syncView(
  parts: StoreParts,
  view: FeatureView,
  position: Position,
  options: JobOptions,
): Promise<SyncResult> {
  if (view.source === undefined) {
    throw new TwinstoreError('FAILED_PRECONDITION', `view ${view.name} has no source; its rows are written by clients`)
  }
  const read = await parts.tables.ensure(view)
  refuseOldPosition(view, read, position)
  const sql = await parts.resolveSource(view)
  const { files, rowsRead, rowsAdded } = await inStagingFolder(parts.objects, async (outputDir) => {
    const run = (existing: readonly DataFile[]) =>
      parts.engine.run('sync', { view, sql, existing, position, outputDir }, options)
    const output = await parts.tables.withFiles(view, read.files, run, options.signal)
    return { ...output, files: await uploadFiles(parts, view, output.files) }
  })
  if (rowsAdded === 0) return { tableVersion: read.version, syncPosition: lastSyncPosition(read), rowsRead, rowsAdded }

  const actions: readonly Action[] = [{ txn: { appId: APP_ID, version: position } }, ...files.map((add) => ({ add }))]
  const result = await parts.tables.table(view).commit({
    read,
    actions,
    operation: 'WRITE',
    onConflict: (newest) => (lastSyncPosition(newest) === lastSyncPosition(read) ? actions : undefined),
  })
  if (result.committed) return { tableVersion: result.snapshot.version, syncPosition: position, rowsRead, rowsAdded }
  await discardFiles(parts, view, files)
  throw new TwinstoreError('ABORTED', `another sync of view ${view.name} committed meanwhile; sync it again`)
}

/** The position of the last sync that added rows; 0 if there was none. */
export function lastSyncPosition(snapshot: Snapshot | undefined): Position | 0 {
  return (snapshot?.txns.get(APP_ID) ?? 0) as Position | 0
}

/** The latest synced row is the one with the greatest position, so positions must not go back. */
function refuseOldPosition(view: FeatureView, read: Snapshot, position: Position): void {
  if (position > lastSyncPosition(read)) return
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    `view ${view.name} was synced at position ${lastSyncPosition(read)}, this sync has ${position}: the clock or the online store went back`,
  )
}
