/**
 * Which small files of a table are worth rewriting as larger ones.
 *
 * Groups are formed within a partition, from the smallest file up, to at most the target size. A file joins only if it is
 * no larger than all smaller ones of its group together (or very small): so rows are rewritten about once per doubling of
 * their file, log2(target / first file) times in their life, instead of with every few appends. A group must save enough files
 * to be worth its commit.
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
  let group: AddFile[] = []
  let bytes = 0
  const close = (): void => {
    if (group.length >= sizes.filesMin) groups.push({ eventDate, files: group, bytes })
    group = []
    bytes = 0
  }
  for (const file of [...partition].sort((a, b) => a.size - b.size || (a.path < b.path ? -1 : 1))) {
    const fits = bytes + file.size <= sizes.targetBytes
    const belongs = group.length === 0 || file.size <= Math.max(bytes, TINY_BYTES)
    if (!fits || !belongs) close()
    group.push(file)
    bytes += file.size
  }
  close()
  return groups
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
