/** Data files between the log, the object store and the jobs that read and write them. */
import type { FeatureView } from '../../domain/registry.ts'
import type { WrittenFile } from '../table-jobs.ts'
import type { AddFile } from './actions.ts'
import { parseStats, statsJson } from './file-stats.ts'
import { PARTITION_COLUMN } from './schema.ts'

/** A path, relative to the table, for a new data file; `uuid` keeps it apart from all others. */
export function dataFilePath(eventDate: string, uuid: string): string {
  return `${PARTITION_COLUMN}=${eventDate}/part-${uuid}.parquet`
}

/** The tag with the CRC-32 of a file's bytes (`lib/file-checksum.ts`), as Parquet engines write no checksums of pages. */
const CHECKSUM_TAG = 'twinstore.crc32'

/** The checksum a file had when it was written; undefined for a file of another engine. */
export function checksumOf(file: AddFile): string | undefined {
  return file.tags?.[CHECKSUM_TAG]
}

/** What the log says of a written file that is, or will be, at `path` relative to the table. */
export function addFileOf(
  view: FeatureView,
  written: WrittenFile,
  path: string,
  modificationMs: number,
  checksum: string,
): AddFile {
  return {
    path,
    partitionValues: { [PARTITION_COLUMN]: written.eventDate },
    size: written.bytes,
    modificationTime: modificationMs,
    dataChange: true,
    stats: statsJson(view, written.stats),
    tags: { [CHECKSUM_TAG]: checksum },
  }
}

/** The number of rows of a file, or undefined if its statistics do not say. */
export function rowCountOf(file: AddFile): number | undefined {
  return parseStats(file.stats).numRecords
}
