import { callStack, DECLARED, type Declared, type ServiceDeclaration } from './declarations.ts'
import type { ViewRef } from './feature-views.ts'
import type { OnDemandUse } from './on-demand-views.ts'

export interface FeatureServiceOptions {
  /** false: for training sets and exports only; a service with a view that is not online needs it. true unless given. */
  readonly online?: boolean
  readonly description?: string
}

export type FeatureService = Declared<ServiceDeclaration>

/** What one model asks for, in the order of its columns. */
export function featureService(
  name: string,
  members: readonly (ViewRef | OnDemandUse)[],
  options?: FeatureServiceOptions,
): FeatureService {
  return { [DECLARED]: { kind: 'service', name, members, options, stack: callStack() } }
}
