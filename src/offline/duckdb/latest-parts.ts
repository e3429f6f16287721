/** What the jobs have in common that give latest rows: how the newest version is found, and the spool file. */
import { open } from 'node:fs/promises'
import { rowKey } from '../../domain/entity-key.ts'
import { type FeatureView, storageId } from '../../domain/registry.ts'
import { encodeRow } from '../../domain/row-codec.ts'
import type { SpooledRows, TableScan } from '../table-jobs.ts'
import type { JobContext } from './job.ts'
import type { Session } from './session.ts'
import { identifier } from './sql.ts'
import { type StoredRow, storedRows } from './stored-row.ts'
import { tableSql } from './table-sql.ts'

export function latestParts(table: TableScan) {
  const keys = table.view.joinKeys.map((key) => identifier(key.name)).join(', ')
  return {
    keys,
    /** The greatest (event timestamp, write position) per entity. */
    newestSql: (where: string) =>
      `SELECT ${keys}, max(${versionSql('history')}) AS newest_version
       FROM (${tableSql(table)}) AS history ${where} GROUP BY ${keys}`,
  }
}

/** The rows of `history` that are the newest version in the temporary table `chosen`. */
export function chosenSql(history: string, keys: string): string {
  return `SELECT history.* FROM (${history}) AS history JOIN chosen USING (${keys})
    WHERE ${versionSql('history')} = chosen.newest_version`
}

/** A table can hold a struct with names only; structs compare field by field. */
function versionSql(table: string): string {
  return `{event: ${table}.event_timestamp, position: ${table}.write_position}`
}

/** Writes what the query gives, which has the table's columns, to a row spool (`row-spool.ts`). */
export async function spoolRows(
  session: Session,
  view: FeatureView,
  sql: string,
  outputFile: string,
  context: JobContext,
): Promise<SpooledRows> {
  const file = await open(outputFile, 'w')
  let [rows, bytes] = [0, 0]
  try {
    for await (const chunk of session.stream(sql)) {
      const records = Buffer.concat(storedRows(view, chunk).map((row) => spoolRecord(view, row)))
      await file.appendFile(records)
      rows += chunk.rowCount
      bytes += records.length
      context.progress('reading latest rows')
    }
  } finally {
    await file.close()
  }
  return { rows, bytes }
}

function spoolRecord(view: FeatureView, stored: StoredRow): Buffer {
  const key = Buffer.from(rowKey(storageId(view), stored.key), 'latin1')
  const row = encodeRow(stored)
  const lengths = Buffer.allocUnsafe(8)
  lengths.writeUInt32BE(key.length, 0)
  lengths.writeUInt32BE(row.length, 4)
  return Buffer.concat([lengths, key, row])
}
