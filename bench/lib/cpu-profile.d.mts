import type { CategoryOf } from './profile-categories.mjs'

export interface Profile {
  readonly startTime: number
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export function samplesByCategory(
  profile: Profile,
  between: { readonly beganMicros: number; readonly endedMicros: number },
  categoryOf: CategoryOf,
): ReadonlyMap<string, number>
