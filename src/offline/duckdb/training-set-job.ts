/**
 * Point-in-time correct feature rows for a spine, in the spine's order (G4, G5).
 *
 * The spine is joined in slices of rows: each slice's matches are found, its features fetched by row number, its on-demand
 * values computed, and its rows sorted back into the spine's order. That sort is what makes the order certain: joins
 * keep an order only while they fit into memory. Memory is bounded by the slice, not the spine; what is
 * larger (the spine, the histories of its entities) is in DuckDB tables, which spill.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { Compute, Feature } from '../../domain/registry.ts'
import type { DatasetFile, TrainingSetJob } from '../dataset-jobs.ts'
import { digestFile } from './dataset-file.ts'
import { ROW_GROUP_ROWS } from './dataset-parquet.ts'
import type { DatasetQuery, QueryColumn } from './dataset-query.ts'
import { openDatasetWriter } from './dataset-writer.ts'
import type { Job, JobContext } from './job.ts'
import { type OnDemandFunction, registerOnDemand } from './on-demand-function.ts'
import {
  defaultSql,
  entitiesSql,
  featureSql,
  historySql,
  type Join,
  joinedSql,
  matchesSql,
  noMatchesSql,
  staleSql,
  visibleSql,
} from './point-in-time.ts'
import type { Session } from './session.ts'
import { loadSpine, type Spine, type SpineNeeds } from './spine-table.ts'
import { duckdbType } from './sql.ts'
import {
  type OnDemandCall,
  type OutputColumn,
  planTrainingSet,
  readOrdinals,
  type TrainingSetPlan,
} from './training-set-plan.ts'

export interface TrainingSetSettings {
  /** The functions in a code bundle, by on-demand view name. */
  readonly loadComputes: (bundleFile: string) => Promise<ReadonlyMap<string, Compute>>
  /** Most values (rows x columns) that are joined and sorted at a time; at least one row group is. */
  readonly sliceValuesMax: number
}

export function createTrainingSetJob(settings: TrainingSetSettings): Job<'trainingSet'> {
  return async (session, input, context) => {
    const plan = planTrainingSet(input)
    const functions = await registerFunctions(session, plan, input, settings)
    context.progress('reading the spine', 0)
    const spineFile = await digestFile(input.spine.file, context.signal)
    const spine = await loadSpine(session, input.spine, spineNeeds(plan))
    context.progress('reading the tables', 0.1)
    const histories = await loadHistories(session, plan, input, spine)
    const training = { plan, spine, functions, histories }
    const file = await writeSlices(session, training, input, context, settings.sliceValuesMax)
    return { ...file, spineRows: spine.rows, spineSha256: spineFile.sha256 }
  }
}

interface Training {
  readonly plan: TrainingSetPlan
  readonly spine: Spine
  readonly functions: readonly OnDemandFunction[]
  readonly histories: ReadonlyMap<string, History>
}

/** What has been read of one view's table. */
interface History {
  /** The number in the names of its tables. */
  readonly viewIndex: number
  /** Whether no spine row can have an answer in it. */
  readonly isEmpty: boolean
}

async function registerFunctions(
  session: Session,
  plan: TrainingSetPlan,
  input: TrainingSetJob['input'],
  settings: TrainingSetSettings,
): Promise<OnDemandFunction[]> {
  if (plan.calls.length === 0) return []
  if (input.bundleFile === undefined) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `service ${input.service.name} has on-demand views and no code bundle`,
    )
  }
  const computes = await settings.loadComputes(input.bundleFile)
  return plan.calls.map((call) => {
    const compute = computes.get(call.view.name)
    if (compute !== undefined) return registerOnDemand(session, call, compute)
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `the code bundle has no function for on-demand view ${call.view.name}`,
    )
  })
}

function spineNeeds(plan: TrainingSetPlan): SpineNeeds {
  const keys = plan.joins.flatMap((join) =>
    join.view.joinKeys.map((key, position) => [join.keyColumns[position]!, key.type] as const),
  )
  const request = new Map<string, Feature>()
  for (const feature of plan.calls.flatMap((call) => call.view.request)) {
    const known = request.get(feature.name)
    // A feature that one view has a default for and another one does not must be given.
    if (known === undefined || known.default !== undefined) request.set(feature.name, feature)
  }
  return { keys: new Map(keys), request: [...request.values()], outputs: plan.outputs.map((output) => output.name) }
}

