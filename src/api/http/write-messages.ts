/** The body of a write as `WriteFeaturesRequest` bytes, and `WriteFeaturesResponse` bytes as JSON. */
import { setImmediate as immediate } from 'node:timers/promises'
import { TwinstoreError } from '../../domain/errors.ts'
import { viewNamed } from '../../domain/known-names.ts'
import type { WriteStatus } from '../../domain/outcome.ts'
import type { FeatureView, Registry } from '../../domain/registry.ts'
import { MISSING_VALUE } from '../../domain/row-codec.ts'
import { encodeValue } from '../../domain/value-codec.ts'
import type { ValueType } from '../../domain/value-type.ts'
import { knownNames, quotedName } from '../../lib/nearest-name.ts'
import { lengthField, varint64Bytes, varintField, WireReader } from '../../lib/wire.ts'
import { FaultList } from '../../writing/fault-list.ts'
import { ACK_BOTH, REQUEST_FIELD, ROW_FIELD } from '../../writing/write-request.ts'
import type { JsonReader } from './json-reader.ts'
import { jsonReader, Members } from './request-body.ts'
import { parseTimestamp } from './timestamp-text.ts'
import { ValueReader } from './value-json.ts'

const MEMBERS = ['view', 'rows', 'ack', 'write_id'] as const
const ACKS = ['ONLINE', 'BOTH'] as const
const TIME = 'event_timestamp'
const EVENT_MICROS_TAG = Buffer.from([ROW_FIELD.eventMicros << 3])
const MISSING_FIELD = lengthField(ROW_FIELD.values, MISSING_VALUE)
/** About 2 ms of work. */
const SLICE_CHARS = 100_000

/** INVALID_ARGUMENT with every fault by row and name; what the values themselves may be is checked where all writes are. */
export async function readWriteRequest(body: Buffer, registry: Registry): Promise<Buffer> {
  const members = new Members(jsonReader(body), MEMBERS)
  const name = members.string('view')
  if (name === undefined) throw new TwinstoreError('INVALID_ARGUMENT', 'view: not given; the name of a feature view')
  const view = viewNamed(registry, name)
  const json = members.at('rows')
  if (json === undefined) throw new TwinstoreError('INVALID_ARGUMENT', 'rows: not given; a list of objects')
  if (json.kind() !== 'array') members.refuse('rows', 'an array of rows')
  const { columns, rows } = await new RowsReader(json, view).read()
  const ack = members.choice('ack', ACKS)
  const writeId = members.string('write_id')
  members.end()
  return Buffer.concat([
    lengthField(REQUEST_FIELD.view, Buffer.from(name)),
    ...columns.map((column) => lengthField(REQUEST_FIELD.columns, Buffer.from(column))),
    ...rows,
    ...(ack === 'BOTH' ? [varintField(REQUEST_FIELD.ack, ACK_BOTH)] : []),
    ...(writeId === undefined ? [] : [lengthField(REQUEST_FIELD.writeId, Buffer.from(writeId))]),
  ])
}

interface EncodedRows {
  readonly columns: readonly string[]
  /** `repeated WriteRow rows`, field by field. */
  readonly rows: readonly Buffer[]
}

interface Column {
  readonly type: ValueType
  /** Its place in a row's values; -1 while no row has given it. */
  place: number
}

/**
 * Rows are objects, whose names may differ; a message has the same columns for all of its rows. The columns are those of the first
 * row, in the order of the view: a retry that writes its members in another order is the same write. If a later row gives
 * another one, all rows are read once more, with the columns of all.
 */
class RowsReader {
  readonly #json: JsonReader
  readonly #view: FeatureView
  readonly #values: ValueReader
  readonly #columns = new Map<string, Column>()
  readonly #given = new Set<string>()
  #faults = new FaultList()

  constructor(json: JsonReader, view: FeatureView) {
    this.#json = json
    this.#view = view
    this.#values = new ValueReader(json)
    for (const { name, type } of view.joinKeys) this.#columns.set(name, { type: { kind: type }, place: -1 })
    for (const { name, type } of view.features) this.#columns.set(name, { type, place: -1 })
  }

