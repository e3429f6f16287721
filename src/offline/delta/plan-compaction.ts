/**
 * Which small files of a table are worth rewriting as larger ones.
 *
 * Groups are formed within a partition, from the smallest file up, to at most the target size. The largest file of a group is
 * no larger than all others together (or very small): so rows are rewritten at most once per doubling of their file,
 * log2(target / first file) times in their life, instead of with every few appends. A group must save enough files to be worth
 * its commit.
 *
 * Left alone are files of which it is not known when their rows came (`row-versions.ts`), and files of at least half the target.
 */
import type { AddFile } from './actions.ts'
import { rowVersionsOf } from './row-versions.ts'
import { PARTITION_COLUMN } from './schema.ts'

export interface CompactionSizes {
  /** What files grow to, bytes (option `compact-target-bytes`). */
  readonly targetBytes: number
  /** The fewest files of a partition that are rewritten as one (option `compact-files-min`). */
  readonly filesMin: number
}

/** Files of one partition that become one. */
export interface FileGroup {
  readonly eventDate: string
  readonly files: readonly AddFile[]
  readonly bytes: number
}

/** Rewriting so little costs no more than starting to: the first doublings are taken at once. */
const TINY_BYTES = 1 << 20

/** The groups, those that save most files first. */
export function planCompaction(files: readonly AddFile[], sizes: CompactionSizes): readonly FileGroup[] {
  const partitions = new Map<string, AddFile[]>()
  for (const file of files) {
    const eventDate = file.partitionValues[PARTITION_COLUMN] ?? ''
    if (!/^\d{4}-\d\d-\d\d$/.test(eventDate) || file.size * 2 >= sizes.targetBytes) continue
    if (rowVersionsOf(file) === undefined) continue
    const partition = partitions.get(eventDate) ?? []
    partitions.set(eventDate, partition)
    partition.push(file)
  }
  const groups = [...partitions].flatMap(([eventDate, partition]) => groupsOf(eventDate, partition, sizes))
  return groups.sort((a, b) => b.files.length - a.files.length || (a.eventDate < b.eventDate ? -1 : 1))
}

function groupsOf(eventDate: string, partition: readonly AddFile[], sizes: CompactionSizes): readonly FileGroup[] {
  const groups: FileGroup[] = []
  let left = [...partition].sort((a, b) => a.size - b.size || (a.path < b.path ? -1 : 1))
  while (left.length > 0) {
    const files = worthwhile(fitting(left, sizes.targetBytes))
    if (files.length >= sizes.filesMin) groups.push({ eventDate, files, bytes: bytesOf(files) })
    left = left.slice(files.length)
  }
  return groups
}

/** The first files that fit into one, at least one of them. */
function fitting(files: readonly AddFile[], targetBytes: number): readonly AddFile[] {
  let bytes = 0
  const past = files.findIndex((file, index) => {
    bytes += file.size
    return index > 0 && bytes > targetBytes
  })
  return past < 0 ? files : files.slice(0, past)
}

/** Of files in order of size, those up to the last one that is no larger than all before it together. */
function worthwhile(files: readonly AddFile[]): readonly AddFile[] {
  let count = files.length
  let before = bytesOf(files)
  for (; count > 1; count--) {
    before -= files[count - 1]!.size
    if (files[count - 1]!.size <= Math.max(before, TINY_BYTES)) break
  }
  return files.slice(0, count)
}

function bytesOf(files: readonly AddFile[]): number {
  return files.reduce((sum, file) => sum + file.size, 0)
}

/** What one job and one commit rewrite. */
export interface BatchLimits {
  readonly bytesMax: number
  readonly filesMax: number
}

/**
 * The groups in batches, in order. A batch has each partition once, because the job writes one file per partition; a group that
 * passes a limit by itself is a batch by itself.
 */
export function compactionBatches(
  groups: readonly FileGroup[],
  limits: BatchLimits,
): readonly (readonly FileGroup[])[] {
  const batches: { readonly groups: FileGroup[]; bytes: number; files: number }[] = []
  for (const group of groups) {
    const last = batches.at(-1)
    const isFull =
      last === undefined ||
      last.bytes + group.bytes > limits.bytesMax ||
      last.files + group.files.length > limits.filesMax ||
      last.groups.some((other) => other.eventDate === group.eventDate)
    if (isFull) batches.push({ groups: [group], bytes: group.bytes, files: group.files.length })
    else {
      last.groups.push(group)
      last.bytes += group.bytes
      last.files += group.files.length
    }
  }
  return batches.map((batch) => batch.groups)
}
