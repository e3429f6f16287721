/** Reading what a user passed as options, which can be anything: the type checker has not necessarily seen it. */
import { didYouMean } from '../../lib/nearest-name.ts'
import type { FaultScope } from './fault-scope.ts'
import { DESCRIPTION_LENGTH_MAX } from './limits.ts'

export type Fields = Readonly<Record<string, unknown>>

/** The fields of an options object, undefined counting as an empty one; a field outside `known` is a fault. */
export function readFields(scope: FaultScope, value: unknown, known: readonly string[]): Fields {
  if (value === undefined) return {}
  const fields = asRecord(value)
  if (fields === undefined) {
    scope.add(`expected options ({ ${known.join(', ')} }), got ${described(value)}`)
    return {}
  }
  for (const name of Object.keys(fields)) {
    if (!known.includes(name))
      scope.in(name).add(`no such option (there are ${known.join(', ')})${didYouMean(name, known)}`)
  }
  return fields
}

/** A plain object; not an array, a function or null. */
export function asRecord(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

export function readDescription(scope: FaultScope, value: unknown): { readonly description?: string } {
  if (value === undefined) return {}
  if (typeof value !== 'string') scope.in('description').add(`expected a string, got ${described(value)}`)
  else if (value.length > DESCRIPTION_LENGTH_MAX)
    scope.in('description').add(`${value.length} characters; at most ${DESCRIPTION_LENGTH_MAX}`)
  else return { description: value }
  return {}
}

/** One of some words, or `fallback` where nothing is given. */
export function readChoice<T extends string>(scope: FaultScope, value: unknown, choices: readonly T[], fallback: T): T {
  if (value === undefined) return fallback
  const choice = choices.find((known) => known === value)
  if (choice === undefined) scope.add(`expected one of ${choices.join(', ')}, got ${described(value)}`)
  return choice ?? fallback
}

/** A value in the words of a message, short. */
export function described(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value)
  if (typeof value === 'number' || typeof value === 'bigint') return `the number ${value}`
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)
  if (typeof value === 'function') return 'a function'
  return Array.isArray(value) ? 'an array' : 'an object'
}
