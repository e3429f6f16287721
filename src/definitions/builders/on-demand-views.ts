/** On-demand views: features computed from other features and from what the request says. */
import { callStack, DECLARED, type Declared, type OnDemandDeclaration, type UseDeclaration } from './declarations.ts'
import type { ViewRef } from './feature-views.ts'
import type { FeatureType, FeatureTypes, ValueOf } from './value-types.ts'

/** The features of one input: null where the value is null or missing. */
export type InputValues<Features> = { readonly [Name in keyof Features]: ValueOf<Features[Name]> | null }

/** Request features: one with a default is never null. */
export type RequestValues<Features> = {
  readonly [Name in keyof Features]: Features[Name] extends FeatureType<string, infer Value, infer HasDefault>
    ? HasDefault extends true
      ? Value
      : Value | null
    : never
}

type InputAs<Input> = Input extends ViewRef<infer As, FeatureTypes> ? As : never
type InputFeatures<Input> = Input extends ViewRef<string, infer Features> ? Features : never

/** What `compute` gets: under each input's name or alias its features, and under `request` the request features. */
export type ComputeRow<Inputs extends readonly ViewRef[], Request extends FeatureTypes> = {
  readonly [Input in Inputs[number] as InputAs<Input>]: InputValues<InputFeatures<Input>>
} & { readonly request: RequestValues<Request> }

/** What `compute` returns: every declared feature; null where there is no value. */
export type ComputeOutput<Features extends FeatureTypes> = {
  readonly [Name in keyof Features]:
    | ValueOf<Features[Name]>
    | (Features[Name] extends FeatureType<'int64', unknown, boolean> ? bigint : never)
    | null
}

export interface OnDemandViewOptions<
  Inputs extends readonly ViewRef[],
  Request extends FeatureTypes,
  Features extends FeatureTypes,
> {
  readonly inputs: Inputs
  /** Features that come with the request; one without a default must be given. */
  readonly request?: Request
  readonly features: Features
  /** A pure function: it runs at serving time, in exports and over training sets alike. */
  readonly compute: (row: ComputeRow<Inputs, Request>) => ComputeOutput<Features>
  readonly description?: string
}

declare const shape: unique symbol

export interface OnDemandUse<Features extends FeatureTypes = FeatureTypes>
  extends Declared<OnDemandDeclaration | UseDeclaration> {
  /** Never there: it carries the features. */
  readonly [shape]?: Features
}

export interface OnDemandView<Features extends FeatureTypes> extends OnDemandUse<Features> {
  /** Only these features, in this order. */
  pick<const Name extends keyof Features & string>(
    ...features: readonly Name[]
  ): OnDemandUse<{ readonly [Feature in Name]: Features[Feature] }>
}

export function onDemandView<
  const Inputs extends readonly ViewRef[],
  Features extends FeatureTypes,
  Request extends FeatureTypes = Readonly<Record<never, never>>,
>(name: string, options: OnDemandViewOptions<Inputs, Request, Features>): OnDemandView<Features> {
  const view: OnDemandView<Features> = {
    [DECLARED]: { kind: 'onDemand', name, options, stack: callStack() },
    pick: (...features) => ({ [DECLARED]: { kind: 'use', of: view, features, stack: callStack() } }),
  }
  return view
}
