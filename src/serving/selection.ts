/** What a request selects, as members of a service: the service's own, or those a list of references amounts to. */
import { type Fault, faultsError, TwinstoreError } from '../domain/errors.ts'
import type { FeatureService, Registry, ServiceMember } from '../domain/registry.ts'
import { knownNames, quotedName } from '../lib/nearest-name.ts'

export type Selection =
  | { readonly kind: 'service'; readonly name: string }
  | { readonly kind: 'features'; readonly references: readonly string[] }

export function selectedMembers(
  registry: Registry,
  selection: Selection,
  featuresMax: number,
): readonly ServiceMember[] {
  if (selection.kind === 'service') return serviceNamed(registry, selection.name).members
  const { references } = selection
  if (references.length === 0) {
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      'features: no references; give some of the form view:feature or view:*',
    )
  }
  if (references.length > featuresMax) {
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      `${references.length} references, at most ${featuresMax} (features-max)`,
    )
  }
  return memberRuns(registry, references)
}

function serviceNamed(registry: Registry, name: string): FeatureService {
  const service = registry.services.get(name)
  if (service?.online === false) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `feature service ${name} is for training sets and exports only (online: false)`,
    )
  }
  if (service !== undefined) return service
  throw new TwinstoreError(
    'NOT_FOUND',
    `unknown feature service ${quotedName(name)}${knownNames(name, [...registry.services.keys()])}`,
  )
}

/** One member per run of references to the same view. */
function memberRuns(registry: Registry, references: readonly string[]): ServiceMember[] {
  const malformed: Fault[] = []
  const unknown: Fault[] = []
  const seen = new Set<string>()
  const runs: { view: string; features: string[] }[] = []
  for (const [index, reference] of references.entries()) {
    const at = `features[${index}]`
    const [view, feature, ...rest] = reference.split(':')
    if (!view || !feature || rest.length > 0) {
      malformed.push({ at, problem: `${quotedName(reference)} is not of the form view:feature or view:*` })
      continue
    }
    const names = featureNames(registry, view)
    if (names === undefined) {
      const views = [...registry.views.keys(), ...registry.onDemandViews.keys()]
      unknown.push({ at, problem: `unknown view ${quotedName(view)}${knownNames(view, views)}` })
      continue
    }
    if (feature !== '*' && !names.includes(feature)) {
      unknown.push({ at, problem: `view ${view} has no feature ${quotedName(feature)}${knownNames(feature, names)}` })
      continue
    }
    const features = feature === '*' ? names : [feature]
    for (const name of features) {
      if (seen.has(`${view}:${name}`)) malformed.push({ at, problem: `${view}:${name} is asked for twice` })
      seen.add(`${view}:${name}`)
    }
    if (runs.at(-1)?.view === view) runs.at(-1)!.features.push(...features)
    else runs.push({ view, features: [...features] })
  }
  if (malformed.length > 0) throw faultsError('INVALID_ARGUMENT', 'feature references:', [...malformed, ...unknown])
  if (unknown.length > 0) throw faultsError('NOT_FOUND', 'feature references:', unknown)
  return runs.map((run) => memberOf(registry, run.view, run.features))
}

function memberOf(registry: Registry, view: string, features: readonly string[]): ServiceMember {
  if (registry.views.has(view)) return { kind: 'view', use: { view, as: view, joinKeyMap: {}, features } }
  return { kind: 'onDemand', view, features }
}

function featureNames(registry: Registry, view: string): readonly string[] | undefined {
  const known = registry.views.get(view) ?? registry.onDemandViews.get(view)
  return known?.features.map((feature) => feature.name)
}
