/**
 * The latest row of each of a few entities. Reads what `latestOf` does, but in one pass and without a file: a request waits, and
 * all versions of some entities are not much.
 */
import type { EntityKey } from '../../domain/entity-key.ts'
import { encodeRow } from '../../domain/row-codec.ts'
import type { LookUpJob } from '../table-jobs.ts'
import { entityCondition } from './export-job.ts'
import type { Session } from './session.ts'
import { soundParts } from './sound-parts.ts'
import { identifier } from './sql.ts'
import { storedRows } from './stored-row.ts'
import { tableSql } from './table-sql.ts'

export async function runLookUp(session: Session, input: LookUpJob['input']): Promise<LookUpJob['output']> {
  const { entities } = input
  const table = await soundParts(session, input.table, entities)
  const keys = table.view.joinKeys.map((key) => identifier(key.name)).join(', ')
  const rows: { readonly key: EntityKey; readonly row: Uint8Array }[] = []
  const sql = `SELECT * FROM (${tableSql(table)}) WHERE ${entityCondition(table.view, entities)}
    QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY event_timestamp DESC, write_position DESC, write_origin DESC) = 1`
  for await (const chunk of session.stream(sql)) {
    for (const stored of storedRows(table.view, chunk)) rows.push({ key: stored.key, row: encodeRow(stored) })
  }
  return { rows }
}
