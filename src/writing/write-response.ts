/** `WriteFeaturesResponse` (proto/twinstore/v1/serving.proto) from the outcomes of a write. */
import type { RowOutcome } from '../online/online-store.ts'

const RESULT_TAG = 0x0a
const STATUS_TAG = 0x08
const POSITION_TAG = 0x10
const STATUS = { APPLIED: 1, SUPERSEDED: 2, HISTORY_ONLY: 3 } as const
/** Its tag and length, the status, and the position's tag. */
const RESULT_HEAD_BYTES = 5

/** In one buffer: an object per row would take longer than all else that is done for its acknowledgement. */
export function encodeWriteResponse(outcomes: readonly RowOutcome[]): Buffer {
  let length = 0
  for (const { position } of outcomes) length += RESULT_HEAD_BYTES + positionBytes(position)
  const bytes = Buffer.allocUnsafe(length)
  let at = 0
  for (const { status, position } of outcomes) {
    bytes[at++] = RESULT_TAG
    bytes[at++] = RESULT_HEAD_BYTES - 2 + positionBytes(position)
    bytes[at++] = STATUS_TAG
    bytes[at++] = STATUS[status]
    bytes[at++] = POSITION_TAG
    at = writePosition(bytes, at, position)
  }
  return bytes
}

/** Positions are below 2^53, more than the bitwise operators take. */
function positionBytes(position: number): number {
  let bytes = 1
  for (let rest = position; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

function writePosition(bytes: Buffer, start: number, position: number): number {
  let at = start
  let rest = position
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80
  bytes[at++] = rest
  return at
}
