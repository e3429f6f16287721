/**
 * Outbox rows as columns of a Parquet file: those of the view's table but `write_origin`, which is the same for all of them.
 *
 * Numbers of a row's header and of a key are big-endian with the sign bit flipped, so that bytes compare as they do;
 * Parquet's are little-endian. They are turned round byte by byte and never become a JavaScript number.
 */
import type { KeyType } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import {
  CREATED_OFFSET,
  POSITION_OFFSET,
  ROW_HEADER_BYTES,
  rowFaultAt,
  rowPosition,
  SCHEMA_OFFSET,
  VERSION_END,
  VERSION_OFFSET,
} from '../../domain/row-codec.ts'
import { WireError, WireReader } from '../../lib/wire.ts'
import { RECORD_HEAD_BYTES } from '../row-spool.ts'
import { Column } from './column.ts'
import { type TakeValue, valueTaker } from './take-value.ts'

const SLASH = 0x2f
const STRING_TAG = 0x53
const INT64_TAG = 0x49
const INT64_BYTES = 8
const NO_ROWS = -1
const VALUES_FIELD = 1
/** Flips the sign bit of the first byte. */
const SIGNED = 0x80
const UNSIGNED = 0

export class RowColumns {
  readonly #view: FeatureView
  readonly #keys: readonly { readonly type: KeyType; readonly column: Column }[]
  readonly #features: readonly { readonly name: Buffer; readonly column: Column; readonly take: TakeValue }[]
  readonly #event = scalarColumn('event_timestamp', 'timestamp')
  readonly #created = scalarColumn('created_timestamp', 'timestamp')
  readonly #position = scalarColumn('write_position', 'int64')
  readonly #schemaId = scalarColumn('schema_id', 'int32')
  readonly #missing = new Column({ name: 'missing_features', of: 'string', isList: true })
  /** In the order of the file. */
  readonly all: readonly Column[]
  /** The schema of all rows taken so far; undefined if there are several. */
  schemaOfAll: number | undefined = NO_ROWS
  /** Whether no row taken so far lacks a feature of its schema. */
  areComplete = true

