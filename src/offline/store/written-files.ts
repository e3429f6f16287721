/** Files that a job wrote, on their way into a table. */
import { randomUUID } from 'node:crypto'
import type { FeatureView } from '../../domain/registry.ts'
import { fileChecksums } from '../../lib/block-checksums.ts'
import { boundedParallel } from '../../lib/bounded-parallel.ts'
import type { AddFile } from '../delta/actions.ts'
import { addFileOf, dataFilePath } from '../delta/data-file.ts'
import { tablePath } from '../delta/ensure-table.ts'
import type { WrittenFile } from '../table-jobs.ts'
import type { StoreParts } from './store-parts.ts'

type Parts = Pick<StoreParts, 'objects' | 'filesAtOnce' | 'table'>

/** Takes the files into the object store. They belong to no table until a commit says so. */
export async function uploadFiles(
  parts: Parts,
  view: FeatureView,
  written: readonly WrittenFile[],
): Promise<readonly AddFile[]> {
  const nowMs = Math.floor(parts.table.clock.nowMicros() / 1000)
  return boundedParallel(written, parts.filesAtOnce, async (file) => {
    const path = dataFilePath(file.eventDate, randomUUID())
    const checksums = await fileChecksums(file.path)
    await parts.objects.upload(file.path, `${tablePath(view)}/${path}`)
    return addFileOf(view, file, path, nowMs, checksums)
  })
}

/** Removes uploaded files that are certain to be in no table; those of a commit with an unknown outcome must stay. */
export async function discardFiles(parts: Parts, view: FeatureView, files: readonly AddFile[]): Promise<void> {
  await boundedParallel(files, parts.filesAtOnce, (file) => parts.objects.delete(`${tablePath(view)}/${file.path}`))
}