async function loadHistories(
  session: Session,
  plan: TrainingSetPlan,
  input: TrainingSetJob['input'],
  spine: Spine,
): Promise<ReadonlyMap<string, History>> {
  const histories = new Map<string, History>()
  for (const { view } of plan.joins) {
    if (histories.has(view.name)) continue
    const index = histories.size
    const joins = plan.joins.filter((join) => join.view === view)
    await session.run(entitiesSql(index, joins, spine.sql))
    const table = input.tables[view.name]!
    await session.run(historySql(index, table, readOrdinals(plan, view), input.mode, spine.untilMicros))
    await session.run(visibleSql(index, input.mode))
    const [counted] = await session.rows(`SELECT count(*) AS answers FROM visible_${index}`)
    histories.set(view.name, { viewIndex: index, isEmpty: counted!['answers'] === 0n })
  }
  return histories
}

async function writeSlices(
  session: Session,
  training: Training,
  input: TrainingSetJob['input'],
  context: JobContext,
  sliceValuesMax: number,
): Promise<DatasetFile> {
  const { spine, plan } = training
  const columns = datasetQuery(training, 'true').columns
  const groups = Math.floor(sliceValuesMax / (columns.length * ROW_GROUP_ROWS))
  const sliceRows = Math.max(1, groups) * ROW_GROUP_ROWS
  const parts = Math.max(1, Math.ceil(spine.rows / sliceRows))
  const writer = await openDatasetWriter(session, input.format, { outputFile: input.outputFile, columns, parts })
  try {
    for (let part = 0; part < parts; part++) {
      context.progress('joining', 0.2 + (0.7 * part) / parts)
      const slice = `s.rowid >= ${part * sliceRows} AND s.rowid < ${(part + 1) * sliceRows}`
      for (const join of plan.joins) {
        const { viewIndex, isEmpty } = training.histories.get(join.view.name)!
        await session.run(isEmpty ? noMatchesSql(join) : matchesSql(join, viewIndex, spine.sql, slice))
      }
      await writer.write(datasetQuery(training, slice))
    }
    context.progress('writing', 0.9)
    return await writer.finish()
  } catch (error) {
    await writer.discard()
    throw training.functions.find((computed) => computed.failure !== undefined)?.failure ?? error
  }
}

/** Three levels: the slice's rows; joined, with the results of the on-demand calls; the columns of the data set. */
function datasetQuery({ plan, spine, functions, histories }: Training, slice: string): DatasetQuery {
  const joins = plan.joins.map((join) => ({ join, viewIndex: histories.get(join.view.name)!.viewIndex }))
  const rows = `SELECT *, s.rowid AS spine_row, ${spine.sql.atMicros} AS at_micros FROM ${spine.sql.relation} s WHERE ${slice}`
  const joined = plan.outputs.flatMap((output, index) =>
    output.from === 'join' ? [`${featureSql(output.source.join, output.source.ordinal)} AS f${index}`] : [],
  )
  const called = plan.calls.map((call, index) => `${callSql(call, functions[index]!, spine)} AS call${index}`)
  const carried = spine.columns.map((column) => `s.${column.sql}`)
  const from = `(SELECT ${['s.spine_row', ...carried, ...joined, ...called].join(', ')}
    FROM (${rows}) s ${joinedSql(joins)})`
  return { columns: [...spine.columns, ...plan.outputs.map(outputColumn)], from, orderBy: 'spine_row' }
}

function callSql(call: OnDemandCall, computed: OnDemandFunction, spine: Spine): string {
  const inputs = call.inputs.map((input) => input.features.map((source) => featureSql(source.join, source.ordinal)))
  const request = call.view.request.map((feature) => requestSql(feature, spine.request.get(feature.name)))
  const rejected = call.inputs.flatMap((input) => rejectedSql(input.features[0]?.join))
  const called = computed.callSql(inputs, request)
  return rejected.length === 0 ? called : `CASE WHEN ${rejected.join(' OR ')} THEN NULL ELSE ${called} END`
}

/** When nothing may be computed from an input, as in serving: its row is stale and its view rejects that. */
function rejectedSql(join: Join | undefined): readonly string[] {
  const stale = join?.view.onStale === 'reject' ? staleSql(join) : undefined
  return stale === undefined ? [] : [`(${stale})`]
}

/** The spine's value; the default where it has no such column or null in it, as serving has it. */
function requestSql(feature: Feature, given: string | undefined): string {
  if (given === undefined) return defaultSql(feature)
  return feature.default === undefined ? given : `coalesce(${given}, ${defaultSql(feature)})`
}

function outputColumn(output: OutputColumn, index: number): QueryColumn {
  const sql = output.from === 'join' ? `f${index}` : `call${output.call.index}.o${output.output}`
  const type = duckdbType(output.type).replace('TIMESTAMPTZ', 'TIMESTAMP WITH TIME ZONE')
  return { name: output.name, type, sql, wholeSeconds: true }
}
