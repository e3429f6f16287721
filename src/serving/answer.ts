/** Everything an answer is made from, once all rows are there. */
import type { EntityColumns } from './entity-columns.ts'
import type { OnDemandResult } from './on-demand-results.ts'
import type { Plan } from './plan.ts'
import type { RowSet } from './read-rows.ts'
import type { Caller } from './serving-service.ts'

export interface Answer {
  readonly plan: Plan
  readonly columns: EntityColumns
  /** By entity row, then use: `rows[entityRow * plan.uses.length + use]`. */
  readonly rowSet: RowSet
  /** What each row amounts to (`row-state.ts`), by the same index. */
  readonly states: Uint8Array
  /** By index in `Plan.onDemand`. */
  readonly onDemand: readonly OnDemandResult[]
  readonly responseBytesMax: number
  readonly caller: Caller | undefined
}

/** Where an answer of at most so many bytes is written. */
export function roomFor({ caller }: Answer, bytes: number): Buffer {
  return caller?.roomFor?.(bytes) ?? Buffer.allocUnsafe(bytes)
}
