/** The latest row of some entities of a table: of those that are named, or of a sample by the hash of the key. */
import { open } from 'node:fs/promises'
import { DuckDBDataChunk, type DuckDBValue } from '@duckdb/node-api'
import { entityKey, type KeyValue } from '../../domain/entity-key.ts'
import { isInSample, type KeySample } from '../../domain/key-sample.ts'
import type { FeatureView } from '../../domain/registry.ts'
import type { LatestJob, LatestOfJob, LatestSampleJob, TableScan } from '../table-jobs.ts'
import { mapDuckdbError } from './duckdb-errors.ts'
import { entityCondition } from './export-job.ts'
import type { JobContext } from './job.ts'
import { spoolRecord } from './latest-job.ts'
import type { Session } from './session.ts'
import { duckdbKeyType, identifier } from './sql.ts'
import { storedRows } from './stored-row.ts'
import { tableSql } from './table-sql.ts'

export async function runLatestOf(
  session: Session,
  { table, entities, outputFile }: LatestOfJob['input'],
  context: JobContext,
): Promise<LatestOfJob['output']> {
  const { keys, newestSql } = latestParts(table)
  await session.run(`CREATE TEMP TABLE chosen AS ${newestSql(`WHERE ${entityCondition(table.view, entities)}`)}`)
  // The condition again, so that the features of no other row group are read.
  const history = `SELECT * FROM (${tableSql(table)}) WHERE ${entityCondition(table.view, entities)}`
  return spoolChosen(session, table.view, { history, keys, outputFile }, context)
}

/**
 * The hash is of the encoded key and is computed here, over the keys alone: in SQL it would have to be written a second time.
 * What is held in memory is one version per entity; the features are read for the sample only.
 */
export async function runLatestSample(
  session: Session,
  { table, sample, outputFile }: LatestSampleJob['input'],
  context: JobContext,
): Promise<LatestSampleJob['output']> {
  const { keys, newestSql } = latestParts(table)
  await session.run(`CREATE TEMP TABLE newest AS ${newestSql('')}`)
  context.progress('choosing the sample')
  await chooseSample(session, table.view, sample)
  await session.run(`CREATE TEMP TABLE chosen AS SELECT * FROM newest SEMI JOIN sampled USING (${keys})`)
  await session.run('DROP TABLE newest')
  return spoolChosen(session, table.view, { history: tableSql(table), keys, outputFile }, context)
}

function latestParts(table: TableScan) {
  const keys = table.view.joinKeys.map((key) => identifier(key.name)).join(', ')
  return {
    keys,
    /** The greatest (event timestamp, write position) per entity. */
    newestSql: (where: string) =>
      `SELECT ${keys}, max(${versionSql('history')}) AS newest_version
       FROM (${tableSql(table)}) AS history ${where} GROUP BY ${keys}`,
  }
}

/** A table can hold a struct with names only; structs compare field by field. */
function versionSql(table: string): string {
  return `{event: ${table}.event_timestamp, position: ${table}.write_position}`
}

/** Makes the temporary table `sampled` of join keys out of `newest`. */
async function chooseSample(session: Session, view: FeatureView, sample: KeySample): Promise<void> {
  const types = view.joinKeys.map((key) => key.type)
  const names = view.joinKeys.map((key) => identifier(key.name)).join(', ')
  const sampled: DuckDBValue[][][] = []
  for await (const chunk of session.stream(`SELECT ${names} FROM newest`)) {
    sampled.push(chunk.getRows().filter((row) => isInSample(entityKey(types, row as KeyValue[]), sample)))
  }
  const columns = view.joinKeys.map((key) => `${identifier(key.name)} ${duckdbKeyType(key.type)}`)
  await session.run(`CREATE TEMP TABLE sampled (${columns.join(', ')})`)
  try {
    // Only now: an appender on the connection would end the stream.
    const appender = await session.connection.createAppender('sampled')
    const columnTypes = types.map((_, index) => appender.columnType(index))
    for (const rows of sampled) {
      if (rows.length === 0) continue
      const chunk = DuckDBDataChunk.create(columnTypes)
      chunk.setRows(rows)
      appender.appendDataChunk(chunk)
    }
    appender.flushSync()
    appender.closeSync()
  } catch (error) {
    throw mapDuckdbError(error)
  }
}

/** The rows of `history` that are the newest version in the temporary table `chosen`. */
async function spoolChosen(
  session: Session,
  view: FeatureView,
  { history, keys, outputFile }: { readonly history: string; readonly keys: string; readonly outputFile: string },
  context: JobContext,
): Promise<LatestJob['output']> {
  const file = await open(outputFile, 'w')
  let [rows, bytes] = [0, 0]
  try {
    const sql = `SELECT history.* FROM (${history}) AS history JOIN chosen USING (${keys})
      WHERE ${versionSql('history')} = chosen.newest_version`
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
