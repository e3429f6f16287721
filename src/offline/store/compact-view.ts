/**
 * Rewrites small files of a view's table as fewer large ones: the same rows in other files (`dataChange` is false).
 *
 * In batches of bounded size, each one job and one commit that removes the files it read and adds those it wrote; a crash
 * loses one batch's work, whose files no version names. Appends that commit meanwhile disturb nothing. Another compactor that
 * took one of the files does: then the batch is thrown away, so that no row is ever in two files of a version.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import type { Action, AddFile } from '../delta/actions.ts'
import { tablePath } from '../delta/ensure-table.ts'
import { compactionBatches, type FileGroup, planCompaction } from '../delta/plan-compaction.ts'
import { rowVersionsOf, rowVersionTags } from '../delta/row-versions.ts'
import { PARTITION_COLUMN, parseSchema, typeText } from '../delta/schema.ts'
import type { Snapshot } from '../delta/snapshot.ts'
import type { JobOptions } from '../engine.ts'
import type { CompactRequest, CompactResult } from '../offline-store.ts'
import { inStagingFolder } from '../staging-folder.ts'
import { type DataFile, ROW_VERSION_COLUMN, type SourceFile, type WrittenFile } from '../table-jobs.ts'
import type { StoreParts } from './store-parts.ts'
import { NO_TABLE } from './view-tables.ts'
import { discardFiles, uploadFiles } from './written-files.ts'

export async function compactView(
  parts: StoreParts,
  view: FeatureView,
  request: CompactRequest,
  options: JobOptions,
): Promise<CompactResult> {
  const snapshot = await parts.tables.table(view).snapshot()
  if (snapshot === undefined) return { ...nothing(view), tableVersion: NO_TABLE }
  const groups = planCompaction(snapshot.files, request)
  const taken = withinRun(groups, request.runBytesMax)
  const result = { ...nothing(view), tableVersion: snapshot.version, groupsLeft: groups.length - taken.length }
  if (request.dryRun === true) return { ...result, ...counted(taken), filesAdded: taken.length }

  const limits = { bytesMax: request.targetBytes, filesMax: request.batchFilesMax }
  const batches = compactionBatches(taken, limits)
  for (const [index, batch] of batches.entries()) {
    if (options.signal?.aborted) throw new TwinstoreError('CANCELLED', 'the compaction was cancelled')
    options.onProgress?.({ step: `compacting, ${taken.length} groups of files`, fraction: index / batches.length })
    const added = await rewrite(parts, view, batch, options)
    if (added === undefined) {
      result.groupsLost += batch.length
      continue
    }
    const { filesRemoved, bytesRemoved } = counted(batch)
    result.filesRemoved += filesRemoved
    result.bytesRemoved += bytesRemoved
    result.filesAdded += added.files.length
    result.bytesAdded += added.files.reduce((sum, file) => sum + file.size, 0)
    result.tableVersion = added.tableVersion
  }
  return result
}

function nothing(view: FeatureView) {
  const counts = { filesRemoved: 0, bytesRemoved: 0, filesAdded: 0, bytesAdded: 0, groupsLeft: 0, groupsLost: 0 }
  return { view: view.name, ...counts }
}

function counted(groups: readonly FileGroup[]) {
  return {
    filesRemoved: groups.reduce((sum, group) => sum + group.files.length, 0),
    bytesRemoved: groups.reduce((sum, group) => sum + group.bytes, 0),
  }
}

/** The first groups that one run may rewrite, at least one. */
function withinRun(groups: readonly FileGroup[], bytesMax: number): readonly FileGroup[] {
  let bytes = 0
  const past = groups.findIndex((group, index) => {
    bytes += group.bytes
    return bytes > bytesMax && index > 0
  })
  return past < 0 ? groups : groups.slice(0, past)
}

/** Undefined if another compactor took one of the files first. */
async function rewrite(
  parts: StoreParts,
  view: FeatureView,
  batch: readonly FileGroup[],
  options: JobOptions,
): Promise<{ readonly files: readonly AddFile[]; readonly tableVersion: number } | undefined> {
  const table = parts.tables.table(view)
  const read = (await table.snapshot())!
  const files = batch.flatMap((group) => group.files)
  if (!hasAll(read, files)) return undefined
  const written = await inStagingFolder(parts.objects, async (outputDir) => {
    const job = (local: readonly DataFile[]) => {
      const input = { columns: columnsOf(view, read), joinKeys: view.joinKeys.map(({ name }) => name), outputDir }
      return parts.engine.run(
        'compact',
        { ...input, files: local.map((file, i) => sourceOf(file, files[i]!)) },
        options,
      )
    }
    const output = await parts.tables.withFiles(view, files, job, options.signal)
    const uploaded = await uploadFiles(parts, view, output.files)
    return uploaded.map((file, index) => rearranged(file, output.files[index]!))
  })
  const deletionTimestamp = Math.floor(parts.table.clock.nowMicros() / 1000)
  const actions: readonly Action[] = [
    ...files.map(({ path }) => ({ remove: { path, dataChange: false, deletionTimestamp } })),
    ...written.map((add) => ({ add })),
  ]
  const { committed, snapshot } = await table.commit({
    read,
    actions,
    operation: 'OPTIMIZE',
    // A new column is null in all of the rows that were read; what counts is that they are all still in these files.
    onConflict: (newest) => (hasAll(newest, files) ? actions : undefined),
  })
  if (committed) return { files: written, tableVersion: snapshot.version }
  await discardFiles(parts, view, written)
  return undefined
}

function hasAll(snapshot: Snapshot, files: readonly AddFile[]): boolean {
  const present = new Set(snapshot.files.map((file) => file.path))
  return files.every((file) => present.has(file.path))
}

/** All columns that the table has: also those of features that the definitions do not have any more. */
function columnsOf(view: FeatureView, { metadata }: Snapshot) {
  return parseSchema(tablePath(view), metadata.schemaString)
    .filter(({ name }) => name !== PARTITION_COLUMN)
    .map(({ name, type }) => ({ name, type: typeText(type) }))
}

function sourceOf(local: DataFile, file: AddFile): SourceFile {
  const versions = rowVersionsOf(file)!
  return versions.perRow ? local : { ...local, addedVersion: versions.first }
}

function rearranged(file: AddFile, { stats }: WrittenFile): AddFile {
  const first = Number(stats.minValues[ROW_VERSION_COLUMN])
  const last = Number(stats.maxValues[ROW_VERSION_COLUMN])
  return { ...file, dataChange: false, tags: { ...file.tags, ...rowVersionTags(first, last) } }
}
