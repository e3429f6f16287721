/** Collects faults: a scope knows its path (`views.airport_daily.features`) and where in the user's files that was written. */
import type { Fault } from '../../domain/errors.ts'

export interface FaultScope {
  /** The scope of a part: `scope.in('ttl')`, with the stack trace of a builder call if the part has one of its own. */
  in(part: string, stack?: string): FaultScope
  add(problem: string): void
}

/** Finds the user's file and line in the stack trace of a builder call. */
export type Locate = (stack: string) => string | undefined

export function faultScope(faults: Fault[], path: string, place: string, locate: Locate): FaultScope {
  return {
    in: (part, stack) =>
      faultScope(faults, `${path}.${part}`, (stack === undefined ? undefined : locate(stack)) ?? place, locate),
    add: (problem) => {
      faults.push({ at: `${path} (${place})`, problem })
    },
  }
}
