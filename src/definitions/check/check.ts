/** Checks all definitions at once: either a draft, or one error with every fault of all of them. */
import { type Fault, faultsError } from '../../domain/errors.ts'
import type { Entity } from '../../domain/registry.ts'
import {
  type Declaration,
  declarationOf,
  type EntityDeclaration,
  type OnDemandDeclaration,
  type ServiceDeclaration,
  type ViewDeclaration,
} from '../builders/declarations.ts'
import type { Draft } from './draft.ts'
import { checkEntity } from './entities.ts'
import { type FaultScope, faultScope, type Locate } from './fault-scope.ts'
import { VIEWS_MAX } from './limits.ts'
import { checkOnDemandView, type ViewFinder } from './on-demand-views.ts'
import { type Exported, entityOf, viewOf } from './references.ts'
import { checkService } from './services.ts'
import { checkSyncInterval } from './sync-rules.ts'
import { checkView } from './views.ts'

/** What a module of the definitions exports, under which name. */
export interface ExportedValue {
  readonly exportName: string
  readonly value: unknown
}

type Definition = EntityDeclaration | ViewDeclaration | OnDemandDeclaration | ServiceDeclaration

interface Found<D extends Definition> {
  readonly value: object
  readonly declared: D
  readonly scope: FaultScope
}

const PATHS = { entity: 'entities', view: 'views', onDemand: 'onDemandViews', service: 'services' } as const

export interface CheckOptions {
  /** Whether a view that is synced too seldom for its TTL is a fault; it is unless somebody only wants to look at it. */
  readonly syncIntervals?: 'checked' | 'unchecked'
}

/** INVALID_ARGUMENT with every fault; `folder` names the definitions in its message. */
export function checkDefinitions(
  values: readonly ExportedValue[],
  locate: Locate,
  folder: string,
  { syncIntervals = 'checked' }: CheckOptions = {},
): Draft {
  const faults: Fault[] = []
  const found = findDefinitions(values, faults, locate)
  const exported: Exported = { entities: new Map(), views: new Map(), onDemandViews: new Map() }
  const finder: ViewFinder = (scope, raw) => viewOf(exported, scope, raw)
  const findEntity = (scope: FaultScope, raw: unknown): Entity | undefined => entityOf(exported, scope, raw)

  for (const { value, declared, scope } of ofKind(found, 'entity')) {
    exported.entities.set(value, checkEntity(scope, declared))
  }
  for (const { value, declared, scope } of ofKind(found, 'view')) {
    const view = checkView(scope, declared, findEntity)
    if (syncIntervals === 'checked') checkSyncInterval(scope, view)
    exported.views.set(value, view)
  }
  for (const { value, declared, scope } of ofKind(found, 'onDemand')) {
    exported.onDemandViews.set(value, checkOnDemandView(scope, declared, finder))
  }
  const views = new Map([...exported.views.values()].map((view) => [view.name, view]))
  const services = ofKind(found, 'service').map(({ declared, scope }) => checkService(scope, declared, finder, views))
  checkNames(found)
  checkCounts(faults, found)
  if (faults.length > 0) {
    const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`
    throw faultsError('INVALID_ARGUMENT', `the definitions in ${folder} are not valid (${count}):`, faults)
  }
  return {
    entities: [...exported.entities.values()],
    views: [...exported.views.values()],
    onDemandViews: [...exported.onDemandViews.values()],
    services,
  }
}

/** Every exported definition once, although modules may export each other's. */
function findDefinitions(values: readonly ExportedValue[], faults: Fault[], locate: Locate): Found<Definition>[] {
  const found = new Map<object, Found<Definition>>()
  for (const { exportName, value } of values) {
    const declared = declarationOf(value)
    if (!isDefinition(declared) || found.has(value as object)) continue
    const name = typeof declared.name === 'string' ? declared.name : `(export ${exportName})`
    const place = locate(declared.stack) ?? `export ${exportName}`
    const scope = faultScope(faults, `${PATHS[declared.kind]}.${name}`, place, locate)
    found.set(value as object, { value: value as object, declared, scope })
  }
  return [...found.values()]
}

function isDefinition(declared: Declaration | undefined): declared is Definition {
  return declared !== undefined && declared.kind in PATHS
}

function ofKind<K extends Definition['kind']>(
  found: readonly Found<Definition>[],
  kind: K,
): Found<Extract<Definition, { kind: K }>>[] {
  return found.filter((item): item is Found<Extract<Definition, { kind: K }>> => item.declared.kind === kind)
}

/** Views and on-demand views share one space of names: both are prefixes of columns. */
function checkNames(found: readonly Found<Definition>[]): void {
  const known = new Set<string>()
  for (const { declared, scope } of found) {
    const space = declared.kind === 'onDemand' ? 'view' : declared.kind
    const key = `${space} ${String(declared.name)}`
    if (known.has(key)) scope.add(`another ${space} is called ${String(declared.name)}`)
    known.add(key)
  }
}

function checkCounts(faults: Fault[], found: readonly Found<Definition>[]): void {
  const views = found.filter(({ declared }) => declared.kind === 'view' || declared.kind === 'onDemand')
  if (found.length === 0) {
    faults.push({
      at: 'definitions',
      problem: 'no module exports a definition; export what entity(), featureView(), ... return',
    })
  } else if (views.length === 0) faults.push({ at: 'views', problem: 'there is no feature view' })
  if (views.length > VIEWS_MAX) faults.push({ at: 'views', problem: `${views.length} views; at most ${VIEWS_MAX}` })
}
