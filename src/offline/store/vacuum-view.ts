/**
 * Deletes files in a view's table folder that no reader needs any more: those that compaction replaced, and those that a writer
 * which crashed never committed.
 *
 * Both must be old: a query that began on an earlier version may still read the one, and a writer that is slow may still
 * commit the other. Earlier versions stay readable without them, from the newest files (`row-versions.ts`); where those do not
 * say when their rows came, because another engine rearranged them, everything stays.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { boundedParallel } from '../../lib/bounded-parallel.ts'
import { tablePath } from '../delta/ensure-table.ts'
import { rowVersionsOf } from '../delta/row-versions.ts'
import { type Snapshot, SOON_MS } from '../delta/snapshot.ts'
import type { JobOptions } from '../engine.ts'
import type { ObjectInfo } from '../objects/object-store.ts'
import { sweepStaging } from '../objects/staging-sweep.ts'
import type { VacuumRequest, VacuumResult } from '../offline-store.ts'
import type { StoreParts } from './store-parts.ts'

export async function vacuumView(
  parts: StoreParts,
  view: FeatureView,
  request: VacuumRequest,
  options: JobOptions,
): Promise<VacuumResult> {
  const result = { view: view.name, deleted: 0, bytes: 0, kept: 0, filesLeft: 0 }
  const beforeMs = parts.table.clock.nowMicros() / 1000 - request.ageMs
  if (request.dryRun !== true) await sweepStaging(parts.objects.stagingDir, beforeMs)
  // Listed first: a file that is committed after that is not in the list, or is too young.
  const listed: ObjectInfo[] = []
  for await (const object of parts.objects.list(`${tablePath(view)}/`)) {
    refuseIfAborted(options)
    if (isDataFile(object.path.slice(tablePath(view).length + 1)) && object.modifiedMs < beforeMs) listed.push(object)
  }
  const snapshot = await parts.tables.table(view).snapshot()
  if (snapshot === undefined) return result
  await refuseIfDamaged(parts, view, snapshot, listed, beforeMs)
  const unneeded = unneededOf(view, snapshot, listed, beforeMs)
  if (snapshot.files.some((file) => rowVersionsOf(file) === undefined)) return { ...result, kept: unneeded.length }

  const deleted = unneeded.slice(0, request.filesMax)
  if (request.dryRun !== true) {
    let done = 0
    await boundedParallel(deleted, parts.filesAtOnce, async ({ path }) => {
      refuseIfAborted(options)
      await parts.objects.delete(path)
      options.onProgress?.({ step: 'deleting files', fraction: ++done / deleted.length })
    })
  }
  return {
    ...result,
    deleted: deleted.length,
    bytes: deleted.reduce((sum, file) => sum + file.bytes, 0),
    filesLeft: unneeded.length - deleted.length,
  }
}

/**
 * A log that lost its end names files that were replaced and deleted since, and does not name those in their place: which are then
 * all there is of their rows. Files that are young may have come after the listing.
 */
async function refuseIfDamaged(
  { objects }: StoreParts,
  view: FeatureView,
  snapshot: Snapshot,
  listed: readonly ObjectInfo[],
  beforeMs: number,
): Promise<void> {
  const present = new Set(listed.map(({ path }) => path))
  for (const { path, modificationTime } of snapshot.files) {
    const object = `${tablePath(view)}/${path}`
    if (modificationTime >= beforeMs || present.has(object)) continue
    // One that was touched is listed as young.
    for await (const found of objects.list(object)) if (found.path === object) present.add(object)
    if (present.has(object)) continue
    throw new TwinstoreError(
      'DATA_LOSS',
      `${objects.location}: ${object} is gone, which the table's log names; nothing was deleted, because the log may have lost ` +
        'its end; restore both from a backup',
    )
  }
}

/** Old files that are not in the newest version: by when they were removed, else by when they were written. */
function unneededOf(
  view: FeatureView,
  snapshot: Snapshot,
  listed: readonly ObjectInfo[],
  beforeMs: number,
): readonly ObjectInfo[] {
  const needed = new Set(snapshot.files.map((file) => `${tablePath(view)}/${file.path}`))
  const removedMs = new Map(
    snapshot.tombstones.map((file) => [`${tablePath(view)}/${file.path}`, file.deletionTimestamp ?? 0]),
  )
  // A file that left no tombstone may have been removed up to so much after it was written.
  const unneededSince = ({ path, modifiedMs }: ObjectInfo) => removedMs.get(path) ?? modifiedMs + SOON_MS
  return listed.filter((object) => !needed.has(object.path) && unneededSince(object) < beforeMs)
}

/** Not the log, nor what anybody else may have put there: by agreement, names with an underscore or a dot before them. */
function isDataFile(path: string): boolean {
  return path.endsWith('.parquet') && !path.split('/').some((name) => /^[_.]/.test(name))
}

function refuseIfAborted({ signal }: JobOptions): void {
  if (signal?.aborted) throw new TwinstoreError('CANCELLED', 'the vacuum was cancelled')
}
