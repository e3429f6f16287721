/**
 * The outputs of an on-demand view for every entity row of a request. This is where values are decoded: only the inputs
 * of a computation, and only of rows whose own values count. The function is called in `domain/on-demand.ts`, as for
 * exports and training sets (G6).
 */
import { asTwinstoreError, type TwinstoreError } from '../domain/errors.ts'
import { evaluate, toComputeValue } from '../domain/on-demand.ts'
import { SlotStatus } from '../domain/outcome.ts'
import type { ComputeInput } from '../domain/registry.ts'
import { MISSING_VALUE, NULL_VALUE } from '../domain/row-codec.ts'
import { decodeValue, encodeValue, type FeatureValue } from '../domain/value-codec.ts'
import type { ValueType } from '../domain/value-type.ts'
import { lengthField } from '../lib/wire.ts'
import type { EntityColumns } from './entity-columns.ts'
import type { OnDemandInput, OnDemandPlan, Plan } from './plan.ts'
import type { RowSet } from './read-rows.ts'
import { RowFields } from './row-fields.ts'
import { hasValues, RowState } from './row-state.ts'
import type { OnFault } from './serving-fault.ts'
import { signedVarint } from './signed-varint.ts'

/** By entity row, then output: `fields[entityRow * outputs + output]`. */
export interface OnDemandResult {
  readonly fields: Buffer[]
  readonly statuses: Uint8Array
}

const UNSET_FIELD = lengthField(1, MISSING_VALUE)
const NULL_FIELD = lengthField(1, NULL_VALUE)
const fields = new RowFields()

export function onDemandResult(
  plan: Plan,
  onDemand: OnDemandPlan,
  columns: EntityColumns,
  rowSet: RowSet,
  states: Uint8Array,
  onFault: OnFault,
): OnDemandResult {
  const outputs = onDemand.view.features.length
  const result: OnDemandResult = {
    fields: new Array<Buffer>(columns.rowCount * outputs).fill(UNSET_FIELD),
    statuses: new Uint8Array(columns.rowCount * outputs),
  }
  let failedRows = 0
  let firstError: TwinstoreError | undefined
  for (let row = 0; row < columns.rowCount; row++) {
    let status = inputStatus(plan, onDemand, row, states)
    if (status === SlotStatus.PRESENT) {
      try {
        const values = evaluate(
          onDemand.view,
          onDemand.compute,
          computeInput(plan, onDemand, columns, rowSet, states, row),
        )
        putOutputs(onDemand, values, result, row * outputs)
        continue
      } catch (error) {
        firstError ??= asTwinstoreError(error)
        failedRows++
        status = SlotStatus.UNAVAILABLE
        result.fields.fill(UNSET_FIELD, row * outputs, (row + 1) * outputs)
      }
    }
    result.statuses.fill(status, row * outputs, (row + 1) * outputs)
  }
  if (firstError !== undefined) {
    onFault({ kind: 'onDemand', view: onDemand.view.name, rowCount: failedRows, error: firstError })
  }
  return result
}

/** PRESENT if the computation can run: it has no unavailable input and none that is stale in a view that rejects that. */
function inputStatus(plan: Plan, onDemand: OnDemandPlan, row: number, states: Uint8Array): SlotStatus {
  let status: SlotStatus = SlotStatus.PRESENT
  for (const input of onDemand.inputs) {
    const state = states[row * plan.uses.length + input.use]
    if (state === RowState.UNAVAILABLE) return SlotStatus.UNAVAILABLE
    if (state === RowState.STALE_REJECTED) status = SlotStatus.OUTSIDE_MAX_AGE
  }
  return status
}

function computeInput(
  plan: Plan,
  onDemand: OnDemandPlan,
  columns: EntityColumns,
  rowSet: RowSet,
  states: Uint8Array,
  row: number,
): ComputeInput {
  const input: Record<string, Record<string, unknown>> = {}
  for (const view of onDemand.inputs) {
    const slot = row * plan.uses.length + view.use
    input[view.as] = viewInput(view, rowSet.rows[slot]!, states[slot]!)
  }
  const request: Record<string, unknown> = {}
  for (const feature of onDemand.request) {
    // Null takes the default too: a spine cannot tell null from missing, and both must compute the same.
    request[feature.name] = columns.features[feature.column]?.[row] ?? feature.absent
  }
  input['request'] = request
  return input
}

function viewInput(input: OnDemandInput, row: Buffer, state: number): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  const isOwn = hasValues(state)
  if (isOwn) fields.walk(row, input.walkCount)
  for (let index = 0; index < input.names.length; index++) {
    let value: unknown = null
    if (isOwn) value = ownValue(input, index, row)
    else if (state !== RowState.STALE_NULL) value = input.absent[index]
    values[input.names[index]!] = value
  }
  return values
}

function ownValue(input: OnDemandInput, index: number, row: Buffer): unknown {
  const ordinal = input.ordinals[index]!
  const status = fields.status(ordinal)
  if (status === SlotStatus.NOT_FOUND) return input.absent[index]
  if (status === SlotStatus.NULL) return null
  const type = input.types[index]!
  const end = fields.end(ordinal)
  // Doubles and int64s are by far the usual inputs. A double's eight bytes are the last of its `Value`, and an int64's
  // varint comes after one byte of tag.
  if (type.kind === 'double') return row.readDoubleLE(end - 8)
  const start = fields.valueStart(ordinal)
  if (type.kind === 'int64') {
    const number = signedVarint(row, start + 1)
    if (Number.isSafeInteger(number)) return number
  }
  return toComputeValue(type, decodeValue(type, row.subarray(start, end)))
}

function putOutputs(
  onDemand: OnDemandPlan,
  values: readonly (FeatureValue | null)[],
  result: OnDemandResult,
  at: number,
): void {
  for (let output = 0; output < values.length; output++) {
    const value = values[output]!
    result.fields[at + output] = value === null ? NULL_FIELD : outputField(onDemand.view.features[output]!.type, value)
    result.statuses[at + output] = value === null ? SlotStatus.NULL : SlotStatus.PRESENT
  }
}

function outputField(type: ValueType, value: FeatureValue): Buffer {
  if (type.kind === 'double') return doubleField(value as number)
  const encoded = encodeValue(type, value)
  if (typeof encoded === 'string') throw new TypeError(encoded)
  return lengthField(1, encoded)
}

/** `lengthField(1, encodeValue(double, value))` in one allocation. */
function doubleField(value: number): Buffer {
  const field = Buffer.allocUnsafe(11)
  field[0] = 0x0a
  field[1] = 9
  field[2] = 0x29
  field.writeDoubleLE(value, 3)
  return field
}
