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

/** What the log says of a written file that is, or will be, at `path` relative to the table. */
export function addFileOf(view: FeatureView, written: WrittenFile, path: string, modificationMs: number): AddFile {
  return {
    path,
    partitionValues: { [PARTITION_COLUMN]: written.eventDate },
    size: written.bytes,
    modificationTime: modificationMs,
    dataChange: true,
    stats: statsJson(view, written.stats),
  }
}

/** The number of rows of a file, or undefined if its statistics do not say. */
export function rowCountOf(file: AddFile): number | undefined {
  return parseStats(file.stats).numRecords
}
