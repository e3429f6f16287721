/** Names in requests, looked up in the registry; an unknown one is refused with the nearest known one. */
import { type ErrorCode, TwinstoreError } from '../domain/errors.ts'
import type { FeatureService, FeatureView, Registry } from '../domain/registry.ts'
import { didYouMean } from '../lib/nearest-name.ts'

const HINT_NAMES = 20

export function viewNamed(registry: Registry, name: string): FeatureView {
  return registry.views.get(name) ?? refuse('NOT_FOUND', 'feature view', name, [...registry.views.keys()])
}

export function serviceNamed(registry: Registry, name: string): FeatureService {
  return registry.services.get(name) ?? refuse('NOT_FOUND', 'feature service', name, [...registry.services.keys()])
}

/** Throws the error for a name that is none of `known`. */
export function refuse(code: ErrorCode, what: string, name: string, known: readonly string[]): never {
  throw new TwinstoreError(code, `unknown ${what} ${JSON.stringify(name)}${hint(name, known)}`)
}

/** The nearest known name, or some of the known names where none is near. */
export function hint(name: string, known: readonly string[]): string {
  const nearest = didYouMean(name, known)
  if (nearest !== '' || known.length === 0) return nearest
  const rest = known.length > HINT_NAMES ? ', ...' : ''
  return `; known are ${known.slice(0, HINT_NAMES).join(', ')}${rest}`
}
