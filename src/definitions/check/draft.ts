/**
 * Checked definitions as plain data, before the history of the registry gives features their ordinals.
 *
 * Checks go on after a fault with a stand-in for what was wrong, so that one mistake neither hides nor multiplies others.
 */
import type { Entity, FeatureService, FeatureView, OnDemandView } from '../../domain/registry.ts'

/** A view whose features are in the order in which they were declared. */
export type DraftView = Omit<FeatureView, 'schemaId' | 'schemaFeatureCounts'>

export interface Draft {
  readonly entities: readonly Entity[]
  readonly views: readonly DraftView[]
  readonly onDemandViews: readonly OnDemandView[]
  readonly services: readonly FeatureService[]
}
