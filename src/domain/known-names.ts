/** Names in requests, looked up in the registry; an unknown one is refused with the nearest known one. */

import { knownNames, quotedName } from '../lib/nearest-name.ts'
import { type ErrorCode, TwinstoreError } from './errors.ts'
import type { FeatureService, FeatureView, Registry } from './registry.ts'

export function viewNamed(registry: Registry, name: string): FeatureView {
  return registry.views.get(name) ?? refuse('NOT_FOUND', 'feature view', name, [...registry.views.keys()])
}

/** Each once, in the order in which they are named first. */
export function viewsNamed(registry: Registry, names: readonly string[]): readonly FeatureView[] {
  return [...new Set(names)].map((name) => viewNamed(registry, name))
}

export function serviceNamed(registry: Registry, name: string): FeatureService {
  return registry.services.get(name) ?? refuse('NOT_FOUND', 'feature service', name, [...registry.services.keys()])
}

/** Throws the error for a name that is none of `known`. */
export function refuse(code: ErrorCode, what: string, name: string, known: readonly string[]): never {
  throw new TwinstoreError(code, `unknown ${what} ${quotedName(name)}${knownNames(name, known)}`)
}
