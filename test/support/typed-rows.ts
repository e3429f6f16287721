/** Rows given as JavaScript values, made into a request that goes the way of every other. */
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { FeatureView } from '../../src/domain/registry.ts'
import { encodeValue, type FeatureValue } from '../../src/domain/value-codec.ts'
import type { ValueType } from '../../src/domain/value-type.ts'
import { lengthField, varint64Bytes, varintField } from '../../src/lib/wire.ts'
import { ACK_BOTH, type Ack, REQUEST_FIELD, ROW_FIELD } from '../../src/writing/write-request.ts'

/** Values by join key and feature name, as `domain/value-codec.ts` has them; an absent one is missing. */
export interface TypedRow {
  readonly values: Readonly<Record<string, FeatureValue | null | undefined>>
  readonly eventMicros?: number
}

export interface TypedWriteOptions {
  readonly ack?: Ack
  readonly writeId?: string
}

/**
 * A serialized `WriteFeaturesRequest`. A name the view does not have, or a value that is not of its type, is refused
 * here with INVALID_ARGUMENT; everything else is checked where requests are.
 */
export function encodeWriteRequest(
  view: FeatureView,
  rows: readonly TypedRow[],
  options: TypedWriteOptions = {},
): Buffer {
  const types = new Map<string, ValueType>()
  for (const key of view.joinKeys) types.set(key.name, { kind: key.type })
  for (const feature of view.features) types.set(feature.name, feature.type)
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row.values)))]
  const parts = [lengthField(REQUEST_FIELD.view, Buffer.from(view.name))]
  for (const column of columns) parts.push(lengthField(REQUEST_FIELD.columns, Buffer.from(column)))
  rows.forEach((row, index) => {
    const fields = columns.map((name) => encodeField(types.get(name), row.values[name], `rows[${index}].${name}`))
    if (row.eventMicros !== undefined) {
      fields.push(Buffer.from([ROW_FIELD.eventMicros << 3]), varint64Bytes(BigInt(row.eventMicros)))
    }
    parts.push(lengthField(REQUEST_FIELD.rows, Buffer.concat(fields)))
  })
  if (options.ack === 'BOTH') parts.push(varintField(REQUEST_FIELD.ack, ACK_BOTH))
  if (options.writeId !== undefined) parts.push(lengthField(REQUEST_FIELD.writeId, Buffer.from(options.writeId)))
  return Buffer.concat(parts)
}

function encodeField(type: ValueType | undefined, value: FeatureValue | null | undefined, at: string): Buffer {
  const bytes = type === undefined ? 'the view has no such join key or feature' : encodeValue(type, value)
  if (typeof bytes === 'string') throw new TwinstoreError('INVALID_ARGUMENT', `${at}: ${bytes}`)
  return lengthField(ROW_FIELD.values, bytes)
}
