/** The wide rows of a training set as SQL, for rows of the spine that are matched. */
import type { Feature } from '../../domain/registry.ts'
import { ROW_GROUP_ROWS } from './dataset-parquet.ts'
import type { DatasetQuery, QueryColumn } from './dataset-query.ts'
import type { OnDemandFunction } from './on-demand-function.ts'
import {
  defaultSql,
  featureSql,
  type History,
  type Join,
  joinedSql,
  offsetSql,
  type SpineSlice,
  staleSql,
  withinSql,
} from './point-in-time.ts'
import { columnWidths } from './row-width.ts'
import type { Session } from './session.ts'
import type { Spine } from './spine-table.ts'
import { duckdbType } from './sql.ts'
import type { JoinedFeature, OnDemandCall, OutputColumn, TrainingSetPlan } from './training-set-plan.ts'

/** All that the rows are made of. */
export interface Training {
  readonly plan: TrainingSetPlan
  readonly spine: Spine
  readonly functions: readonly OnDemandFunction[]
  readonly histories: ReadonlyMap<string, History>
}

export function outputColumns({ spine, plan }: Training): QueryColumn[] {
  return [...spine.columns, ...plan.outputs.map(outputColumn)]
}

function outputColumn(output: OutputColumn, index: number): QueryColumn {
  const sql = output.from === 'join' ? `f${index}` : `call${output.call.index}.o${output.output}`
  const type = duckdbType(output.type).replace('TIMESTAMPTZ', 'TIMESTAMP WITH TIME ZONE')
  return { name: output.name, type, sql, wholeSeconds: true }
}

/** The most values of a row group, by the declared types: it is sorted and held as a whole, by each thread that writes. */
const ROW_GROUP_VALUES_MAX = 16_000_000
/** Row groups are whole vectors of DuckDB. */
const VECTOR_ROWS = 2048

/**
 * Rows of a row group of the result: DuckDB's own number, less only for rows that are declared wide (embeddings, more than 130
 * columns). It follows from the definitions and the spine's columns and nothing else, as the bytes do (G5).
 */
export function rowGroupRows(plan: TrainingSetPlan, spine: Spine): number {
  const declared = plan.outputs.map(({ type }) => (type.kind === 'vector' ? 1 + type.length / 2 : 1))
  const width = declared.reduce((sum, values) => sum + values, spine.columns.length)
  const rows = Math.floor(ROW_GROUP_VALUES_MAX / width / VECTOR_ROWS) * VECTOR_ROWS
  return Math.min(ROW_GROUP_ROWS, Math.max(VECTOR_ROWS, rows))
}

/** The average width of a row of the result, in values; of what is computed on demand only the number of columns is known. */
export async function rowWidth(session: Session, { plan, spine, histories }: Training): Promise<number> {
  let width = sum(await columnWidths(session, spine.sql.relation, spine.columns))
  for (const [name, { viewIndex }] of histories) {
    const sources = plan.outputs.flatMap((output) => (output.from === 'join' ? [output.source] : []))
    const columns = sources
      .filter(({ join }) => join.view.name === name)
      .map(({ ordinal, feature }) => ({ sql: `f${ordinal}`, type: duckdbType(feature.type) }))
    width += sum(await columnWidths(session, `history_${viewIndex}`, columns))
  }
  return width + plan.outputs.filter((output) => output.from === 'call').length
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Three levels: the rows of `wide`; joined, with the results of the on-demand calls; the columns of the data set. */
export function datasetQuery(
  training: Training,
  columns: readonly QueryColumn[],
  matched: SpineSlice,
  wide: SpineSlice,
): DatasetQuery {
  const { plan, spine, functions, histories } = training
  const joins = plan.joins.map((join) => ({ join, history: histories.get(join.view.name)! }))
  const rows = `SELECT *, s.rowid AS spine_row, ${offsetSql(matched)} AS spine_offset
    FROM ${spine.sql.relation} s WHERE ${withinSql(wide)}`
  const joined = plan.outputs.flatMap((output, index) =>
    output.from === 'join' ? [`${sourceSql(training, output.source)} AS f${index}`] : [],
  )
  const called = plan.calls.map((call, index) => `${callSql(training, call, functions[index]!)} AS call${index}`)
  const carried = spine.columns.map((column) => `s.${column.sql}`)
  const from = `(SELECT ${['s.spine_row', ...carried, ...joined, ...called].join(', ')}
    FROM (${rows}) s ${joinedSql(joins, wide.first - matched.first, wide.end - matched.first)})`
  return { columns, from, orderBy: 'spine_row' }
}

function sourceSql({ histories }: Training, { join, ordinal }: JoinedFeature): string {
  return featureSql(join, histories.get(join.view.name)!, ordinal)
}

function callSql(training: Training, call: OnDemandCall, computed: OnDemandFunction): string {
  const inputs = call.inputs.map((input) => input.features.map((source) => sourceSql(training, source)))
  const request = call.view.request.map((feature) => requestSql(feature, training.spine.request.get(feature.name)))
  const rejected = call.inputs.flatMap((input) => rejectedSql(training, input.features[0]?.join))
  const called = computed.callSql(inputs, request)
  return rejected.length === 0 ? called : `CASE WHEN ${rejected.join(' OR ')} THEN NULL ELSE ${called} END`
}

/** When nothing may be computed from an input, as in serving: its row is stale and its view rejects that. */
function rejectedSql({ histories }: Training, join: Join | undefined): readonly string[] {
  if (join?.view.onStale !== 'reject' || histories.get(join.view.name)!.isEmpty) return []
  const stale = staleSql(join)
  return stale === undefined ? [] : [`(${stale})`]
}

/** The spine's value; the default where it has no such column or null in it, as serving has it. */
function requestSql(feature: Feature, given: string | undefined): string {
  if (given === undefined) return defaultSql(feature)
  return feature.default === undefined ? given : `coalesce(${given}, ${defaultSql(feature)})`
}
