/**
 * An answer in the format VALUES: fields copied out of rows, never decoded.
 *
 * Two passes. The first adds up the exact length and finds which entity rows need statuses; the second writes into one
 * buffer of that length, backwards. A row of a wholly selected view is one copy; of other rows the fields' lengths are
 * walked, in both passes, which costs below 20 ns a field (`bench/serving-path.mjs`, picked) and keeps nothing between them.
 */
import assert from 'node:assert'
import { TwinstoreError } from '../domain/errors.ts'
import { SlotStatus } from '../domain/outcome.ts'
import { ROW_HEADER_BYTES, rowIsFromHistory, VERSION_OFFSET } from '../domain/row-codec.ts'
import { varintLength } from '../lib/wire.ts'
import { type Answer, roomFor } from './answer.ts'
import { BackwardWriter } from './backward-writer.ts'
import type { OnDemandSegment, ViewSegment } from './plan.ts'
import { RowFields } from './row-fields.ts'
import { constantFields, hasValues, isEven, RowState, STATE_STATUS } from './row-state.ts'

const VECTORS_TAG = 0x1a
const STATUSES_TAG = 0x12
const TIMESTAMPS_TAG = 0x1a
const STALE_VIEWS_TAG = 0x22
const HISTORY_VIEWS_TAG = 0x2a

const fields = new RowFields()

/** `head` is the beginning of the answer: the layout's id, and the layout if the client needs it. */
export function assembleValues(answer: Answer, head: Buffer): Buffer {
  const { rowCount } = answer.columns
  const isFlagged = new Uint8Array(rowCount)
  let length = head.length
  for (let row = 0; row < rowCount; row++) {
    const vector = vectorLength(answer, row, isFlagged)
    length += 1 + varintLength(vector) + vector
  }
  checkAnswerLength(length, answer.responseBytesMax)
  const writer = new BackwardWriter(roomFor(answer, length), length)
  for (let row = rowCount - 1; row >= 0; row--) writeVector(writer, answer, row, isFlagged[row] === 1)
  writer.bytes(head)
  assert(writer.at === 0, 'the answer has another length than was added up')
  return writer.buffer
}

export function checkAnswerLength(length: number, responseBytesMax: number): void {
  if (length <= responseBytesMax) return
  throw new TwinstoreError(
    'RESOURCE_EXHAUSTED',
    `the answer has ${length} bytes, at most ${responseBytesMax} (response-bytes-max); ask for fewer entities or features`,
  )
}

function vectorLength(answer: Answer, row: number, isFlagged: Uint8Array): number {
  const { plan } = answer
  let length = 0
  for (const segment of plan.segments) {
    length +=
      segment.kind === 'view'
        ? viewLength(answer, segment, row, isFlagged)
        : onDemandLength(answer, segment, row, isFlagged)
  }
  if (isFlagged[row] === 1) length += fieldLength(plan.layout.columns.length)
  if (plan.uses.length > 0) length += fieldLength(8 * plan.uses.length)
  if (answer.rowSet.expired !== undefined) length += usesLength(answer, row, isExpired)
  if (plan.looksUp) length += usesLength(answer, row, isFromHistory)
  return length
}

/** A length-delimited field of a small field number. */
function fieldLength(content: number): number {
  return 1 + varintLength(content) + content
}

function viewLength(answer: Answer, segment: ViewSegment, row: number, isFlagged: Uint8Array): number {
  const slot = row * answer.plan.uses.length + segment.use
  const state = answer.states[slot]!
  if (state !== RowState.EVEN) {
    if (STATE_STATUS[state] !== SlotStatus.PRESENT) isFlagged[row] = 1
    if (!hasValues(state)) return constantFields(segment, state).length
  }
  const bytes = answer.rowSet.rows[slot]!
  const use = answer.plan.uses[segment.use]!
  if (segment.isWhole && (state === RowState.EVEN || isEven(use, bytes))) return bytes.length - ROW_HEADER_BYTES
  fields.walk(bytes, segment.walkCount)
  let length = 0
  for (const ordinal of segment.ordinals) {
    const status = fields.status(ordinal)
    if (status !== SlotStatus.PRESENT) isFlagged[row] = 1
    length +=
      status === SlotStatus.NOT_FOUND ? use.absentFields[ordinal]!.length : fields.end(ordinal) - fields.start(ordinal)
  }
  return length
}

function onDemandLength(answer: Answer, segment: OnDemandSegment, row: number, isFlagged: Uint8Array): number {
  const result = answer.onDemand[segment.view]!
  const first = row * answer.plan.onDemand[segment.view]!.view.features.length
  let length = 0
  for (const output of segment.ordinals) {
    if (result.statuses[first + output] !== SlotStatus.PRESENT) isFlagged[row] = 1
    length += result.fields[first + output]!.length
  }
  return length
}

