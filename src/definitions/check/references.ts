/**
 * Finding what a definition refers to. Users refer by value (`entities: [airport]`), and what they refer to must itself be
 * exported: only then is it checked, applied and known by its name.
 */
import type { Entity, OnDemandView } from '../../domain/registry.ts'
import { didYouMean } from '../../lib/nearest-name.ts'
import { declarationOf } from '../builders/declarations.ts'
import type { DraftView } from './draft.ts'
import type { FaultScope } from './fault-scope.ts'
import { described } from './option-fields.ts'

/** Everything exported, by the object the user has in hand. */
export interface Exported {
  readonly entities: Map<object, Entity>
  readonly views: Map<object, DraftView>
  readonly onDemandViews: Map<object, OnDemandView>
}

export function entityOf(exported: Exported, scope: FaultScope, raw: unknown): Entity | undefined {
  const found = exported.entities.get(raw as object)
  if (found === undefined) addUnknown(scope, raw, 'entity', 'an entity', [...exported.entities.values()])
  return found
}

export type ReferredView =
  | { readonly kind: 'view'; readonly view: DraftView }
  | { readonly kind: 'onDemand'; readonly view: OnDemandView }

export function viewOf(exported: Exported, scope: FaultScope, raw: unknown): ReferredView | undefined {
  const view = exported.views.get(raw as object)
  if (view !== undefined) return { kind: 'view', view }
  const onDemand = exported.onDemandViews.get(raw as object)
  if (onDemand !== undefined) return { kind: 'onDemand', view: onDemand }
  addUnknown(scope, raw, 'view', 'a feature view', [...exported.views.values(), ...exported.onDemandViews.values()])
  return undefined
}

function addUnknown(
  scope: FaultScope,
  raw: unknown,
  word: string,
  expected: string,
  known: readonly { readonly name: string }[],
): void {
  const names = known.map((item) => item.name)
  if (typeof raw === 'string') {
    const hint = names.includes(raw) ? '; give the definition itself, not its name' : didYouMean(raw, names)
    scope.add(`unknown ${word} ${described(raw)}${hint}`)
    return
  }
  const declared = declarationOf(raw)
  const isRight =
    word === 'entity' ? declared?.kind === 'entity' : declared?.kind === 'view' || declared?.kind === 'onDemand'
  if (declared === undefined || !isRight) {
    scope.add(`expected ${expected}, got ${declared === undefined ? described(raw) : `a ${declared.kind}`}`)
  } else {
    const name = 'name' in declared ? String(declared.name) : '?'
    scope.add(
      `${word} ${name} is not among the exported definitions; export it from a module of the definitions folder`,
    )
  }
}
