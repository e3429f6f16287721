/**
 * The shape of a `WriteFeaturesRequest` (proto/twinstore/v1/serving.proto), read from its bytes. Rows stay spans of the
 * request's bytes: their values are checked and copied once, later, straight into the encoded row.
 */
import { createHash } from 'node:crypto'
import { TwinstoreError } from '../domain/errors.ts'
import { lengthField, varintField, WIRE_VARINT, WireError, WireReader } from '../lib/wire.ts'
import type { WorkTurn } from '../lib/work-turns.ts'

/** When a write is acknowledged: the online store has it, or the offline history too. */
export type Ack = 'ONLINE' | 'BOTH'

export interface WriteRequest {
  readonly bytes: Buffer
  readonly view: string
  readonly columns: readonly string[]
  /** Start and end of each row's `WriteRow` message in `bytes`, alternating. */
  readonly rowSpans: readonly number[]
  readonly ack: Ack
  /** Empty: none. */
  readonly writeId: string
}

/** Field numbers of `WriteFeaturesRequest` and of its `WriteRow`. */
export const REQUEST_FIELD = { view: 1, columns: 2, rows: 3, ack: 4, writeId: 5 } as const
export const ROW_FIELD = { values: 1, eventMicros: 2 } as const
export const ACK_BOTH = 2

/** `rowsMax` bounds what is kept; one row more than allowed is kept, so that the excess is seen. */
export function readWriteRequest(bytes: Buffer, rowsMax: number): WriteRequest {
  const reader = new WireReader(bytes)
  const columns: string[] = []
  const rowSpans: number[] = []
  let view = ''
  let writeId = ''
  let ack: Ack = 'ONLINE'
  try {
    while (reader.next()) {
      if (reader.field === REQUEST_FIELD.view) view = reader.readString()
      else if (reader.field === REQUEST_FIELD.columns) columns.push(reader.readString())
      else if (reader.field === REQUEST_FIELD.rows) {
        const length = reader.readLength()
        if (rowSpans.length <= 2 * rowsMax) rowSpans.push(reader.position, reader.position + length)
        reader.position += length
      } else if (reader.field === REQUEST_FIELD.ack && reader.wireType === WIRE_VARINT) {
        ack = ackOf(reader.readUint32())
      } else if (reader.field === REQUEST_FIELD.writeId) writeId = reader.readString()
      else reader.skip()
    }
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    throw new TwinstoreError('INVALID_ARGUMENT', `the bytes are not a WriteFeaturesRequest: ${error.message}`)
  }
  return { bytes, view, columns, rowSpans, ack, writeId }
}

/** An unknown one may promise more than this server keeps, so it is refused. */
function ackOf(number: number): Ack {
  if (number > ACK_BOTH) {
    throw new TwinstoreError('INVALID_ARGUMENT', `ack: ${number} is not one this server knows; it knows 0, 1 and 2`)
  }
  return number === ACK_BOTH ? 'BOTH' : 'ONLINE'
}

/** Hashed in about a third of a millisecond. */
const HASHED_AT_ONCE_BYTES = 256 * 1024

/**
 * SHA-256 of what the request writes: view, columns and rows as sent. The acknowledgement asked for is left out, and
 * so is the event timestamp that stands in for an absent one: both may differ in a retry of the same write.
 */
export async function contentHash(request: WriteRequest, turn: WorkTurn): Promise<string> {
  const hash = createHash('sha256')
  hash.update(lengthField(REQUEST_FIELD.view, Buffer.from(request.view)))
  for (const column of request.columns) hash.update(lengthField(REQUEST_FIELD.columns, Buffer.from(column)))
  let hashed = 0
  for (let at = 0; at < request.rowSpans.length; at += 2) {
    const start = request.rowSpans[at]!
    const end = request.rowSpans[at + 1]!
    hash.update(varintField(REQUEST_FIELD.rows, end - start))
    hash.update(request.bytes.subarray(start, end))
    hashed += end - start
    if (hashed < HASHED_AT_ONCE_BYTES) continue
    hashed = 0
    if (turn.isOver) await turn.next()
  }
  return hash.digest('hex')
}
