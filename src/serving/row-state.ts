/** What a row amounts to in an answer, decided once per row and use; the rest of the assembly only looks at this. */
import { isStale } from '../domain/freshness.ts'
import { SlotStatus } from '../domain/outcome.ts'
import type { OnStale } from '../domain/registry.ts'
import { rowEventMicros, rowHasGaps, rowSchemaId } from '../domain/row-codec.ts'
import type { Plan, UsePlan, ViewSegment } from './plan.ts'
import { type RowSet, UNAVAILABLE_ROW } from './read-rows.ts'

export const RowState = {
  /** Fresh, every feature of the view's current schema in it and neither null nor missing: all its slots are PRESENT. */
  EVEN: 0,
  /** Fresh, but its values have to be looked at one by one. */
  UNEVEN: 1,
  NOT_FOUND: 2,
  UNAVAILABLE: 3,
  /** Stale; what its values are by the view's `onStale`. */
  STALE_SERVED: 4,
  STALE_NULL: 5,
  STALE_DEFAULT: 6,
  STALE_REJECTED: 7,
} as const
export type RowState = (typeof RowState)[keyof typeof RowState]

const STALE_STATE: Readonly<Record<OnStale, RowState>> = {
  serve: RowState.STALE_SERVED,
  null: RowState.STALE_NULL,
  default: RowState.STALE_DEFAULT,
  reject: RowState.STALE_REJECTED,
}

/** The status of every slot of a row in this state; PRESENT where single values may differ. */
export const STATE_STATUS: Readonly<Uint8Array> = Uint8Array.of(
  SlotStatus.PRESENT,
  SlotStatus.PRESENT,
  SlotStatus.NOT_FOUND,
  SlotStatus.UNAVAILABLE,
  SlotStatus.OUTSIDE_MAX_AGE,
  SlotStatus.OUTSIDE_MAX_AGE,
  SlotStatus.OUTSIDE_MAX_AGE,
  SlotStatus.OUTSIDE_MAX_AGE,
)

export function rowStates(plan: Plan, rowSet: RowSet, nowMicros: number): Uint8Array {
  const { uses } = plan
  const { rows } = rowSet
  const states = new Uint8Array(rows.length)
  for (let slot = 0, use = 0; slot < rows.length; slot++) {
    states[slot] = rowState(uses[use]!, rows[slot]!, nowMicros)
    if (++use === uses.length) use = 0
  }
  return states
}

function rowState(use: UsePlan, row: Buffer, nowMicros: number): RowState {
  if (row.length === 0) return row === UNAVAILABLE_ROW ? RowState.UNAVAILABLE : RowState.NOT_FOUND
  const { view } = use
  if (view.ttlMicros !== undefined && isStale(rowEventMicros(row), view.ttlMicros, nowMicros)) {
    return STALE_STATE[view.onStale]
  }
  return isEven(use, row) ? RowState.EVEN : RowState.UNEVEN
}

/** Whether the row's body holds a value for each feature of the view's current schema and no other. */
export function isEven(use: UsePlan, row: Buffer): boolean {
  return !rowHasGaps(row) && rowSchemaId(row) === use.view.schemaId
}

/** Whether the row's own values are answered. */
export function hasValues(state: number): boolean {
  return state <= RowState.UNEVEN || state === RowState.STALE_SERVED
}

/** The fields of a segment in a state that does not answer the row's own values. */
export function constantFields(segment: ViewSegment, state: number): Buffer {
  if (state === RowState.NOT_FOUND || state === RowState.STALE_DEFAULT) return segment.absent
  return state === RowState.STALE_NULL ? segment.nulls : segment.unset
}
