/** `GetFeaturesResponse` read from its bytes: with the types in the layout each value is decoded once, into its plain form. */
import { statusName } from '../domain/outcome.ts'
import { decodeValue } from '../domain/value-codec.ts'
import { parseTypeName, tensorWidth, type ValueType } from '../domain/value-type.ts'
import { WIRE_LENGTH, WireReader } from '../lib/wire.ts'
import { type PlainValue, toPlain } from './plain-value.ts'
import { decodeMessage } from './protocol.ts'

export interface Layout {
  /** Decimal. */
  readonly id: string
  readonly fingerprint: string
  readonly columns: readonly LayoutColumn[]
  readonly views: readonly string[]
}

export interface LayoutColumn {
  readonly name: string
  readonly view: string
  readonly feature: string
  readonly type: string
  readonly valueType: ValueType
}

export type SlotStatusName = 'PRESENT' | 'NULL' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE' | 'UNAVAILABLE'

/** The features of one entity row, by column name. */
export interface FeatureRow {
  readonly values: Readonly<Record<string, PlainValue>>
  readonly statuses: Readonly<Record<string, SlotStatusName>>
  /** By view (or alias); null where it has no row. */
  readonly eventTimestamps: Readonly<Record<string, Date | null>>
  /** Views answered from an expired cache entry because the online store did not answer. */
  readonly staleViews: readonly string[]
  /** Views whose row was not in the online store and was looked up in the history. */
  readonly historyViews: readonly string[]
}

export interface FeatureTensor {
  /** Row-major; null, missing and unavailable values are NaN. */
  readonly data: Float32Array
  readonly rows: number
  readonly columns: number
  /** One per column of the tensor; a vector's are `name[0]`, `name[1]`, ... */
  readonly names: readonly string[]
  /** A `SlotStatus` per row and layout column; empty when all are PRESENT. */
  readonly statuses: Uint8Array
  readonly layout: Layout
}

/** The parts of an answer, still encoded. */
export interface RawAnswer {
  readonly layoutId: string
  readonly layout: Layout | undefined
  readonly vectors: readonly Buffer[]
  readonly tensor: Buffer | undefined
}

export function readAnswer(bytes: Buffer): RawAnswer {
  let layoutId = '0'
  let layout: Layout | undefined
  let tensor: Buffer | undefined
  const vectors: Buffer[] = []
  const reader = new WireReader(bytes)
  while (reader.next()) {
    if (reader.field === 1) {
      reader.readFixed64()
      layoutId = ((BigInt(reader.high) << 32n) | BigInt(reader.low)).toString()
    } else if (reader.field === 2) layout = readLayout(reader.readBytes())
    else if (reader.field === 3) vectors.push(reader.readBytes())
    else if (reader.field === 4) tensor = reader.readBytes()
    else reader.skip()
  }
  return { layoutId, layout, vectors, tensor }
}

function readLayout(bytes: Buffer): Layout {
  const message = decodeMessage<Layout>('Layout', bytes)
  const columns = message.columns.map((column) => ({
    ...column,
    valueType: parseTypeName(column.type) ?? { kind: 'bytes' as const },
  }))
  return { ...message, columns }
}

export function readVector(layout: Layout, bytes: Buffer): FeatureRow {
  const values: Record<string, PlainValue> = {}
  const statuses: Record<string, SlotStatusName> = {}
  const eventTimestamps: Record<string, Date | null> = {}
  const staleViews: string[] = []
  const historyViews: string[] = []
  let statusBytes: Buffer | undefined
  let column = 0
  let view = 0
  const reader = new WireReader(bytes)
  while (reader.next()) {
    if (reader.field === 1) {
      const { name, valueType } = layout.columns[column++]!
      values[name] = toPlain(valueType, decodeValue(valueType, reader.readBytes()))
    } else if (reader.field === 2) statusBytes = reader.readBytes()
    else if (reader.field === 3) {
      for (const micros of readTimestamps(reader)) {
        eventTimestamps[layout.views[view++]!] = micros === 0 ? null : new Date(micros / 1000)
      }
    } else if (reader.field === 4) staleViews.push(...readIndexes(reader).map((index) => layout.views[index]!))
    else if (reader.field === 5) historyViews.push(...readIndexes(reader).map((index) => layout.views[index]!))
    else reader.skip()
  }
  for (const [index, { name }] of layout.columns.entries()) {
    statuses[name] = statusName(statusBytes?.[index] ?? 1) as SlotStatusName
  }
  return { values, statuses, eventTimestamps, staleViews, historyViews }
}

/** Packed or not, as protobuf allows both. */
function readTimestamps(reader: WireReader): number[] {
  if (reader.wireType !== WIRE_LENGTH) {
    reader.readFixed64()
    return [reader.signedNumber()]
  }
  const packed = new WireReader(reader.readBytes())
  const micros: number[] = []
  while (packed.position < packed.end) {
    packed.readFixed64()
    micros.push(packed.signedNumber())
  }
  return micros
}

function readIndexes(reader: WireReader): number[] {
  if (reader.wireType !== WIRE_LENGTH) return [reader.readUint32()]
  const packed = new WireReader(reader.readBytes())
  const indexes: number[] = []
  while (packed.position < packed.end) indexes.push(packed.readUint32())
  return indexes
}

export function readTensor(layout: Layout, bytes: Buffer): FeatureTensor {
  const { rows, columns, data, statuses } = decodeMessage<TensorMessage>('Tensor', bytes)
  // A copy, because a Float32Array must begin at a multiple of four bytes.
  const aligned = new Uint8Array(data.length)
  aligned.set(data)
  return { data: new Float32Array(aligned.buffer), rows, columns, names: tensorNames(layout), statuses, layout }
}

interface TensorMessage {
  readonly rows: number
  readonly columns: number
  readonly data: Buffer
  readonly statuses: Buffer
}

function tensorNames(layout: Layout): string[] {
  return layout.columns.flatMap(({ name, valueType }) =>
    valueType.kind === 'vector'
      ? Array.from({ length: tensorWidth(valueType) }, (_, index) => `${name}[${index}]`)
      : [name],
  )
}
