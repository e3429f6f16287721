/**
 * The layout of a view's rows in one store, and how it grows.
 *
 * A feature keeps its ordinal for ever; an added one is appended and starts a new schema. Layouts of removed views are
 * kept: their rows are still there, so that a view that comes back under the same version must fit them. Raising a view's
 * version starts an empty layout, because another version is another table and other keys.
 */
import type { Fault } from '../../domain/errors.ts'
import type { JoinKey } from '../../domain/registry.ts'
import { sameType, typeName, type ValueType } from '../../domain/value-type.ts'
import type { Draft, DraftView } from '../check/draft.ts'

export interface ViewLayout {
  readonly version: number
  readonly entities: readonly string[]
  readonly joinKeys: readonly JoinKey[]
  readonly partitionBy: 'day' | 'month'
  /** In ordinal order. */
  readonly features: readonly { readonly name: string; readonly type: ValueType }[]
  /** For each schema id from 1, how many features its rows have. */
  readonly schemaFeatureCounts: readonly number[]
}

/** By view name; views that were removed are in it too. */
export type ViewLayouts = Readonly<Record<string, ViewLayout>>

/** The layouts after these definitions; every breaking change is a fault that says what to do. */
export function nextLayouts(
  known: ViewLayouts,
  draft: Draft,
): { readonly layouts: ViewLayouts; readonly faults: readonly Fault[] } {
  const layouts: Record<string, ViewLayout> = { ...known }
  const faults: Fault[] = []
  for (const view of draft.views) {
    const layout = known[view.name]
    if (layout === undefined || view.version > layout.version) {
      layouts[view.name] = firstLayout(view)
      continue
    }
    const problems = view.version < layout.version ? [lowered(view, layout)] : breakingChanges(view, layout)
    faults.push(...problems.map((problem) => ({ at: `views.${view.name}`, problem })))
    if (problems.length === 0) layouts[view.name] = grown(view, layout)
  }
  return { layouts, faults }
}

function firstLayout(view: DraftView): ViewLayout {
  const { version, entities, joinKeys, partitionBy } = view
  const features = view.features.map(({ name, type }) => ({ name, type }))
  return { version, entities, joinKeys, partitionBy, features, schemaFeatureCounts: [features.length] }
}

function grown(view: DraftView, layout: ViewLayout): ViewLayout {
  const known = new Set(layout.features.map((feature) => feature.name))
  const added = view.features.filter((feature) => !known.has(feature.name))
  if (added.length === 0) return layout
  const features = [...layout.features, ...added.map(({ name, type }) => ({ name, type }))]
  return { ...layout, features, schemaFeatureCounts: [...layout.schemaFeatureCounts, features.length] }
}

function lowered(view: DraftView, layout: ViewLayout): string {
  return `version ${view.version} is lower than ${layout.version}, which was applied before; versions only rise`
}

function breakingChanges(view: DraftView, layout: ViewLayout): string[] {
  const raise = `undo this, or set version: ${layout.version + 1} (an empty table and new online keys, filled by sync or writes)`
  const changes: string[] = []
  const now = new Map(view.features.map((feature) => [feature.name, feature.type]))
  for (const { name, type } of layout.features) {
    const nowType = now.get(name)
    if (nowType === undefined) changes.push(`feature ${name} was removed`)
    else if (!sameType(nowType, type)) {
      changes.push(`feature ${name} was ${typeName(type)} and is now ${typeName(nowType)}`)
    }
  }
  const keys = (of: Pick<ViewLayout, 'joinKeys'>) => of.joinKeys.map((key) => `${key.name} ${key.type}`).join(', ')
  if (keys(view) !== keys(layout)) changes.push(`the join keys were ${keys(layout)} and are now ${keys(view)}`)
  else if ([...view.entities].sort().join() !== [...layout.entities].sort().join()) {
    changes.push(`the entities were ${layout.entities.join(', ')} and are now ${view.entities.join(', ')}`)
  }
  if (view.partitionBy !== layout.partitionBy) {
    changes.push(`partitionBy was ${layout.partitionBy} and is now ${view.partitionBy}`)
  }
  return changes.map((change) => `${change}; ${raise}`)
}
