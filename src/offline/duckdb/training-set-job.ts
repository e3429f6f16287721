/**
 * Point-in-time correct feature rows for a spine, in the spine's order (G4, G5).
 *
 * The spine is matched in slices of rows: which row of each history is the answer, by row number. Smaller slices of those are then
 * made wide: the features fetched by row number, on-demand values computed, and the rows sorted back into the spine's order.
 * That sort is what makes the order certain: joins keep an order only while they fit into memory. Memory is bounded by
 * the slices, not the spine; what is larger (the spine, the histories of its entities) is in DuckDB tables, which spill.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { Compute, Feature } from '../../domain/registry.ts'
import type { DatasetFile, FeatureFigures, TrainingSetJob } from '../dataset-jobs.ts'
import { historyRange } from '../history-range.ts'
import { digestFile } from './dataset-file.ts'
import { openDatasetWriter } from './dataset-writer.ts'
import type { Job, JobContext } from './job.ts'
import { countUses, type JoinFigures, joinFigures, share } from './match-figures.ts'
import { type OnDemandFunction, registerOnDemand } from './on-demand-function.ts'
import {
  entitiesSql,
  type History,
  historySql,
  type Join,
  matchesSql,
  type SpineSlice,
  visibleSql,
} from './point-in-time.ts'
import type { Session } from './session.ts'
import { loadSpine, type Spine, type SpineNeeds } from './spine-table.ts'
import { planTrainingSet, readOrdinals, type TrainingSetPlan } from './training-set-plan.ts'
import { datasetQuery, outputColumns, rowGroupRows, rowWidth, type Training } from './training-set-query.ts'

export interface TrainingSetSettings {
  /** The functions in a code bundle, by on-demand view name. */
  readonly loadComputes: (bundleFile: string) => Promise<ReadonlyMap<string, Compute>>
  /** Most values (of eight bytes: rows x columns) that are joined and sorted at a time; at least one row group is. */
  readonly sliceValuesMax: number
}

/**
 * Values of a row that are sorted to match it (entity, timestamp, row numbers, age, for both sides of the join): against these
 * `sliceValuesMax` bounds the slices that are matched.
 */
const MATCH_VALUES = 8

export function createTrainingSetJob(settings: TrainingSetSettings): Job<'trainingSet'> {
  return async (session, input, context) => {
    const plan = planTrainingSet(input)
    const functions = await registerFunctions(session, plan, input, settings)
    context.progress('reading the spine', 0)
    const digesting = digestFile(input.spine.file, context.signal)
    // Whether it failed is asked once the spine is loaded, or never if that fails.
    digesting.catch(() => undefined)
    const spine = await loadSpine(session, input.spine, spineNeeds(plan))
    const { sha256 } = await digesting
    context.progress('reading the tables', 0.1)
    const histories = await loadHistories(session, plan, input, spine)
    const training = { plan, spine, functions, histories }
    const file = await writeSlices(session, training, input, context, settings.sliceValuesMax)
    return {
      ...file,
      spine: {
        sha256,
        rows: spine.rows,
        fromMicros: Number(spine.fromMicros),
        untilMicros: Number(spine.untilMicros),
      },
      features: await featureFigures(session, training),
    }
  }
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
    const range = historyRange(view, input.service, input.onDemandViews, {
      fromMicros: Number(spine.fromMicros),
      untilMicros: Number(spine.untilMicros),
    })
    const table = input.tables[view.name]!
    await session.run(historySql(index, table, readOrdinals(plan, view), input.mode, range))
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
  const columns = outputColumns(training)
  const groupRows = rowGroupRows(plan, spine)
  const wideRows = multipleOf(groupRows, sliceValuesMax / (await rowWidth(session, training)))
  const matchedRows = multipleOf(wideRows, sliceValuesMax / MATCH_VALUES)
  const writer = await openDatasetWriter(session, input.format, {
    outputFile: input.outputFile,
    columns,
    parts: Math.max(1, Math.ceil(spine.rows / wideRows)),
    rowGroupRows: groupRows,
  })
  try {
    for (const matched of slices({ first: 0, end: spine.rows }, matchedRows)) {
      context.progress('matching', 0.2 + 0.75 * share(matched.first, spine.rows))
      for (const join of plan.joins) {
        const { viewIndex, isEmpty } = training.histories.get(join.view.name)!
        if (isEmpty) continue
        await session.run(matchesSql(join, viewIndex, spine.sql, matched))
        await countUses(session, join, matched.first === 0)
      }
      for (const wide of slices(matched, wideRows)) {
        context.progress('joining', 0.2 + 0.75 * share(wide.first, spine.rows))
        await writer.write(datasetQuery(training, columns, matched, wide))
      }
    }
    context.progress('writing', 0.95)
    return await writer.finish()
  } catch (error) {
    await writer.discard()
    throw training.functions.find((computed) => computed.failure !== undefined)?.failure ?? error
  }
}

/** The greatest multiple of `unit` that is no more than `rows`, or else one `unit`. */
function multipleOf(unit: number, rows: number): number {
  return Math.max(1, Math.floor(rows / unit)) * unit
}

/** At least one: a data set without rows is written too. */
function* slices({ first, end }: SpineSlice, rows: number): Generator<SpineSlice> {
  let from = first
  do {
    yield { first: from, end: Math.min(end, from + rows) }
    from += rows
  } while (from < end)
}

async function featureFigures(session: Session, training: Training): Promise<FeatureFigures[]> {
  const { plan, spine, functions, histories } = training
  const perJoin = new Map<Join, JoinFigures>()
  for (const join of plan.joins) {
    const history = histories.get(join.view.name)!
    perJoin.set(join, await joinFigures(session, join, history, readOrdinals(plan, join.view), spine.rows))
  }
  return plan.outputs.map((output) => {
    if (output.from === 'join') {
      const { join, feature } = output.source
      const figures = perJoin.get(join)!.feature(output.source)
      return { column: output.name, view: join.view.name, feature: feature.name, ...figures }
    }
    const { index, view } = output.call
    const nulls = spine.rows - functions[index]!.valueCounts[output.output]!
    const nullRate = share(nulls, spine.rows)
    return { column: output.name, view: view.name, feature: view.features[output.output]!.name, nullRate }
  })
}
