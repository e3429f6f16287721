/**
 * The latest rows of the entities with the greatest values of a feature. Ranked is over one version and one value per entity, and
 * the features are read for those that are kept: of a million entities with a hundred kept, a hundred rows.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { KeptJob } from '../table-jobs.ts'
import type { JobContext } from './job.ts'
import { chosenSql, latestParts, spoolRows } from './latest-parts.ts'
import type { Session } from './session.ts'
import { identifier, timestampLiteral } from './sql.ts'
import { tableSql } from './table-sql.ts'

export async function runKept(
  session: Session,
  { table, nowMicros, outputFile }: KeptJob['input'],
  context: JobContext,
): Promise<KeptJob['output']> {
  const { keepOnline, name } = table.view
  if (keepOnline === undefined) throw new TwinstoreError('INTERNAL', `view ${name} keeps all its entities online`)
  const { keys } = latestParts(table)
  context.progress('ranking entities')
  await session.run(
    `CREATE TEMP TABLE newest AS SELECT ${keys}, max({event: event_timestamp, position: write_position, value: ${valueSql(table.view)}}) AS newest
     FROM (${tableSql(table)}) GROUP BY ${keys}`,
  )
  await session.run(
    `CREATE TEMP TABLE ranked AS SELECT ${keys}, newest, row_number() OVER (ORDER BY newest.value DESC NULLS LAST, ${keys}) AS place
     FROM newest`,
  )
  const isKept = `place <= ${keepOnline.limit} OR newest.event > ${timestampLiteral(nowMicros)}`
  const [left] = await session.rows(`SELECT max(epoch_us(newest.event)) AS micros FROM ranked WHERE NOT (${isKept})`)
  await session.run(
    `CREATE TEMP TABLE chosen AS SELECT ${keys}, {event: newest.event, position: newest.position} AS newest_version
     FROM ranked WHERE ${isKept}`,
  )
  const spooled = await spoolRows(session, table.view, chosenSql(tableSql(table), keys), outputFile, context)
  const micros = left!['micros']
  return micros === null ? spooled : { ...spooled, leftOutMicrosMax: Number(micros) }
}

/** The value that entities are ranked by; NaN, which DuckDB takes for greater than all, counts as null. */
function valueSql({ keepOnline, features }: KeptJob['input']['table']['view']): string {
  const column = identifier(keepOnline!.topBy)
  const { type } = features.find((feature) => feature.name === keepOnline!.topBy)!
  return type.kind === 'double' || type.kind === 'float'
    ? `CASE WHEN isnan(${column}) THEN NULL ELSE ${column} END`
    : column
}
