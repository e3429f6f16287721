/**
 * A plan: everything about answering one selection that does not depend on the entity rows, made once (`build-plan.ts`)
 * and kept (`plan-cache.ts`).
 *
 * Vocabulary: a *use* is one read per entity row (a view with its key columns); a *segment* is a run of answer columns
 * that come from one use or one on-demand view. Bytes that do not depend on rows are encoded beforehand. A *field* is a
 * value as it stands in an answer: the tag and length of `repeated Value values = 1`, then the serialized `Value`.
 */
import type { KeyType } from '../domain/entity-key.ts'
import type { Compute, FeatureView, OnDemandView, ViewUse } from '../domain/registry.ts'
import type { ValueType } from '../domain/value-type.ts'
import type { EvenKind } from './even-row.ts'
import type { Layout } from './layout.ts'
import type { TensorLayout } from './tensor-layout.ts'

export interface Plan {
  readonly layout: Layout
  readonly requestColumns: readonly RequestColumn[]
  /** Index into `requestColumns` by the name's UTF-8 bytes, one latin-1 character a byte: how it stands in a request. */
  readonly columnIndexes: ReadonlyMap<string, number>
  /** Those of the members and those only on-demand views read; the answer carries the event timestamp of each. */
  readonly uses: readonly UsePlan[]
  readonly segments: readonly Segment[]
  readonly onDemand: readonly OnDemandPlan[]
  /** Whether rows of some use may have been looked up in the history. */
  readonly looksUp: boolean
  /** How the columns lie in a TENSOR, or why they cannot. */
  readonly tensor: TensorLayout | { readonly problem: string }
}

/** A column the request has to bring: a join key, a request feature, or both at once. */
export interface RequestColumn {
  readonly name: string
  readonly keyType?: KeyType
  readonly feature?: RequestFeature
}

export interface RequestFeature {
  readonly type: ValueType
  /** Whether some on-demand view that reads it has no default for it. */
  readonly isRequired: boolean
  readonly allowNaN: boolean
}

export interface UsePlan {
  readonly use: ViewUse
  readonly view: FeatureView
  /** `<storage id>/`, with which every row key of the view begins. */
  readonly keyPrefix: string
  /** For each join key, in canonical order, its index in `requestColumns`. */
  readonly keyColumns: readonly number[]
  /** For each feature of the view, the field that stands in where the value is missing: its default, or a missing value. */
  readonly absentFields: readonly Buffer[]
}

export type Segment = ViewSegment | OnDemandSegment

export interface ViewSegment {
  readonly kind: 'view'
  readonly use: number
  /** Ordinals of the features, in the order of the answer. */
  readonly ordinals: readonly number[]
  /** How many fields of a row have to be walked to reach them all. */
  readonly walkCount: number
  /** Whether these are all features of the view in ordinal order, so that a row's body is the segment. */
  readonly isWhole: boolean
  /** Of the view's features, if they all have the same. */
  readonly evenKind: EvenKind | undefined
  /** Index of its first column in the layout. */
  readonly firstColumn: number
  /** Its fields where all are missing or defaults, all null, all unset. */
  readonly absent: Buffer
  readonly nulls: Buffer
  readonly unset: Buffer
}

export interface OnDemandSegment {
  readonly kind: 'onDemand'
  /** Index into `Plan.onDemand`. */
  readonly view: number
  /** Indexes of the outputs, in the order of the answer. */
  readonly ordinals: readonly number[]
  readonly firstColumn: number
}

export interface OnDemandPlan {
  readonly view: OnDemandView
  readonly compute: Compute
  readonly inputs: readonly OnDemandInput[]
  readonly request: readonly { readonly name: string; readonly column: number; readonly absent: unknown }[]
}

/** The features of one use as a computation gets them. */
export interface OnDemandInput {
  readonly as: string
  readonly use: number
  readonly names: readonly string[]
  readonly ordinals: readonly number[]
  readonly walkCount: number
  readonly types: readonly ValueType[]
  /** What the computation gets where each value is missing. */
  readonly absent: readonly unknown[]
}
