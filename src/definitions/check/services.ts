import type { Feature, FeatureService, OnDemandView, ServiceMember } from '../../domain/registry.ts'
import { sameType, typeName } from '../../domain/value-type.ts'
import { declarationOf, type ServiceDeclaration, type UseDeclaration } from '../builders/declarations.ts'
import type { DraftView } from './draft.ts'
import type { FaultScope } from './fault-scope.ts'
import { MEMBERS_PER_SERVICE_MAX } from './limits.ts'
import { checkName } from './names.ts'
import { checkRequestColumns, type ViewFinder } from './on-demand-views.ts'
import { readOnline } from './online-rules.ts'
import { described, readDescription, readFields } from './option-fields.ts'
import { addRequestColumns, checkPicked, checkViewUse, type RequestColumns } from './view-uses.ts'

/** What the members of one service share: their names, and the columns of one request. */
interface Shared {
  readonly names: Set<string>
  readonly columns: RequestColumns
  readonly request: Map<string, { readonly feature: Feature; readonly of: string }>
  readonly onDemandViews: OnDemandView[]
}

/** `views` are all checked views by name, for the inputs of on-demand views. */
export function checkService(
  scope: FaultScope,
  declared: ServiceDeclaration,
  viewOf: ViewFinder,
  views: ReadonlyMap<string, DraftView>,
): FeatureService {
  const shared: Shared = { names: new Set(), columns: new Map(), request: new Map(), onDemandViews: [] }
  const raw = declared.members
  if (!Array.isArray(raw) || raw.length === 0) {
    scope.in('members').add(`expected a list of at least one view, got ${described(raw)}`)
  } else if (raw.length > MEMBERS_PER_SERVICE_MAX) {
    scope.in('members').add(`${raw.length} members; at most ${MEMBERS_PER_SERVICE_MAX}`)
  }
  const members = (Array.isArray(raw) ? raw : []).map((item, index) => checkMember(scope, index, item, viewOf, shared))
  for (const view of shared.onDemandViews) addInputs(scope.in(view.name), view, views, shared)
  for (const view of shared.onDemandViews) checkRequestColumns(scope.in(view.name), view.request, shared.columns)
  const options = readFields(scope, declared.options, ['online', 'description'])
  const isOnline = readOnline(scope.in('online'), options['online'])
  const known = members.filter((member) => member !== undefined)
  if (isOnline) refuseOfflineViews(scope.in('members'), known, views, shared)
  return {
    name: checkName(scope, declared.name),
    members: known,
    ...(isOnline ? {} : { online: false }),
    ...readDescription(scope, options['description']),
  }
}

/** A service that is served cannot have what is not online: every request for it would fail. */
function refuseOfflineViews(
  scope: FaultScope,
  members: readonly ServiceMember[],
  views: ReadonlyMap<string, DraftView>,
  { onDemandViews }: Shared,
): void {
  const own = members.flatMap((member) => (member.kind === 'view' ? [{ view: member.use.view, through: '' }] : []))
  const inputs = onDemandViews.flatMap(({ name, inputs }) =>
    inputs.map(({ view }) => ({ view, through: ` (an input of ${name})` })),
  )
  for (const { view, through } of [...own, ...inputs]) {
    if (views.get(view)?.online !== false) continue
    scope.add(
      `${view}${through} is not online (online: false), so that the service cannot be served; leave the view out, ` +
        'keep it online, or declare the service { online: false }, for training sets and exports only',
    )
  }
}

function checkMember(
  service: FaultScope,
  index: number,
  raw: unknown,
  viewOf: ViewFinder,
  shared: Shared,
): ServiceMember | undefined {
  const declared = declarationOf(raw)
  const use: UseDeclaration | undefined = declared?.kind === 'use' ? declared : undefined
  const scope = service.in(`members.${index}`, use?.stack)
  const found = viewOf(scope, use?.of ?? raw)
  if (found === undefined) return undefined
  if (found.kind === 'onDemand') {
    addName(scope, shared, found.view.name)
    shared.onDemandViews.push(found.view)
    addRequestFeatures(scope, shared, found.view)
    return { kind: 'onDemand', view: found.view.name, ...checkPicked(scope, found.view, use?.features) }
  }
  const viewUse = checkViewUse(scope, found.view, use)
  addName(scope, shared, viewUse.as)
  addRequestColumns(scope, shared.columns, viewUse, found.view)
  return { kind: 'view', use: viewUse }
}

function addName(scope: FaultScope, shared: Shared, name: string): void {
  if (shared.names.has(name)) scope.add(`two members are called ${name}; give one an alias: .as('...')`)
  shared.names.add(name)
}

/** Two on-demand views may read the same request feature, as the same type. */
function addRequestFeatures(scope: FaultScope, shared: Shared, view: OnDemandView): void {
  for (const feature of view.request) {
    const other = shared.request.get(feature.name)
    if (other !== undefined && !sameType(other.feature.type, feature.type)) {
      const types = `${typeName(feature.type)}, which ${other.of} takes as ${typeName(other.feature.type)}`
      scope.add(`takes request feature ${feature.name} as ${types}`)
    }
    shared.request.set(feature.name, other ?? { feature, of: view.name })
  }
}

function addInputs(
  scope: FaultScope,
  onDemand: OnDemandView,
  views: ReadonlyMap<string, DraftView>,
  shared: Shared,
): void {
  for (const input of onDemand.inputs) {
    const view = views.get(input.view)
    if (view !== undefined) addRequestColumns(scope.in(`inputs.${input.as}`), shared.columns, input, view)
  }
}
