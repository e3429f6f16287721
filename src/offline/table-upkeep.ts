/** Upkeep of a table: what compaction and vacuum may do, and what they did. */

export interface CompactRequest {
  /** What files grow to, bytes; files of at least half of it are left alone. */
  readonly targetBytes: number
  /** The fewest files of a partition that are rewritten as one. */
  readonly filesMin: number
  /** Bytes that one run rewrites at most; but it rewrites one group of files whatever its size. */
  readonly runBytesMax: number
  /** Files that one commit of the run replaces at most. */
  readonly batchFilesMax: number
  /** Only says what would be done. */
  readonly dryRun?: boolean
}

export interface CompactResult {
  readonly view: string
  /** Of the last commit, or the newest where there was nothing to do; -1: no table. */
  readonly tableVersion: number
  readonly filesRemoved: number
  readonly bytesRemoved: number
  readonly filesAdded: number
  /** 0 when it was only asked what would be done. */
  readonly bytesAdded: number
  /** Groups of files that are left for the next run. */
  readonly groupsLeft: number
  /** Groups of files that another compactor was quicker with. */
  readonly groupsLost: number
}

export interface VacuumRequest {
  /** Files must have been unneeded, or uncommitted, for so long. */
  readonly ageMs: number
  /** Files that one run deletes at most. */
  readonly filesMax: number
  readonly dryRun?: boolean
}

export interface VacuumResult {
  readonly view: string
  /** Files that compaction had replaced, or that were never committed. */
  readonly deleted: number
  readonly bytes: number
  /** Files that are not deleted, because earlier versions cannot be read without them: another engine rearranged the table. */
  readonly kept: number
  /** Files left for the next run. */
  readonly filesLeft: number
}
