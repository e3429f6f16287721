/** The writer of each format. */
import type { DatasetFormat } from '../dataset-jobs.ts'
import { openCsvWriter } from './dataset-csv.ts'
import type { DatasetTarget, DatasetWriter } from './dataset-output.ts'
import { openParquetWriter } from './dataset-parquet.ts'
import { openRowsWriter } from './rows-writer.ts'
import type { Session } from './session.ts'

export async function openDatasetWriter(
  session: Session,
  format: DatasetFormat,
  target: DatasetTarget,
): Promise<DatasetWriter> {
  switch (format) {
    case 'parquet':
      return openParquetWriter(session, target)
    case 'csv':
      return openCsvWriter(session, target)
    case 'arrow': {
      // Not before it is asked for: see `spineRelation`.
      const { openArrowWriter } = await import('./arrow-writer.ts')
      return openArrowWriter(session, target)
    }
    case 'rows':
      return openRowsWriter(session, target)
  }
}
