/**
 * What the builders leave behind: plain records of what the user wrote, exactly as it was given.
 *
 * Builders never throw and never check: a faulty definition must not hide the faults of the others, and a user's
 * JavaScript can pass anything. All checks are in `check/`, over all definitions at once. The mark is a registered symbol,
 * because definitions come out of a bundle that may have been made by another copy of this package.
 */
export const DECLARED: unique symbol = Symbol.for('twinstore.declared')

export interface TypeDeclaration {
  readonly kind: 'type'
  readonly type: unknown
  /** The item type of a list, the length of a vector. */
  readonly parameter?: unknown
  readonly options: unknown
}

export interface EntityDeclaration {
  readonly kind: 'entity'
  readonly name: unknown
  readonly keys: unknown
  readonly options: unknown
  readonly stack: string
}

export interface ViewDeclaration {
  readonly kind: 'view'
  readonly name: unknown
  readonly options: unknown
  readonly stack: string
}

/** A view or an on-demand view under an alias, with renamed join keys, or with some features picked. */
export interface UseDeclaration {
  readonly kind: 'use'
  readonly of: object
  readonly alias?: unknown
  readonly joinKeyMap?: unknown
  readonly features?: readonly unknown[]
  readonly stack: string
}

export interface OnDemandDeclaration {
  readonly kind: 'onDemand'
  readonly name: unknown
  readonly options: unknown
  readonly stack: string
}

export interface ServiceDeclaration {
  readonly kind: 'service'
  readonly name: unknown
  readonly members: unknown
  readonly options: unknown
  readonly stack: string
}

export interface SqlDeclaration {
  readonly kind: 'sql'
  readonly texts: readonly string[]
  readonly values: readonly unknown[]
}

export interface FileDeclaration {
  readonly kind: 'file'
  readonly name: unknown
  readonly options: unknown
}

export interface DurationDeclaration {
  readonly kind: 'duration'
  readonly seconds: number
}

export type Declaration =
  | TypeDeclaration
  | EntityDeclaration
  | ViewDeclaration
  | UseDeclaration
  | OnDemandDeclaration
  | ServiceDeclaration
  | SqlDeclaration
  | FileDeclaration
  | DurationDeclaration

export interface Declared<D extends Declaration = Declaration> {
  readonly [DECLARED]: D
}

/** The declaration that a builder made, or undefined for any other value. */
export function declarationOf(value: unknown): Declaration | undefined {
  return typeof value === 'object' && value !== null ? (value as Partial<Declared>)[DECLARED] : undefined
}

/** Where the builder was called: a stack trace of the bundle, which the loader maps back to the user's file and line. */
export function callStack(): string {
  return new Error().stack ?? ''
}
