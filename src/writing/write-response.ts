/** `WriteFeaturesResponse` (proto/twinstore/v1/serving.proto) from the outcomes of a write. */
import { lengthField, varint64Bytes } from '../lib/wire.ts'
import type { RowOutcome } from '../online/online-store.ts'

const STATUS_TAG = 0x08
const POSITION_TAG = 0x10
const STATUS = { APPLIED: 1, SUPERSEDED: 2, HISTORY_ONLY: 3 } as const

export function encodeWriteResponse(outcomes: readonly RowOutcome[]): Buffer {
  return Buffer.concat(
    outcomes.map(({ status, position }) => {
      const head = Buffer.from([STATUS_TAG, STATUS[status], POSITION_TAG])
      return lengthField(1, Buffer.concat([head, varint64Bytes(BigInt(position))]))
    }),
  )
}