  constructor(view: FeatureView) {
    this.#view = view
    this.#keys = view.joinKeys.map(({ name, type }) => ({ type, column: scalarColumn(name, type) }))
    this.#features = view.features.map(({ name, type }) => {
      const isList = type.kind === 'list' || type.kind === 'vector'
      const of = type.kind === 'list' ? type.of : type.kind === 'vector' ? 'float' : type.kind
      return { name: Buffer.from(name), column: new Column({ name, of, isList }), take: valueTaker(type) }
    })
    const views = [...this.#keys, ...this.#features].map(({ column }) => column)
    this.all = [...views, this.#event, this.#created, this.#position, this.#schemaId, this.#missing]
  }

  get bytes(): number {
    return this.all.reduce((sum, column) => sum + column.bytes, 0)
  }

  /**
   * Takes all rows of a piece of a row spool; gives how many they are. DATA_LOSS for one that is damaged, naming its
   * position; FAILED_PRECONDITION for one of a schema that is not known yet.
   */
  takePiece(piece: Buffer): number {
    const reader = new WireReader(piece)
    let rows = 0
    for (let at = 0; at < piece.length; rows++) {
      const keyFrom = at + RECORD_HEAD_BYTES
      const rowFrom = keyFrom + piece.readUInt32BE(at)
      const rowTo = rowFrom + piece.readUInt32BE(at + 4)
      try {
        this.#takeRow(reader, rowFrom, rowTo)
        this.#takeKey(reader, keyFrom, rowFrom)
      } catch (error) {
        throw this.#located(piece.subarray(rowFrom, rowTo), error)
      }
      at = rowTo
    }
    return rows
  }

  #takeRow(reader: WireReader, from: number, to: number): void {
    const bytes = reader.buffer
    const fault = rowFaultAt(bytes, from, to)
    if (fault !== undefined) throw fault
    const schemaId = bytes.readUInt32BE(from + SCHEMA_OFFSET)
    if (schemaId > this.#view.schemaId) throw this.#unknownSchema(schemaId)
    this.#takeValues(reader, from + ROW_HEADER_BYTES, to, this.#view.schemaFeatureCounts[schemaId - 1])
    takeReversed(this.#event, bytes, from + VERSION_OFFSET, SIGNED)
    takeReversed(this.#created, bytes, from + CREATED_OFFSET, SIGNED)
    takeReversed(this.#position, bytes, from + POSITION_OFFSET, UNSIGNED)
    this.#schemaId.values.pushInt32(schemaId)
    this.#schemaId.scalar()
    if (schemaId !== this.schemaOfAll) this.schemaOfAll = this.schemaOfAll === NO_ROWS ? schemaId : undefined
  }

  #takeValues(reader: WireReader, from: number, to: number, expected: number | undefined): void {
    const missing: Buffer[] = []
    let ordinal = 0
    for (let at = from; at < to; ordinal++) {
      reader.position = at
      reader.end = to
      if (!reader.next() || reader.field !== VALUES_FIELD) throw new WireError(`no value at byte ${at - from}`)
      const length = reader.readLength()
      at = reader.position + length
      const feature = this.#features[ordinal]
      if (feature === undefined) continue
      reader.end = at
      if (length === 0) missing.push(feature.name)
      feature.take(reader, feature.column)
    }
    if (ordinal !== expected) throw new WireError(`${ordinal} values where its schema has ${expected}`)
    for (; ordinal < this.#features.length; ordinal++) this.#features[ordinal]!.column.absent()
    this.#takeMissing(missing)
  }

  #takeMissing(missing: readonly Buffer[]): void {
    if (missing.length === 0) {
      this.#missing.absent()
      return
    }
    this.areComplete = false
    for (const name of missing) this.#missing.values.pushText(name, 0, name.length)
    this.#missing.list(missing.length)
  }

  /** A row key: the view's storage id, a slash, then the join keys as `domain/entity-key.ts` writes them. */
  #takeKey(reader: WireReader, from: number, to: number): void {
    const bytes = reader.buffer
    reader.position = bytes.indexOf(SLASH, from) + 1
    reader.end = to
    for (const { type, column } of this.#keys) {
      const tag = bytes[reader.position++]
      const length = type === 'int64' ? INT64_BYTES : reader.readUint32()
      const at = reader.position
      const end = at + length
      if (tag !== (type === 'int64' ? INT64_TAG : STRING_TAG) || end > to) throw badKey(bytes, from, to)
      if (type === 'int64') takeReversed(column, bytes, at, SIGNED)
      else if (column.values.pushText(bytes, at, end)) column.scalar()
      else throw badKey(bytes, from, to)
      reader.position = end
    }
    if (reader.position !== to) throw badKey(bytes, from, to)
  }

  #unknownSchema(schemaId: number): TwinstoreError {
    const { name, schemaId: last } = this.#view
    return new TwinstoreError(
      'FAILED_PRECONDITION',
      `a row of view ${name} has schema ${schemaId}, these definitions end at ${last}: apply the newer definitions here too`,
    )
  }

  /** What is wrong with a row, with where it is. */
  #located(row: Buffer, error: unknown): unknown {
    const isDamage = error instanceof WireError || (error instanceof TwinstoreError && error.code === 'DATA_LOSS')
    if (!isDamage) return error
    const where = row.length >= VERSION_END ? ` at position ${rowPosition(row)}` : ''
    const what = error instanceof WireError ? `corrupt row: ${error.message}` : error.message
    return new TwinstoreError('DATA_LOSS', `view ${this.#view.name}, outbox row${where}: ${what}`, { cause: error })
  }
}

function scalarColumn(name: string, of: 'timestamp' | 'int64' | 'int32' | 'string'): Column {
  return new Column({ name, of, isList: false })
}

/** The eight big-endian bytes at `from` as a little-endian value of the column. */
function takeReversed(column: Column, bytes: Buffer, from: number, flip: number): void {
  const { values } = column
  values.reserve(INT64_BYTES)
  const { bytes: out, length } = values
  out[length] = bytes[from + 7]!
  out[length + 1] = bytes[from + 6]!
  out[length + 2] = bytes[from + 5]!
  out[length + 3] = bytes[from + 4]!
  out[length + 4] = bytes[from + 3]!
  out[length + 5] = bytes[from + 2]!
  out[length + 6] = bytes[from + 1]!
  out[length + 7] = bytes[from]! ^ flip
  values.length += INT64_BYTES
  column.scalar()
}

function badKey(bytes: Buffer, from: number, to: number): TwinstoreError {
  return new TwinstoreError('DATA_LOSS', `corrupt row key ${bytes.toString('hex', from, to)}`)
}
