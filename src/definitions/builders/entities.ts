import { callStack, DECLARED, type Declared, type EntityDeclaration } from './declarations.ts'
import type { FeatureType } from './value-types.ts'

export interface EntityOptions {
  readonly description?: string
}

/** The type of a join key; only these two have one canonical form as a key. */
export type JoinKeyType = FeatureType<'string' | 'int64', unknown, false>

declare const shape: unique symbol

export interface Entity<Keys extends string = string> extends Declared<EntityDeclaration> {
  /** Never there: it carries the names of the join keys. */
  readonly [shape]?: Keys
}

/** What features are about: an entity with one join key of the same name, or with several: `{ origin: string(), ... }`. */
export function entity<const Name extends string>(name: Name, key: JoinKeyType, options?: EntityOptions): Entity<Name>
export function entity<const Keys extends Readonly<Record<string, JoinKeyType>>>(
  name: string,
  keys: Keys,
  options?: EntityOptions,
): Entity<keyof Keys & string>
export function entity(name: string, keys: unknown, options?: EntityOptions): Entity {
  return { [DECLARED]: { kind: 'entity', name, keys, options, stack: callStack() } }
}
