/** The wide rows of a training set as SQL, for rows of the spine that are matched. */
import type { Feature } from '../../domain/registry.ts'
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
