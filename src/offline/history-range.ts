/**
 * Which event times of a view's history a training set has to read, given the times of its spine.
 *
 * Rows after the spine's last timestamp are never an answer. Rows older than the TTL at the spine's first timestamp are stale for
 * every row of the spine; they are left out where a stale row gives the same values as none. One more TTL is read, so that
 * what has just gone stale is counted as stale and not as missing; what is older than two counts as missing. The cut is
 * one of event times and not of files, so that these counts are the same after a compaction.
 *
 * A stale row is told from no row, and all of the past is read, where a feature that is used has a default (given for no row,
 * and for a stale one only with `onStale: 'default'`), and where nothing may be computed from a stale row (`reject`).
 */
import type { FeatureService, FeatureView, OnDemandView, ViewUse } from '../domain/registry.ts'

export interface MicrosRange {
  readonly fromMicros: number
  readonly untilMicros: number
}

/** Both ends inclusive; without `eventMicrosMin` from the beginning of the history. */
export interface HistoryRange {
  readonly eventMicrosMin?: number
  readonly eventMicrosMax: number
}

/** `inputs` are the uses of views by the service's on-demand views. */
export function historyRange(
  view: FeatureView,
  service: FeatureService,
  onDemandViews: Readonly<Record<string, OnDemandView>>,
  spine: MicrosRange,
): HistoryRange {
  const eventMicrosMax = spine.untilMicros
  if (view.ttlMicros === undefined) return { eventMicrosMax }
  const inputs = Object.values(onDemandViews).flatMap((onDemand) => onDemand.inputs)
  const members = service.members.flatMap((member) => (member.kind === 'view' ? [member.use] : []))
  const uses = [...inputs, ...members].filter((use) => use.view === view.name)
  const isComputedFrom = inputs.some((use) => use.view === view.name)
  if (tellsStaleFromNone(view, uses, isComputedFrom)) return { eventMicrosMax }
  return { eventMicrosMin: spine.fromMicros - 2 * view.ttlMicros, eventMicrosMax }
}

function tellsStaleFromNone(view: FeatureView, uses: readonly ViewUse[], isComputedFrom: boolean): boolean {
  if (view.onStale === 'default') return false
  if (view.onStale === 'reject' && isComputedFrom) return true
  const used = view.features.filter((feature) => uses.some((use) => use.features?.includes(feature.name) ?? true))
  return used.some((feature) => feature.default !== undefined)
}