  async read(): Promise<EncodedRows> {
    const begin = this.#json.position
    // The first pass finds the columns of the first row, each further one those that the pass before it has met.
    for (;;) {
      const columns = this.#placeColumns()
      const rows = await this.#pass(columns.length)
      if (this.#given.size === columns.length) {
        if (this.#faults.count > 0) throw this.#faults.error(`nothing was written to ${this.#view.name}:`)
        return { columns, rows }
      }
      this.#faults = new FaultList()
      this.#json.position = begin
    }
  }

  #placeColumns(): string[] {
    const names: string[] = []
    for (const [name, column] of this.#columns) column.place = this.#given.has(name) ? names.push(name) - 1 : -1
    return names
  }

  /** Stops after the first row while there are no columns. */
  async #pass(columnCount: number): Promise<Buffer[]> {
    const rows: Buffer[] = []
    let yieldedAt = this.#json.position
    this.#json.enterArray()
    while (this.#json.nextItem()) {
      if (this.#json.position - yieldedAt > SLICE_CHARS) {
        await immediate()
        yieldedAt = this.#json.position
      }
      if (this.#json.kind() === 'object') rows.push(this.#row(rows.length, columnCount))
      else {
        this.#faults.add(`rows[${rows.length}]`, `expected an object, got ${this.#json.skipped()}`)
        rows.push(MISSING_VALUE)
      }
      if (columnCount === 0 && this.#given.size > 0) return rows
    }
    return rows
  }

  #row(row: number, columnCount: number): Buffer {
    const fields = new Array<Buffer>(columnCount).fill(MISSING_FIELD)
    let eventMicros: number | undefined
    this.#json.enterObject()
    for (let name = this.#json.nextName(); name !== undefined; name = this.#json.nextName()) {
      const column = this.#columns.get(name)
      if (column === undefined && name === TIME) {
        if (eventMicros !== undefined) this.#faults.add(`rows[${row}].${TIME}`, 'given twice')
        eventMicros = this.#eventMicros(row)
      } else if (column === undefined) this.#unknown(row, name)
      else if (column.place < 0) {
        this.#given.add(name)
        this.#json.skip()
      } else {
        if (fields[column.place] !== MISSING_FIELD) this.#faults.add(`rows[${row}].${name}`, 'given twice')
        fields[column.place] = this.#field(column.type, row, name)
      }
    }
    if (eventMicros !== undefined) fields.push(EVENT_MICROS_TAG, varint64Bytes(BigInt(eventMicros)))
    return lengthField(REQUEST_FIELD.rows, Buffer.concat(fields))
  }

  #field(type: ValueType, row: number, name: string): Buffer {
    const value = this.#values.read(type)
    const bytes = this.#values.problem ?? encodeValue(type, value)
    if (typeof bytes !== 'string') return lengthField(ROW_FIELD.values, bytes)
    this.#faults.add(`rows[${row}].${name}`, bytes)
    return Buffer.from(MISSING_FIELD)
  }

  #eventMicros(row: number): number {
    const isText = this.#json.kind() === 'string'
    const text = isText ? this.#json.string() : this.#json.skipped()
    const micros = isText ? parseTimestamp(text) : undefined
    if (micros !== undefined) return micros
    const wanted = 'expected a time such as 2026-11-22T04:38:03.679Z (RFC 3339, to the microsecond)'
    this.#faults.add(`rows[${row}].${TIME}`, `${wanted}, got ${text.slice(0, 40)}`)
    return 0
  }

  #unknown(row: number, name: string): void {
    const known = this.#faults.full ? [] : [...this.#columns.keys(), TIME]
    const problem = `view ${this.#view.name} has no join key or feature ${quotedName(name)}${knownNames(name, known)}`
    this.#faults.add(`rows[${row}]`, problem)
    this.#json.skip()
  }
}

const WRITE_STATUS: readonly (WriteStatus | undefined)[] = [undefined, 'APPLIED', 'SUPERSEDED', 'HISTORY_ONLY']

export function writeAnswerJson(bytes: Buffer): string {
  const reader = new WireReader(bytes)
  const outcomes: string[] = []
  while (reader.next()) outcomes.push(outcomeJson(reader.readBytes()))
  return `{"outcomes":[${outcomes.join(',')}]}`
}

function outcomeJson(bytes: Buffer): string {
  const reader = new WireReader(bytes)
  let status = 0
  let position = 0n
  while (reader.next()) {
    reader.readVarint64()
    if (reader.field === 1) status = reader.low
    else if (reader.field === 2) position = reader.signedBigInt()
  }
  return `{"status":"${WRITE_STATUS[status]}","position":${position}}`
}
