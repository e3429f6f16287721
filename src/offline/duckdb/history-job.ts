/** The rows of one entity as known at some time, newest version first. */
import { MISSING_VALUE } from '../../domain/row-codec.ts'
import type { HistoryJob, HistoryRowData } from '../table-jobs.ts'
import type { Session } from './session.ts'
import { soundParts } from './sound-parts.ts'
import { identifier, literal, timestampLiteral } from './sql.ts'
import { storedRows } from './stored-row.ts'
import { tableSql } from './table-sql.ts'

export async function runHistory(session: Session, input: HistoryJob['input']): Promise<HistoryJob['output']> {
  const table = await soundParts(session, input.table, [input.entity])
  const { view } = table
  const rows: HistoryRowData[] = []
  // One row beyond the limit is asked for, to know whether there are more.
  const sql = `SELECT * FROM (${tableSql(table)}) WHERE ${conditions(input).join(' AND ')}
    ORDER BY event_timestamp DESC, write_position DESC, write_origin DESC LIMIT ${input.limit + 1}`
  for await (const chunk of session.stream(sql)) {
    for (const { eventMicros, createdMicros, position, origin, values } of storedRows(view, chunk)) {
      const padded = view.features.map((_, ordinal) => values[ordinal] ?? MISSING_VALUE)
      rows.push({ eventMicros, createdMicros, position, origin, values: padded })
    }
  }
  return { rows: rows.slice(0, input.limit), truncated: rows.length > input.limit }
}

function conditions({ table, entity, eventMicrosMax, recordedMicrosMax }: HistoryJob['input']): string[] {
  const terms = table.view.joinKeys.map((joinKey, index) => {
    const value = entity[index]!
    return `${identifier(joinKey.name)} = ${joinKey.type === 'int64' ? `CAST(${BigInt(value)} AS BIGINT)` : literal(value)}`
  })
  if (eventMicrosMax !== undefined) terms.push(`event_timestamp <= ${timestampLiteral(eventMicrosMax)}`)
  if (recordedMicrosMax !== undefined) terms.push(`created_timestamp <= ${timestampLiteral(recordedMicrosMax)}`)
  return terms
}
