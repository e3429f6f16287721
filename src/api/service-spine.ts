/**
 * The view of a service whose rows can stand as the spine of an export of the service: it must know every key column that
 * a request to the service gives. A service without one has no natural rows, and its users bring a spine.
 */
import { TwinstoreError } from '../domain/errors.ts'
import {
  type FeatureService,
  type FeatureView,
  type Registry,
  requestColumn,
  storageId,
  type ViewUse,
} from '../domain/registry.ts'

export interface ServiceSpine {
  readonly view: FeatureView
  /** Request columns by the view's join keys, for those that differ. */
  readonly rename: Readonly<Record<string, string>>
  /** The other way round, for all join keys. */
  readonly joinKeyOf: ReadonlyMap<string, string>
}

/** FAILED_PRECONDITION, pointing to GetTrainingSet, if no member qualifies or a request feature has no default. */
export function serviceSpine(registry: Registry, service: FeatureService): ServiceSpine {
  refuseRequestFeatures(registry, service)
  const wanted = keyColumns(registry, service)
  for (const member of service.members) {
    if (member.kind !== 'view') continue
    const view = registry.views.get(member.use.view)!
    const joinKeyOf = new Map(view.joinKeys.map((key) => [requestColumn(member.use, key.name), key.name]))
    if (joinKeyOf.size !== view.joinKeys.length || ![...wanted].every((column) => joinKeyOf.has(column))) continue
    const renamed = [...joinKeyOf].filter(([column, key]) => column !== key)
    return { view, joinKeyOf, rename: Object.fromEntries(renamed.map(([column, key]) => [key, column])) }
  }
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    `service ${service.name} has no view with all of its key columns (${[...wanted].sort().join(', ')}), so it has no ` +
      'rows of its own to export; use GetTrainingSet with a spine that has them',
  )
}

/** Every view use of the service, those of its on-demand views' inputs included. */
export function viewUses(registry: Registry, service: FeatureService): ViewUse[] {
  return service.members.flatMap((member) =>
    member.kind === 'view' ? [member.use] : registry.onDemandViews.get(member.view)!.inputs,
  )
}

/** The storage ids of every view the service reads. */
export function storageIds(registry: Registry, service: FeatureService): string[] {
  return [...new Set(viewUses(registry, service).map((use) => storageId(registry.views.get(use.view)!)))]
}

/** The request columns that hold join keys, in the order of first use. */
export function keyColumns(registry: Registry, service: FeatureService): Set<string> {
  return new Set(
    viewUses(registry, service).flatMap((use) =>
      registry.views.get(use.view)!.joinKeys.map((key) => requestColumn(use, key.name)),
    ),
  )
}

function refuseRequestFeatures(registry: Registry, service: FeatureService): void {
  for (const member of service.members) {
    if (member.kind !== 'onDemand') continue
    const needed = registry.onDemandViews.get(member.view)!.request.find((feature) => feature.default === undefined)
    if (needed === undefined) continue
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `service ${service.name} needs the request feature ${needed.name} (of ${member.view}), which no history has; use ` +
        'GetTrainingSet with a spine that has it',
    )
  }
}
