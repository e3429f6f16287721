/**
 * Runs a job that reads a small part of a view's files and verifies that part itself.
 *
 * If it finds damage it is run once more on files verified as a whole: a damaged copy of an object is then fetched anew, and
 * a damaged object is named.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { TableScan } from '../table-jobs.ts'
import type { TableFiles, ViewTables } from './view-tables.ts'

export async function lookUp<T>(
  tables: ViewTables,
  wanted: TableFiles,
  job: (table: TableScan) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const run = (inParts: boolean) => tables.withScans([{ ...wanted, inParts }], ([table]) => job(table!), signal)
  try {
    return await run(true)
  } catch (error) {
    if (!(error instanceof TwinstoreError) || error.code !== 'DATA_LOSS') throw error
    return await run(false)
  }
}
