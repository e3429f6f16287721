/** Data files between the log, the object store and the jobs that read and write them. */
import type { FeatureView } from '../../domain/registry.ts'
import type { BlockChecksums, FileChecksums } from '../../lib/block-checksums.ts'
import type { WrittenFile } from '../table-jobs.ts'
import type { AddFile } from './actions.ts'
import { parseStats, statsJson, timestampMs } from './file-stats.ts'
import { PARTITION_COLUMN } from './schema.ts'

/** A path, relative to the table, for a new data file; `uuid` keeps it apart from all others. */
export function dataFilePath(eventDate: string, uuid: string): string {
  return `${PARTITION_COLUMN}=${eventDate}/part-${uuid}.parquet`
}

/** The tag with the CRC-32 of a file's bytes (`lib/block-checksums.ts`), as Parquet engines write no checksums of pages. */
const CHECKSUM_TAG = 'twinstore.crc32'

/** The tag with the CRC-32 of each block (`lib/block-checksums.ts`): the blocks' size, a colon, the checksums in base64. */
const BLOCKS_TAG = 'twinstore.crc32.blocks'

/** The checksum a file had when it was written; undefined for a file of another engine. */
export function checksumOf(file: AddFile): string | undefined {
  return file.tags?.[CHECKSUM_TAG]
}

/** Those of its blocks; undefined for a file of another engine, or of a Twinstore that did not write them yet. */
export function blockChecksumsOf(file: AddFile): BlockChecksums | undefined {
  const [, blockBytes, text] = /^([1-9]\d{0,11}):([A-Za-z0-9+/=]*)$/.exec(file.tags?.[BLOCKS_TAG] ?? '') ?? []
  if (blockBytes === undefined) return undefined
  const crcs = Buffer.from(text!, 'base64')
  // Checksums that are not those of a file of this size say nothing about it: it is then verified as a whole.
  return crcs.length === Math.ceil(file.size / Number(blockBytes)) * 4
    ? { blockBytes: Number(blockBytes), crcs }
    : undefined
}

/** What the log says of a written file that is, or will be, at `path` relative to the table. */
export function addFileOf(
  view: FeatureView,
  written: WrittenFile,
  path: string,
  modificationMs: number,
  { whole, blocks }: FileChecksums,
): AddFile {
  return {
    path,
    partitionValues: { [PARTITION_COLUMN]: written.eventDate },
    size: written.bytes,
    modificationTime: modificationMs,
    dataChange: true,
    stats: statsJson(view, written.stats),
    tags: {
      [CHECKSUM_TAG]: whole,
      [BLOCKS_TAG]: `${blocks.blockBytes}:${Buffer.from(blocks.crcs).toString('base64')}`,
    },
  }
}

/** What a file holds, as its statistics say; undefined if they do not. */
export interface FileSummary {
  readonly rows: number | undefined
  /** The greatest event timestamp, microseconds. */
  readonly newestEventMicros: number | undefined
}

const summaries = new WeakMap<AddFile, FileSummary>()

/** Whether `summaryOf` has it at hand. */
export function isSummarized(file: AddFile): boolean {
  return summaries.has(file)
}

/** Parsed once per file: of a view with a hundred features that is 50 microseconds, and tables are asked about every second. */
export function summaryOf(file: AddFile): FileSummary {
  const known = summaries.get(file)
  if (known !== undefined) return known
  const { numRecords, maxValues } = parseStats(file.stats)
  const ms = timestampMs(maxValues['event_timestamp'])
  const summary = { rows: numRecords, newestEventMicros: ms === undefined ? undefined : ms * 1000 }
  summaries.set(file, summary)
  return summary
}
