/**
 * The port of a data set's format. A data set is written in parts, one query after the other, so that no more than a part's
 * rows are sorted in memory at a time. Every format gives the same bytes for the same rows, whatever the parts, the
 * threads and the memory.
 */
import type { DatasetColumn, DatasetFile } from '../dataset-jobs.ts'
import type { DatasetQuery, QueryColumn } from './dataset-query.ts'

export interface DatasetWriter {
  /** Adds the rows of the query, in its order. All queries of a data set have the same columns. */
  write(query: DatasetQuery): Promise<void>
  /** Completes the file. */
  finish(): Promise<DatasetFile>
  /** Removes what has been written; to be called when the work failed. */
  discard(): Promise<void>
}

export interface DatasetTarget {
  readonly outputFile: string
  readonly columns: readonly QueryColumn[]
  /** How many queries will be written. */
  readonly parts: number
  /** Rows of a Parquet row group; the parts but for the last have a multiple of it. Undefined: DuckDB's own number. */
  readonly rowGroupRows?: number
}

export function datasetColumns(columns: readonly QueryColumn[]): DatasetColumn[] {
  return columns.map(({ name, type }) => ({ name, type }))
}
