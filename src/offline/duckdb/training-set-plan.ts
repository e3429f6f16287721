/**
 * What a training set of a service consists of: the joins, the on-demand calls and the output columns, in order. Uses of a
 * view with the same spine columns share one join, whatever their aliases; inputs of on-demand views that are no members
 * of the service are joined and not output.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import {
  columnName,
  type Feature,
  type FeatureService,
  type FeatureView,
  type OnDemandView,
  type ViewUse,
} from '../../domain/registry.ts'
import type { ValueType } from '../../domain/value-type.ts'
import type { TrainingSetJob } from '../dataset-jobs.ts'
import { type Join, keyColumnsOf } from './point-in-time.ts'

/** A feature of a join's view, by its ordinal. */
export interface JoinedFeature {
  readonly join: Join
  readonly ordinal: number
  readonly feature: Feature
}

/** One on-demand view: where each input's features come from, and its request features. */
export interface OnDemandCall {
  readonly index: number
  readonly view: OnDemandView
  readonly inputs: readonly { readonly as: string; readonly features: readonly JoinedFeature[] }[]
}

export type OutputColumn =
  | { readonly name: string; readonly type: ValueType; readonly from: 'join'; readonly source: JoinedFeature }
  | {
      readonly name: string
      readonly type: ValueType
      readonly from: 'call'
      readonly call: OnDemandCall
      readonly output: number
    }

export interface TrainingSetPlan {
  readonly joins: readonly Join[]
  readonly calls: readonly OnDemandCall[]
  readonly outputs: readonly OutputColumn[]
}

type Input = Pick<TrainingSetJob['input'], 'service' | 'tables' | 'onDemandViews'>

export function planTrainingSet(input: Input): TrainingSetPlan {
  const joins = new Map<string, Join>()
  const calls: OnDemandCall[] = []
  const outputs: OutputColumn[] = []

  const joinedFeatures = (use: ViewUse): JoinedFeature[] => {
    const view = viewOf(input, use)
    const keyColumns = keyColumnsOf(view, use)
    const identity = JSON.stringify([use.view, keyColumns])
    const join = joins.get(identity) ?? { index: joins.size, view, keyColumns }
    joins.set(identity, join)
    return picked(view.features, use.features, `view ${view.name}`).map((ordinal) => ({
      join,
      ordinal,
      feature: view.features[ordinal]!,
    }))
  }

  for (const member of input.service.members) {
    if (member.kind === 'view') {
      for (const source of joinedFeatures(member.use)) {
        const name = columnName(member.use.as, source.feature.name)
        outputs.push({ name, type: source.feature.type, from: 'join', source })
      }
      continue
    }
    const view = onDemandViewOf(input, member.view)
    const inputs = view.inputs.map((use) => ({ as: use.as, features: joinedFeatures(use) }))
    const call = { index: calls.length, view, inputs }
    calls.push(call)
    for (const output of picked(view.features, member.features, `on-demand view ${view.name}`)) {
      const feature = view.features[output]!
      outputs.push({ name: columnName(view.name, feature.name), type: feature.type, from: 'call', call, output })
    }
  }
  refuseRepeatedOutputs(input.service, outputs)
  return { joins: [...joins.values()], calls, outputs }
}

/** The ordinals of a view's features that any part of the plan reads. */
export function readOrdinals(plan: TrainingSetPlan, view: FeatureView): number[] {
  const sources = [
    ...plan.outputs.flatMap((output) => (output.from === 'join' ? [output.source] : [])),
    ...plan.calls.flatMap((call) => call.inputs.flatMap((input) => input.features)),
  ]
  const ordinals = sources.filter((source) => source.join.view === view).map((source) => source.ordinal)
  return [...new Set(ordinals)].sort((a, b) => a - b)
}

function viewOf(input: Input, use: ViewUse): FeatureView {
  const table = input.tables[use.view]
  if (table === undefined) {
    throw new TwinstoreError(
      'INTERNAL',
      `service ${input.service.name} uses view ${use.view}, whose table was not given`,
    )
  }
  return table.view
}

function onDemandViewOf(input: Input, name: string): OnDemandView {
  const view = input.onDemandViews[name]
  if (view === undefined) {
    throw new TwinstoreError(
      'INTERNAL',
      `service ${input.service.name} uses on-demand view ${name}, which was not given`,
    )
  }
  return view
}

function picked(features: readonly Feature[], names: readonly string[] | undefined, owner: string): number[] {
  if (names === undefined) return features.map((_, ordinal) => ordinal)
  return names.map((name) => {
    const ordinal = features.findIndex((feature) => feature.name === name)
    if (ordinal < 0) throw new TwinstoreError('NOT_FOUND', `${owner} has no feature ${name}`)
    return ordinal
  })
}

function refuseRepeatedOutputs(service: FeatureService, outputs: readonly OutputColumn[]): void {
  const seen = new Set<string>()
  for (const { name } of outputs) {
    if (seen.has(name.toLowerCase())) {
      throw new TwinstoreError(
        'INVALID_ARGUMENT',
        `service ${service.name} gives two columns ${name}: give one of its views an alias`,
      )
    }
    seen.add(name.toLowerCase())
  }
}
