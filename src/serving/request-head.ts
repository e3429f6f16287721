/**
 * The first look at a request: where its parts are. Nothing is copied but the selection, which is what plans are looked
 * up by; columns stay where they are until the plan says what they should hold.
 */
import { TwinstoreError } from '../domain/errors.ts'
import { WIRE_FIXED64, WIRE_VARINT, WireError, WireReader } from '../lib/wire.ts'

const SERVICE_FIELD = 1
export const FEATURES_FIELD = 2
const COLUMNS_FIELD = 3
const CONSISTENCY_FIELD = 4
const FORMAT_FIELD = 5
const KNOWN_LAYOUT_FIELD = 6

const CONSISTENCY_FRESH = 2
const FORMAT_TENSOR = 2

export interface RequestHead {
  readonly bytes: Buffer
  /** The number of the field that selects, then its bytes, one latin-1 character a byte. */
  readonly selection: string
  /** Start and end of each column's message in `bytes`. */
  readonly columnBounds: readonly number[]
  readonly isFresh: boolean
  readonly isTensor: boolean
  /** The halves of `known_layout`. */
  readonly knownLow: number
  readonly knownHigh: number
}

/** Throws INVALID_ARGUMENT, or `WireError` for bytes that are not a request. */
export function readRequestHead(bytes: Buffer): RequestHead {
  const reader = new WireReader(bytes)
  const columnBounds: number[] = []
  let selection: string | undefined
  let consistency = 0
  let format = 0
  let knownLow = 0
  let knownHigh = 0
  while (reader.next()) {
    switch (reader.field) {
      case SERVICE_FIELD:
      case FEATURES_FIELD: {
        const end = reader.readLength() + reader.position
        selection = String.fromCharCode(reader.field) + bytes.toString('latin1', reader.position, end)
        reader.position = end
        break
      }
      case COLUMNS_FIELD: {
        const end = reader.readLength() + reader.position
        columnBounds.push(reader.position, end)
        reader.position = end
        break
      }
      case CONSISTENCY_FIELD:
        consistency = readEnum(reader)
        break
      case FORMAT_FIELD:
        format = readEnum(reader)
        break
      case KNOWN_LAYOUT_FIELD:
        if (reader.wireType !== WIRE_FIXED64) throw new WireError('known_layout is not a fixed64')
        reader.readFixed64()
        knownLow = reader.low
        knownHigh = reader.high
        break
      default:
        reader.skip()
    }
  }
  if (selection === undefined || selection.length === 1) {
    throw new TwinstoreError('INVALID_ARGUMENT', 'nothing is selected: give feature_service or features')
  }
  if (consistency > CONSISTENCY_FRESH) throw unknownNumber('consistency', consistency)
  if (format > FORMAT_TENSOR) throw unknownNumber('format', format)
  const isFresh = consistency === CONSISTENCY_FRESH
  return { bytes, selection, columnBounds, isFresh, isTensor: format === FORMAT_TENSOR, knownLow, knownHigh }
}

function readEnum(reader: WireReader): number {
  if (reader.wireType !== WIRE_VARINT) throw new WireError(`field ${reader.field} has wire type ${reader.wireType}`)
  return reader.readUint32()
}

function unknownNumber(field: string, value: number): TwinstoreError {
  return new TwinstoreError('INVALID_ARGUMENT', `${field}: ${value} is not one this server knows; it knows 0, 1 and 2`)
}
