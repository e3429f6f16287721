/** What an entity gets that has no row in the online store. */
import { DECLARED, type Declared, type OfflineLookupDeclaration } from './declarations.ts'

export interface OfflineLookupOptions {
  /** Entities that one instance looks up per second at most; further ones are missing, as without a look-up. */
  readonly budget: number
  /** How long a look-up may take; after it the entity is missing. 200 unless given. */
  readonly timeoutMs?: number
}

export type OfflineLookup = Declared<OfflineLookupDeclaration>

/** Looks for the latest row in the history: tens of milliseconds, where a read of the online store takes one. */
export function offlineLookup(options: OfflineLookupOptions): OfflineLookup {
  return { [DECLARED]: { kind: 'offlineLookup', options } }
}
