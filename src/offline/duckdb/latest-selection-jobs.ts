/** The latest row of some entities of a table: of those that are named, or of a sample by the hash of the key. */
import { DuckDBDataChunk, type DuckDBValue } from '@duckdb/node-api'
import { entityKey, type KeyValue } from '../../domain/entity-key.ts'
import { isInSample, type KeySample } from '../../domain/key-sample.ts'
import type { FeatureView } from '../../domain/registry.ts'
import type { LatestOfJob, LatestSampleJob } from '../table-jobs.ts'
import { mapDuckdbError } from './duckdb-errors.ts'
import { entityCondition } from './export-job.ts'
import type { JobContext } from './job.ts'
import { chosenSql, latestParts, spoolRows } from './latest-parts.ts'
import type { Session } from './session.ts'
import { duckdbKeyType, identifier } from './sql.ts'
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
  return spoolRows(session, table.view, chosenSql(history, keys), outputFile, context)
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
  return spoolRows(session, table.view, chosenSql(tableSql(table), keys), outputFile, context)
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
