/**
 * Runs a view's source SQL and writes the rows that the table does not have yet.
 *
 * Compared is with the latest row that a sync brought for the same entity and event timestamp, not with rows that were
 * written: a source row that has not changed never overrides a later write, and one that was corrected does. Only
 * partitions that occur in the source are read. The source is materialized once, in memory or in the spill folder, because
 * its SQL may give other rows when it is run again.
 */
import type { FeatureView } from '../../domain/registry.ts'
import type { DataFile, SyncJob, TableScan } from '../table-jobs.ts'
import type { JobContext } from './job.ts'
import type { Session } from './session.ts'
import { matchColumns, type SourceColumn } from './source-columns.ts'
import { refuseAmbiguousRows, refuseFaultyRows, sourceError } from './source-faults.ts'
import { identifier, timestampLiteral } from './sql.ts'
import { tableColumns, tableSql } from './table-sql.ts'
import { eventDateSql, viewLayout, writeFiles } from './table-writer.ts'

export async function runSync(
  session: Session,
  input: SyncJob['input'],
  context: JobContext,
): Promise<SyncJob['output']> {
  const { view } = input
  context.progress('running the source', 0)
  const rowsRead = await readSource(session, input)
  context.progress('comparing with the table', 0.5)
  const existing = await existingInSourcePartitions(session, input)
  await session.run(`CREATE TEMP TABLE added AS ${newRowsSql(view, existing)}`)
  await session.run('DROP TABLE source')
  const rowsAdded = await countRows(session, 'added')
  if (rowsAdded === 0) return { files: [], rowsRead, rowsAdded }
  context.progress(`writing ${rowsAdded} rows`, 0.7)
  return { files: await writeFiles(session, viewLayout(view), 'added', input.outputDir), rowsRead, rowsAdded }
}

/** Makes the temporary table `source`: the source's rows, checked, with the table's columns. */
async function readSource(session: Session, { view, sql, position }: SyncJob['input']): Promise<number> {
  const subject = `the source of view ${view.name}`
  const query = sql.replace(/[;\s]+$/, '')
  const described = await session.rows(`DESCRIBE SELECT * FROM (${query}\n)`, { subject })
  const given = new Map(described.map((row) => [row['column_name'] as string, row['column_type'] as string]))
  const { columns, faults } = matchColumns(view, given)
  if (faults.length > 0) throw sourceError(view, faults)
  const wanted = columns.map((column) => column.rawSql).join(', ')
  await session.run(`CREATE TEMP TABLE raw AS SELECT ${wanted} FROM (${query}\n)`, { subject })
  await refuseFaultyRows(session, view, 'raw', columns)
  const rowsRead = await countRows(session, 'raw')
  await session.run(`CREATE TEMP TABLE source AS SELECT ${tableRowSql(view, columns, position)} FROM raw`)
  await session.run('DROP TABLE raw')
  await collapseRepeatedRows(session, view)
  return rowsRead
}

function tableRowSql(view: FeatureView, columns: readonly SourceColumn[], position: number): string {
  const cast = new Map(columns.map((column) => [column.name, column.cast.valueSql]))
  const recordedNow = timestampLiteral(position)
  const created = cast.get('created_timestamp')
  const system: Readonly<Record<string, string>> = {
    event_timestamp: cast.get('event_timestamp')!,
    created_timestamp: created === undefined ? recordedNow : `coalesce(${created}, ${recordedNow})`,
    write_position: String(position),
    write_origin: "'sync'",
    schema_id: String(view.schemaId),
    missing_features: 'NULL',
  }
  return tableColumns(view)
    .map(({ name, type }) => `CAST(${system[name] ?? cast.get(name)} AS ${type}) AS ${identifier(name)}`)
    .join(', ')
}

