import type { Definitions } from './registry.ts'

/** Where long-lived parts get the definitions from, so that a server can take new ones without being rebuilt. */
export interface DefinitionsSource {
  readonly current: Definitions
}
