/** Names in requests, looked up in the registry; an unknown one is refused with the nearest known one. */
import { type ErrorCode, TwinstoreError } from '../domain/errors.ts'
import type { FeatureService, FeatureView, Registry } from '../domain/registry.ts'
import { knownNames, quotedName } from '../lib/nearest-name.ts'

export function viewNamed(registry: Registry, name: string): FeatureView {
  return registry.views.get(name) ?? refuse('NOT_FOUND', 'feature view', name, [...registry.views.keys()])
}

export function serviceNamed(registry: Registry, name: string): FeatureService {
  return registry.services.get(name) ?? refuse('NOT_FOUND', 'feature service', name, [...registry.services.keys()])
}

/** Throws the error for a name that is none of `known`. */
export function refuse(code: ErrorCode, what: string, name: string, known: readonly string[]): never {
  throw new TwinstoreError(code, `unknown ${what} ${quotedName(name)}${knownNames(name, known)}`)
}