/** Equal rows count once, with the earliest time of recording; rows that differ in a feature are refused. */
async function collapseRepeatedRows(session: Session, view: FeatureView): Promise<void> {
  const version = versionColumns(view).join(', ')
  const [counted] = await session.rows(
    `SELECT count(*) AS repeated FROM (SELECT 1 FROM source GROUP BY ${version} HAVING count(*) > 1)`,
  )
  if (counted!['repeated'] === 0n) return
  const others = tableColumns(view)
    .map((column) => column.name)
    .filter((name) => name !== 'created_timestamp')
  await session.run(
    `CREATE TEMP TABLE collapsed AS SELECT ${others.map(identifier).join(', ')}, min(created_timestamp) AS created_timestamp
     FROM source GROUP BY ${others.map(identifier).join(', ')}`,
  )
  await session.run('DROP TABLE source')
  await session.run('ALTER TABLE collapsed RENAME TO source')
  await refuseAmbiguousRows(session, view, 'source')
}

/**
 * The files that can hold rows of the source's days. A file dated the first of a month may hold the whole month: the view
 * may have been partitioned otherwise when the file was written.
 */
async function existingInSourcePartitions(session: Session, { view, existing }: SyncJob['input']): Promise<TableScan> {
  if (existing.length === 0) return { view, files: [] }
  const dates = await session.rows(
    `SELECT DISTINCT CAST(${eventDateSql(view, 'event_timestamp')} AS VARCHAR) AS event_date FROM source`,
  )
  const partitions = new Set(dates.map((row) => row['event_date'] as string))
  const months = new Set([...partitions].map(monthOf))
  const mayHold = ({ eventDate }: DataFile) =>
    partitions.has(eventDate) ||
    ((view.partitionBy === 'month' || eventDate.endsWith('-01')) && months.has(monthOf(eventDate)))
  return { view, files: existing.filter(mayHold) }
}

function monthOf(date: string): string {
  return date.slice(0, 'YYYY-MM'.length)
}

/** The rows of `source` that differ from the latest synced row of the same entity and event timestamp, or have none. */
function newRowsSql(view: FeatureView, existing: TableScan): string {
  const columns = tableColumns(view)
    .map((column) => `source.${identifier(column.name)}`)
    .join(', ')
  if (existing.files.length === 0) return `SELECT ${columns} FROM source`
  const version = versionColumns(view)
  const sameVersion = (left: string, right: string) =>
    version.map((column) => `${left}.${column} = ${right}.${column}`).join(' AND ')
  const differs = view.features.map(
    ({ name }) => `source.${identifier(name)} IS DISTINCT FROM synced.${identifier(name)}`,
  )
  return `WITH synced AS (
      SELECT * FROM (${tableSql(existing)}) WHERE write_origin = 'sync'
    ), newest AS (
      SELECT ${version.join(', ')}, max(write_position) AS newest_position FROM synced GROUP BY ${version.join(', ')}
    ), latest AS (
      SELECT synced.* FROM synced JOIN newest ON ${sameVersion('synced', 'newest')} AND write_position = newest_position
    )
    SELECT ${columns} FROM source LEFT JOIN latest AS synced ON ${sameVersion('source', 'synced')}
    WHERE synced.write_position IS NULL OR ${lacksFeatures(view)} OR ${differs.join(' OR ')}`
}

/** True for a synced row of a schema without all of today's features: they are missing in it, which is not null. */
function lacksFeatures(view: FeatureView): string {
  const complete = view.schemaFeatureCounts.flatMap((count, index) =>
    count === view.features.length ? [index + 1] : [],
  )
  return `synced.schema_id NOT IN (${complete.join(', ')})`
}

function versionColumns(view: FeatureView): string[] {
  return [...view.joinKeys.map((key) => identifier(key.name)), 'event_timestamp']
}

async function countRows(session: Session, table: string): Promise<number> {
  const [counted] = await session.rows(`SELECT count(*) AS row_count FROM ${table}`)
  return Number(counted!['row_count'])
}
