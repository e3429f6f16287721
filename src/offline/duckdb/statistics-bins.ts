/** Bins that are made from a reference window, and how the rows of two windows fall into them. */
import type { DuckDBListValue, DuckDBValue } from '@duckdb/node-api'
import type { Bins, ValueCount } from '../statistics-job.ts'
import type { Session } from './session.ts'
import { listLiteral, literal } from './sql.ts'

/** Tenths, as is customary; numbers with no more different values than that are compared value by value. */
const RANGES = 10

/** What is measured of a feature, as SQL over the table's columns. */
export interface Measured {
  /** A DOUBLE: the number, or the length. */
  readonly number: string | undefined
  /** A VARCHAR: the string or bool. */
  readonly text: string | undefined
}

export interface BinQuestion {
  /** Relations with the rows of each window. */
  readonly current: string
  readonly earlier: string
  readonly measured: Measured
  readonly topValuesMax: number
  readonly exactQuantiles: boolean
}

export async function countInBins(session: Session, question: BinQuestion): Promise<Bins> {
  const { current, earlier } = question
  const shape = (await shapeOf(session, question, earlier)) ?? (await shapeOf(session, question, current))
  const bins = shape?.bins ?? { kind: 'values', values: [] }
  // Nobody has a value: all rows are in the bin for those.
  const index = shape?.indexSql ?? '1'
  const count = (bins.kind === 'ranges' ? bins.upTo.length : bins.values.length) + 2
  return {
    ...bins,
    counts: await countsOf(session, current, index, count),
    referenceCounts: await countsOf(session, earlier, index, count),
  }
}

interface Shape {
  readonly bins:
    | { readonly kind: 'ranges'; readonly upTo: number[] }
    | { readonly kind: 'values'; readonly values: string[] }
  /** The number of a row's bin. */
  readonly indexSql: string
}

/** Undefined if no row of the relation has a value. */
async function shapeOf(session: Session, question: BinQuestion, from: string): Promise<Shape | undefined> {
  const { text, number } = question.measured
  if (text !== undefined) {
    const values = (await categoryCounts(session, from, text, question.topValuesMax)).map(({ value }) => value)
    return values.length === 0
      ? undefined
      : valuesShape(values, `${text} IS NULL`, (value) => `${text} = ${literal(value)}`)
  }
  const different = await session.rows(
    `SELECT DISTINCT ${number} AS number FROM ${from} WHERE isfinite(${number}) LIMIT ${RANGES + 1}`,
  )
  if (different.length === 0) return undefined
  const none = `${number} IS NULL OR isnan(${number})`
  if (different.length <= RANGES) {
    const numbers = different.map((row) => row['number'] as number).sort((a, b) => a - b)
    return valuesShape(numbers.map(String), none, (value) => `${number} = ${double(value)}`)
  }
  const tenths = Array.from({ length: RANGES - 1 }, (_, index) => (index + 1) / RANGES)
  const quantile = question.exactQuantiles ? 'quantile_disc' : 'approx_quantile'
  const [found] = await session.rows(
    `SELECT ${quantile}(${number}, ${listLiteral(tenths)}) AS bounds FROM ${from} WHERE isfinite(${number})`,
  )
  // Where a tenth or more of the values are the same, neighbouring bounds are too.
  const upTo = [...new Set((found!['bounds'] as DuckDBListValue).items.map(Number))]
  const cases = upTo.map((bound, index) => `WHEN ${number} <= ${double(String(bound))} THEN ${index}`)
  return { bins: { kind: 'ranges', upTo }, indexSql: indexSql(none, cases, upTo.length) }
}

function valuesShape(values: string[], none: string, equals: (value: string) => string): Shape {
  const cases = values.map((value, index) => `WHEN ${equals(value)} THEN ${index}`)
  return { bins: { kind: 'values', values }, indexSql: indexSql(none, cases, values.length) }
}

function indexSql(none: string, cases: readonly string[], count: number): string {
  return `CASE WHEN ${none} THEN ${count + 1} ${cases.join(' ')} ELSE ${count} END`
}

async function countsOf(session: Session, from: string, index: string, count: number): Promise<number[]> {
  const counts = new Array<number>(count).fill(0)
  for (const { bin, row_count } of await session.rows(
    `SELECT ${index} AS bin, count(*) AS row_count FROM ${from} GROUP BY bin`,
  )) {
    counts[Number(bin as DuckDBValue)] = Number(row_count as DuckDBValue)
  }
  return counts
}

/** The most frequent values with their counts; of equally frequent ones the lesser first. */
export async function categoryCounts(
  session: Session,
  from: string,
  text: string,
  max: number,
): Promise<readonly ValueCount[]> {
  const found = await session.rows(
    `SELECT ${text} AS category, count(*) AS row_count FROM ${from} WHERE ${text} IS NOT NULL
     GROUP BY category ORDER BY row_count DESC, category LIMIT ${max}`,
  )
  return found.map((row) => ({ value: row['category'] as string, count: Number(row['row_count']) }))
}

/** Exact: a number as it stands in SQL would be a decimal. */
function double(number: string): string {
  return `CAST(${literal(number)} AS DOUBLE)`
}
