/** The time range of a spine, from its timestamp column alone: what decides which files of the tables the join needs. */
import type { Job } from './job.ts'
import { momentSql, spineRelation } from './spine-table.ts'
import { identifier } from './sql.ts'

const SUBJECT = { subject: 'the spine' }

export const runSpineRange: Job<'spineRange'> = async (session, { spine }, context) => {
  context.progress('reading the spine', 0)
  const { timestampColumn } = spine
  const relation = await spineRelation(session, spine, { only: timestampColumn })
  if (relation === undefined) return {}
  const described = await session.rows(`DESCRIBE FROM ${relation}`, SUBJECT)
  const column = described.find((row) => row['column_name'] === timestampColumn)
  const moment = column && momentSql(identifier(timestampColumn), String(column['column_type']))
  if (moment === undefined) return {}
  const [found] = await session.rows(
    `SELECT min(epoch_us(moment)) AS from_micros, max(epoch_us(moment)) AS until_micros
     FROM (SELECT ${moment} AS moment FROM ${relation}) WHERE isfinite(moment)`,
    SUBJECT,
  )
  const { from_micros: from, until_micros: until } = found!
  return from === null || until === null ? {} : { range: { fromMicros: Number(from), untilMicros: Number(until) } }
}
