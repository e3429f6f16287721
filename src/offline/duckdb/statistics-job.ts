/**
 * Describes the values of each feature of a view over a window of event time, beside a reference window.
 *
 * Feature by feature: a query reads one feature's column and the event timestamp, so that all of them together read the files
 * about three times per window, and the memory is that of one feature's aggregates. One query for all features was
 * rejected: it reads once, and needs the memory of hundreds of distinct counts and quantiles at a time.
 */
import type { DuckDBListValue } from '@duckdb/node-api'
import type { Feature, FeatureView } from '../../domain/registry.ts'
import { typeName } from '../../domain/value-type.ts'
import {
  type FeatureSummary,
  type NumberSummary,
  QUANTILES,
  type StatisticsJob,
  type TimeWindow,
} from '../statistics-job.ts'
import type { TableScan } from '../table-jobs.ts'
import type { JobContext } from './job.ts'
import type { Session, SqlRow } from './session.ts'
import { identifier, listLiteral, literal, timestampLiteral } from './sql.ts'
import { categoryCounts, countInBins, type Measured } from './statistics-bins.ts'
import { tableSql } from './table-sql.ts'

/** What is compared and shown of a string. */
const TEXT_CHARACTERS = 256

export async function runStatistics(
  session: Session,
  { table, window, reference, topValuesMax, exactRowsMax }: StatisticsJob['input'],
  context: JobContext,
): Promise<StatisticsJob['output']> {
  const current = relation(table, window)
  const earlier = relation(table, reference)
  const rows = await countRows(session, current)
  const referenceRows = await countRows(session, earlier)
  const exactQuantiles = Math.max(rows, referenceRows) <= exactRowsMax
  const features: FeatureSummary[] = []
  for (const [ordinal, feature] of table.view.features.entries()) {
    context.progress(`describing ${feature.name}`, ordinal / table.view.features.length)
    const measured = measuredOf(feature)
    const found = await summary(session, current, table.view, ordinal, measured, exactQuantiles)
    const top =
      measured.text === undefined ? undefined : await categoryCounts(session, current, measured.text, topValuesMax)
    const bins = await countInBins(session, { current, earlier, measured, topValuesMax, exactQuantiles })
    features.push({ ...found, ...(top === undefined ? {} : { top }), bins })
  }
  return { rows, referenceRows, exactQuantiles, features }
}

function relation(table: TableScan, { fromMicros, untilMicros }: TimeWindow): string {
  return `(SELECT * FROM (${tableSql(table)})
    WHERE event_timestamp >= ${timestampLiteral(fromMicros)} AND event_timestamp < ${timestampLiteral(untilMicros)})`
}

async function countRows(session: Session, from: string): Promise<number> {
  const [counted] = await session.rows(`SELECT count(*) AS row_count FROM ${from}`)
  return Number(counted!['row_count'])
}

function measuredOf({ name, type }: Feature): Measured {
  const column = identifier(name)
  switch (type.kind) {
    case 'list':
    case 'vector':
      return { number: `len(${column})::DOUBLE`, text: undefined }
    case 'bytes':
      return { number: `octet_length(${column})::DOUBLE`, text: undefined }
    case 'string':
      return { number: `length(${column})::DOUBLE`, text: `left(${column}, ${TEXT_CHARACTERS})` }
    case 'bool':
      return { number: undefined, text: `${column}::VARCHAR` }
    case 'timestamp':
      return { number: `epoch(${column})`, text: undefined }
    default:
      return { number: `${column}::DOUBLE`, text: undefined }
  }
}

async function summary(
  session: Session,
  from: string,
  view: FeatureView,
  ordinal: number,
  { number }: Measured,
  exact: boolean,
): Promise<Omit<FeatureSummary, 'top' | 'bins'>> {
  const feature = view.features[ordinal]!
  const column = identifier(feature.name)
  const [found] = await session.rows(
    `SELECT count(*) FILTER (WHERE ${column} IS NULL) AS absent,
       count(*) FILTER (WHERE ${column} IS NULL AND ${missingSql(view, ordinal)}) AS missing,
       approx_count_distinct(${column}) AS different${number === undefined ? '' : `, ${numberAggregates(number, exact)}`}
     FROM ${from}`,
  )
  const missing = Number(found!['missing'])
  const { kind } = feature.type
  const isLength = kind === 'string' || kind === 'bytes' || kind === 'list' || kind === 'vector'
  return {
    name: feature.name,
    type: typeName(feature.type),
    nulls: Number(found!['absent']) - missing,
    missing,
    distinct: Number(found!['different']),
    ...(number === undefined ? {} : { [isLength ? 'lengths' : 'numbers']: numberSummary(found!) }),
  }
}

/** Whether a row lacks the feature: its writer left it out, or its schema is older than the feature. */
function missingSql(view: FeatureView, ordinal: number): string {
  const firstSchema = view.schemaFeatureCounts.findIndex((count) => count > ordinal) + 1
  const leftOut = `coalesce(list_contains(missing_features, ${literal(view.features[ordinal]!.name)}), false)`
  return `(schema_id < ${firstSchema} OR ${leftOut})`
}

function numberAggregates(number: string, exact: boolean): string {
  const finite = `FILTER (WHERE isfinite(${number}))`
  const quantile = `${exact ? 'quantile_cont' : 'approx_quantile'}(${number}, ${listLiteral([...QUANTILES])}) ${finite}`
  return `min(${number}) ${finite} AS least, max(${number}) ${finite} AS greatest, avg(${number}) ${finite} AS mean,
    ${quantile} AS quantiles, count(${number}) FILTER (WHERE NOT isfinite(${number})) AS not_finite`
}

function numberSummary(found: SqlRow): NumberSummary {
  const quantiles = found['quantiles'] as DuckDBListValue | null
  return {
    min: numberOf(found['least']),
    max: numberOf(found['greatest']),
    mean: numberOf(found['mean']),
    quantiles: quantiles === null ? [] : quantiles.items.map(Number),
    notFinite: Number(found['not_finite']),
  }
}

/** The mean of finite numbers may still be beyond the greatest one. */
function numberOf(cell: unknown): number | undefined {
  return typeof cell === 'number' && Number.isFinite(cell) ? cell : undefined
}
