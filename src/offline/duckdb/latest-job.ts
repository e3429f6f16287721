/** The latest row per entity of a table, as bytes for the online store, in one spool file (its form: `table-jobs.ts`). */
import type { FeatureView } from '../../domain/registry.ts'
import type { LatestJob, TableScan } from '../table-jobs.ts'
import type { JobContext } from './job.ts'
import { chosenSql, latestParts, spoolRows } from './latest-parts.ts'
import type { Session } from './session.ts'
import { identifier, literal } from './sql.ts'
import { tableSql } from './table-sql.ts'

export async function runLatest(
  session: Session,
  input: LatestJob['input'],
  context: JobContext,
): Promise<LatestJob['output']> {
  const { table, limit, outputFile } = input
  if (limit === undefined) {
    const spooled = await spoolRows(session, table.view, latestSql(table), outputFile, context)
    return { ...spooled, entities: spooled.rows }
  }
  const entities = await chooseEntities(session, input, limit)
  const { keys } = latestParts(table)
  const sql = `${chosenSql(tableSql(table), keys)} ORDER BY ${keys}`
  return { ...(await spoolRows(session, table.view, sql, outputFile, context)), entities }
}

/**
 * The row of the greatest (event timestamp, write position) per entity, with the table's columns. The maxima come first and are then
 * joined: what is held in memory is one version per entity, not the features. A window or DISTINCT ON holds and
 * sorts all rows; over 570,842 rows of 3,399 entities they took 0.32 s and 0.34 s, this 0.18 s.
 */
function latestSql(scan: TableScan): string {
  const keys = scan.view.joinKeys.map((key) => identifier(key.name)).join(', ')
  return `WITH history AS NOT MATERIALIZED (${tableSql(scan)}),
    newest AS (SELECT ${keys}, max(row(event_timestamp, write_position)) AS newest_version FROM history GROUP BY ${keys})
    SELECT history.* FROM history JOIN newest USING (${keys})
    WHERE row(history.event_timestamp, history.write_position) = newest.newest_version`
}

/** Makes the temporary table `chosen`: the first entities in key order with their newest versions. Returns how many there are in all. */
async function chooseEntities(session: Session, { table, after }: LatestJob['input'], limit: number): Promise<number> {
  const { keys, newestSql } = latestParts(table)
  await session.run(
    `CREATE TEMP TABLE newest AS ${newestSql(after === undefined ? '' : `WHERE ${afterSql(table.view, after)}`)}`,
  )
  const [counted] = await session.rows('SELECT count(*) AS entities FROM newest')
  await session.run(`CREATE TEMP TABLE chosen AS SELECT * FROM newest ORDER BY ${keys} LIMIT ${limit}`)
  await session.run('DROP TABLE newest')
  return Number(counted!['entities'])
}

/** The first condition follows from the second; it is one that row groups can be skipped by. */
function afterSql(view: FeatureView, after: readonly string[]): string {
  const names = view.joinKeys.map((key) => identifier(key.name))
  const values = view.joinKeys.map((key, index) =>
    key.type === 'int64' ? `CAST(${BigInt(after[index]!)} AS BIGINT)` : literal(after[index]!),
  )
  return `${names[0]} >= ${values[0]} AND row(${names.join(', ')}) > row(${values.join(', ')})`
}
