/**
 * An answer in the format TENSOR: values walked straight into the float32 matrix.
 *
 * Its length is known before any value is, but for the statuses, which are left out if all are PRESENT. So room is
 * kept for them behind the matrix, and for the head before it, and the answer is the part of the buffer that was used.
 * The matrix begins at a multiple of four so that it can be written as a `Float32Array` (Node's platforms are
 * little-endian but for s390x, which is not supported).
 */
import { SlotStatus } from '../domain/outcome.ts'
import { varintLength, writeVarint } from '../lib/wire.ts'
import { type Answer, roomFor } from './answer.ts'
import { checkAnswerLength } from './assemble-values.ts'
import { BackwardWriter } from './backward-writer.ts'
import { putEvenRow } from './even-row.ts'
import { putFloats } from './float-values.ts'
import type { OnDemandSegment, ViewSegment } from './plan.ts'
import { RowFields } from './row-fields.ts'
import { hasValues, RowState, STATE_STATUS } from './row-state.ts'
import type { TensorLayout } from './tensor-layout.ts'

const TENSOR_TAG = 0x22
const ROWS_TAG = 0x08
const COLUMNS_TAG = 0x10
const DATA_TAG = 0x1a
const STATUSES_TAG = 0x22

/** Four tags and varints before the matrix at most: tensor, rows, columns, data. */
const HEAD_ROOM = 4 * (1 + 5)

const fields = new RowFields()

/** The matrix and statuses under way; `statuses[entityRow * columns + column]`. */
interface Target {
  readonly layout: TensorLayout
  readonly matrix: Float32Array
  readonly statuses: Buffer
}

export function assembleTensor(answer: Answer, layout: TensorLayout, head: Buffer): Buffer {
  const { rowCount } = answer.columns
  const columnCount = answer.plan.layout.columns.length
  const dataLength = 4 * rowCount * layout.width
  const statusCount = rowCount * columnCount
  const statusesHead = 1 + varintLength(statusCount)
  const length = head.length + HEAD_ROOM + dataLength + statusesHead + statusCount
  checkAnswerLength(length, answer.responseBytesMax)
  const buffer = roomFor(answer, length + Float32Array.BYTES_PER_ELEMENT - 1)
  // A view of floats begins at a multiple of four of the memory that it is a view of, wherever in that the room is.
  const dataStart = ((buffer.byteOffset + head.length + HEAD_ROOM + 3) & ~3) - buffer.byteOffset
  const statusesTagAt = dataStart + dataLength
  const statusesAt = statusesTagAt + statusesHead
  const matrix = new Float32Array(buffer.buffer, buffer.byteOffset + dataStart, rowCount * layout.width).fill(
    Number.NaN,
  )
  const statuses = buffer.subarray(statusesAt, statusesAt + statusCount).fill(SlotStatus.PRESENT)
  const allPresent = fillMatrix(answer, { layout, matrix, statuses })
  let end = statusesTagAt
  if (!allPresent) {
    buffer[statusesTagAt] = STATUSES_TAG
    writeVarint(buffer, statusesTagAt + 1, statusCount)
    end = statusesAt + statusCount
  }
  const writer = new BackwardWriter(buffer, dataStart)
  writer.varint(dataLength)
  writer.byte(DATA_TAG)
  writer.varint(layout.width)
  writer.byte(COLUMNS_TAG)
  writer.varint(rowCount)
  writer.byte(ROWS_TAG)
  writer.varint(end - writer.at)
  writer.byte(TENSOR_TAG)
  writer.bytes(head)
  return buffer.subarray(writer.at, end)
}

/** Whether every status is PRESENT. */
function fillMatrix(answer: Answer, target: Target): boolean {
  let allPresent = true
  for (let row = 0; row < answer.columns.rowCount; row++) {
    for (const segment of answer.plan.segments) {
      const present =
        segment.kind === 'view' ? putView(answer, segment, row, target) : putOnDemand(answer, segment, row, target)
      if (!present) allPresent = false
    }
  }
  return allPresent
}

function putView(answer: Answer, segment: ViewSegment, row: number, target: Target): boolean {
  const { plan } = answer
  const use = plan.uses[segment.use]!
  const slot = row * plan.uses.length + segment.use
  const state = answer.states[slot]!
  const bytes = answer.rowSet.rows[slot]!
  if (state === RowState.EVEN && segment.isWhole && segment.evenKind !== undefined) {
    const at = row * target.layout.width + target.layout.starts[segment.firstColumn]!
    if (putEvenRow(segment.evenKind, bytes, segment.ordinals.length, target.matrix, at)) return true
  }
  const isOwn = hasValues(state)
  const usesDefaults = isOwn || state === RowState.NOT_FOUND || state === RowState.STALE_DEFAULT
  if (isOwn) fields.walk(bytes, segment.walkCount)
  const statusAt = row * plan.layout.columns.length + segment.firstColumn
  let allPresent = true
  for (let place = 0; place < segment.ordinals.length; place++) {
    const ordinal = segment.ordinals[place]!
    const column = segment.firstColumn + place
    const valueStatus = isOwn ? fields.status(ordinal) : SlotStatus.NOT_FOUND
    if (valueStatus === SlotStatus.PRESENT) {
      putValue(answer, column, bytes, fields.valueStart(ordinal), fields.end(ordinal), row, target)
    } else if (valueStatus === SlotStatus.NOT_FOUND && usesDefaults) {
      putField(answer, column, use.absentFields[ordinal]!, row, target)
    }
    const stateStatus = STATE_STATUS[state]!
    const status = stateStatus === SlotStatus.PRESENT ? valueStatus : stateStatus
    if (status === SlotStatus.PRESENT) continue
    target.statuses[statusAt + place] = status
    allPresent = false
  }
  return allPresent
}

function putOnDemand(answer: Answer, segment: OnDemandSegment, row: number, target: Target): boolean {
  const result = answer.onDemand[segment.view]!
  const first = row * answer.plan.onDemand[segment.view]!.view.features.length
  const statusAt = row * answer.plan.layout.columns.length + segment.firstColumn
  let allPresent = true
  for (let place = 0; place < segment.ordinals.length; place++) {
    const output = first + segment.ordinals[place]!
    const status = result.statuses[output]!
    if (status === SlotStatus.PRESENT)
      putField(answer, segment.firstColumn + place, result.fields[output]!, row, target)
    else {
      target.statuses[statusAt + place] = status
      allPresent = false
    }
  }
  return allPresent
}

/** A field on its own; one without a value leaves NaN. */
function putField(answer: Answer, column: number, field: Buffer, row: number, target: Target): void {
  let start = 1
  while (field[start]! >= 0x80) start++
  start++
  if (start < field.length) putValue(answer, column, field, start, field.length, row, target)
}

function putValue(
  answer: Answer,
  column: number,
  bytes: Buffer,
  start: number,
  end: number,
  row: number,
  target: Target,
): void {
  const { layout, matrix } = target
  const { type } = answer.plan.layout.columns[column]!
  putFloats(type, bytes, start, end, matrix, row * layout.width + layout.starts[column]!)
}