function writeVector(writer: BackwardWriter, answer: Answer, row: number, isFlagged: boolean): void {
  const { segments, layout, looksUp } = answer.plan
  const end = writer.at
  if (looksUp) writeUses(writer, answer, row, HISTORY_VIEWS_TAG, isFromHistory)
  if (answer.rowSet.expired !== undefined) writeUses(writer, answer, row, STALE_VIEWS_TAG, isExpired)
  writeTimestamps(writer, answer, row)
  let statusesAt = -1
  if (isFlagged) {
    statusesAt = writer.reserve(layout.columns.length)
    writer.varint(layout.columns.length)
    writer.byte(STATUSES_TAG)
  }
  for (let index = segments.length - 1; index >= 0; index--) {
    const segment = segments[index]!
    if (segment.kind === 'view') writeView(writer, answer, segment, row, statusesAt)
    else writeOnDemand(writer, answer, segment, row, statusesAt)
  }
  writer.varint(end - writer.at)
  writer.byte(VECTORS_TAG)
}

/** `statusesAt`: where the vector's statuses are in the buffer, or -1 if all are PRESENT. */
function writeView(
  writer: BackwardWriter,
  answer: Answer,
  segment: ViewSegment,
  row: number,
  statusesAt: number,
): void {
  const slot = row * answer.plan.uses.length + segment.use
  const state = answer.states[slot]!
  const { ordinals } = segment
  const use = answer.plan.uses[segment.use]!
  const bytes = answer.rowSet.rows[slot]!
  const columnAt = statusesAt + segment.firstColumn
  const stateStatus = STATE_STATUS[state]!
  if (statusesAt >= 0) writer.buffer.fill(stateStatus, columnAt, columnAt + ordinals.length)
  if (!hasValues(state)) {
    writer.bytes(constantFields(segment, state))
    return
  }
  if (segment.isWhole && (state === RowState.EVEN || isEven(use, bytes))) {
    writer.rowBody(bytes)
    return
  }
  fields.walk(bytes, segment.walkCount)
  for (let place = ordinals.length - 1; place >= 0; place--) {
    const ordinal = ordinals[place]!
    const status = fields.status(ordinal)
    if (status === SlotStatus.NOT_FOUND) writer.bytes(use.absentFields[ordinal]!)
    else writer.range(bytes, fields.start(ordinal), fields.end(ordinal))
    // A stale row's slots are all OUTSIDE_MAX_AGE, whatever is in them.
    if (statusesAt >= 0 && stateStatus === SlotStatus.PRESENT) writer.buffer[columnAt + place] = status
  }
}

function writeOnDemand(
  writer: BackwardWriter,
  answer: Answer,
  segment: OnDemandSegment,
  row: number,
  statusesAt: number,
): void {
  const result = answer.onDemand[segment.view]!
  const first = row * answer.plan.onDemand[segment.view]!.view.features.length
  for (let place = segment.ordinals.length - 1; place >= 0; place--) {
    const output = first + segment.ordinals[place]!
    const field = result.fields[output]!
    writer.range(field, 0, field.length)
    if (statusesAt >= 0) writer.buffer[statusesAt + segment.firstColumn + place] = result.statuses[output]!
  }
}

/** The header has microseconds big-endian with the sign bit flipped; an sfixed64 is little-endian. */
function writeTimestamps(writer: BackwardWriter, answer: Answer, row: number): void {
  const useCount = answer.plan.uses.length
  if (useCount === 0) return
  const { buffer } = writer
  for (let use = useCount - 1; use >= 0; use--) {
    const bytes = answer.rowSet.rows[row * useCount + use]!
    const at = writer.reserve(8)
    if (bytes.length === 0) buffer.fill(0, at, at + 8)
    else {
      for (let byte = 0; byte < 8; byte++) buffer[at + byte] = bytes[VERSION_OFFSET + 7 - byte]!
      buffer[at + 7]! ^= 0x80
    }
  }
  writer.varint(8 * useCount)
  writer.byte(TIMESTAMPS_TAG)
}

/** Indexes of the uses of which something holds for this entity row, as a packed field; nothing where it holds of none. */
type HoldsOf = (answer: Answer, slot: number) => boolean

const isExpired: HoldsOf = ({ rowSet }, slot) => rowSet.expired![slot] === 1

const isFromHistory: HoldsOf = ({ rowSet }, slot) => {
  const row = rowSet.rows[slot]!
  return row.length > 0 && rowIsFromHistory(row)
}

function usesLength(answer: Answer, row: number, holdsOf: HoldsOf): number {
  const useCount = answer.plan.uses.length
  let length = 0
  for (let use = 0; use < useCount; use++) {
    if (holdsOf(answer, row * useCount + use)) length += varintLength(use)
  }
  return length === 0 ? 0 : fieldLength(length)
}

function writeUses(writer: BackwardWriter, answer: Answer, row: number, tag: number, holdsOf: HoldsOf): void {
  const useCount = answer.plan.uses.length
  const end = writer.at
  for (let use = useCount - 1; use >= 0; use--) if (holdsOf(answer, row * useCount + use)) writer.varint(use)
  if (writer.at === end) return
  writer.varint(end - writer.at)
  writer.byte(tag)
}
