/**
 * Rows of a write request, checked and encoded for the stores in one pass over the request's bytes.
 *
 * A fault never stops the check of the others: what comes out is either every row or the list of faults. Values that
 * already are canonical (`canonical-bytes.ts`) are copied once, from the request into the row (`row-body.ts`).
 */
import { type EntityKey, int64KeyPart, rowKey, stringKeyPart } from '../domain/entity-key.ts'
import { type FeatureView, storageId } from '../domain/registry.ts'
import { isGap, isNull, NULL_VALUE, ROW_HEADER_BYTES, writeRowHeader } from '../domain/row-codec.ts'
import { canonicalValue } from '../domain/value-codec.ts'
import { typeName, type ValueType } from '../domain/value-type.ts'
import { EVENT_MICROS_MAX, EVENT_MICROS_MIN, NO_POSITION } from '../domain/version.ts'
import { WIRE_LENGTH, WIRE_VARINT, WireError, WireReader } from '../lib/wire.ts'
import type { WorkTurn } from '../lib/work-turns.ts'
import type { RowWrite } from '../online/online-store.ts'
import { isCanonical, payloadStart } from './canonical-bytes.ts'
import type { ColumnTarget } from './column-plan.ts'
import type { FaultList } from './fault-list.ts'
import { fieldBytes, RowBody } from './row-body.ts'
import { RowMemory } from './row-memory.ts'
import type { WriteLimits } from './write-limits.ts'
import { ROW_FIELD, type WriteRequest } from './write-request.ts'

/** The latest event timestamp a request may give, and the one that stands in for an absent one. */
interface EventTimes {
  readonly nowMicros: number
  readonly maxMicros: number
}

/** What the check of one row has found so far; reused from row to row. */
interface RowParts {
  readonly keyParts: string[]
  readonly body: RowBody
  /** Rows of the request that are still to be encoded, this one among them. */
  rowsLeft: number
  valueCount: number
  eventMicros: number
}

export class RowEncoder {
  readonly #view: FeatureView
  readonly #targets: readonly ColumnTarget[]
  readonly #limits: WriteLimits
  readonly #faults: FaultList
  readonly #storageId: string
  readonly #times: EventTimes
  readonly #memory = new RowMemory()

  constructor(
    view: FeatureView,
    targets: readonly ColumnTarget[],
    limits: WriteLimits,
    nowMicros: number,
    faults: FaultList,
  ) {
    this.#view = view
    this.#targets = targets
    this.#limits = limits
    this.#faults = faults
    this.#storageId = storageId(view)
    this.#times = { nowMicros, maxMicros: Math.min(EVENT_MICROS_MAX, nowMicros + limits.eventAheadMsMax * 1000) }
  }

  /** The encoded rows, in order; of no use once `faults` holds any. A large request takes several turns. */
  async encode(request: WriteRequest, turn: WorkTurn): Promise<RowWrite[]> {
    const reader = new WireReader(request.bytes)
    const rows: RowWrite[] = []
    const parts: RowParts = {
      keyParts: [],
      body: new RowBody(this.#view.features.length),
      rowsLeft: request.rowSpans.length / 2,
      valueCount: 0,
      eventMicros: 0,
    }
    for (let at = 0; at < request.rowSpans.length && !this.#faults.full; at += 2) {
      if (turn.isOver) await turn.next()
      reader.position = request.rowSpans[at]!
      reader.end = request.rowSpans[at + 1]!
      const row = this.#encodeRow(reader, at / 2, parts)
      parts.rowsLeft--
      if (row !== undefined) rows.push(row)
    }
    return rows
  }

  #encodeRow(reader: WireReader, index: number, parts: RowParts): RowWrite | undefined {
    const faultsBefore = this.#faults.count
    parts.keyParts.length = 0
    parts.body.clear()
    parts.valueCount = 0
    parts.eventMicros = this.#times.nowMicros
    try {
      this.#readFields(reader, index, parts)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#faults.add(`rows[${index}]`, `not a WriteRow: ${error.message}`)
    }
    if (parts.valueCount !== this.#targets.length) {
      // With a value too many or too few the rest stand under the wrong columns; their faults would mislead.
      this.#faults.truncate(faultsBefore)
      this.#faults.add(`rows[${index}]`, `${parts.valueCount} values for ${this.#targets.length} columns`)
    }
    if (this.#faults.count > faultsBefore) return undefined
    return this.#finishRow(reader.buffer, index, parts)
  }

  #readFields(reader: WireReader, index: number, parts: RowParts): void {
    for (;;) {
      const fieldStart = reader.position
      if (!reader.next()) return
      if (reader.field === ROW_FIELD.values && reader.wireType === WIRE_LENGTH) {
        const length = reader.readLength()
        const start = reader.position
        reader.position += length
        const target = this.#targets[parts.valueCount++]
        if (target !== undefined)
          this.#takeValue(reader.buffer, fieldStart, start, start + length, target, index, parts)
      } else if (reader.field === ROW_FIELD.eventMicros && reader.wireType === WIRE_VARINT) {
        reader.readVarint64()
        parts.eventMicros = reader.signedNumber()
        this.#checkEventMicros(parts.eventMicros, index)
      } else reader.skip()
    }
  }

  #takeValue(
    buffer: Buffer,
    fieldStart: number,
    start: number,
    end: number,
    target: ColumnTarget,
    index: number,
    parts: RowParts,
  ): void {
    if (target.kind === 'unknown') return
    const { valueBytesMax } = this.#limits
    if (end - start > valueBytesMax) {
      const problem = `the value has ${end - start} bytes, more than ${valueBytesMax} (option value-bytes-max)`
      this.#faults.add(`rows[${index}].${target.name}`, problem)
      return
    }
    const isFeature = target.kind === 'feature'
    const isPresent = isCanonical(target.type, buffer, start, end)
    if (isFeature && end - fieldStart === fieldBytes(end - start) && (isPresent || isGapAt(buffer, start, end))) {
      parts.body.takeField(target.ordinal, fieldStart, end, isPresent)
      return
    }
    const bytes = buffer.subarray(start, end)
    const value = isPresent ? bytes : canonicalValue(target.type, bytes, isFeature && target.allowNaN)
    if (typeof value === 'string') this.#faults.add(`rows[${index}].${target.name}`, value)
    else if (isFeature) parts.body.setValue(target.ordinal, value)
    else if (isGap(value)) this.#faults.add(`rows[${index}].${target.name}`, missingKey(target.type, value))
    else parts.keyParts[target.index] = keyPartOf(target.type, value)
  }

  #checkEventMicros(micros: number, index: number): void {
    const at = `rows[${index}].event_timestamp_micros`
    if (micros < EVENT_MICROS_MIN || micros > EVENT_MICROS_MAX) {
      this.#faults.add(at, `${micros} is not a time between the years 1700 and 2250 in microseconds since 1970`)
    } else if (micros > this.#times.maxMicros) {
      const ahead = Math.round((micros - this.#times.nowMicros) / 1_000_000)
      const max = this.#limits.eventAheadMsMax / 1000
      this.#faults.add(
        at,
        `${iso(micros)} is ${ahead} s ahead of the server, more than ${max} s (option event-time-ahead-max)`,
      )
    }
  }

  #finishRow(request: Buffer, index: number, parts: RowParts): RowWrite | undefined {
    const { entityKeyBytesMax, rowBytesMax } = this.#limits
    const key = parts.keyParts.join('') as EntityKey
    if (key.length > entityKeyBytesMax) {
      const problem = `the entity key takes ${key.length} bytes, more than ${entityKeyBytesMax} (option entity-key-bytes-max)`
      this.#faults.add(`rows[${index}]`, problem)
      return undefined
    }
    const { body } = parts
    const length = ROW_HEADER_BYTES + body.length
    if (length > rowBytesMax) {
      this.#faults.add(
        `rows[${index}]`,
        `the row takes ${length} bytes, more than ${rowBytesMax} (option row-bytes-max)`,
      )
      return undefined
    }
    const row = this.#memory.take(length, parts.rowsLeft)
    body.writeTo(row, ROW_HEADER_BYTES, request)
    const { schemaId } = this.#view
    const { eventMicros } = parts
    const createdMicros = this.#times.nowMicros
    writeRowHeader(row, { schemaId, eventMicros, createdMicros, position: NO_POSITION }, body.hasGaps)
    return { key: rowKey(this.#storageId, key), row }
  }
}

/** Whether these bytes of a request are a missing value, or null. */
function isGapAt(buffer: Buffer, start: number, end: number): boolean {
  return end === start || (end - start === NULL_VALUE.length && isNull(buffer.subarray(start, end)))
}

function missingKey(type: ValueType, value: Buffer): string {
  return `a join key (${typeName(type)}) must have a value, got ${value.length === 0 ? 'an unset value' : 'null'}`
}

/** The key part of a canonical, present string or int64 value. */
function keyPartOf(type: ValueType, value: Buffer): string {
  if (type.kind === 'string') return stringKeyPart(value.toString('latin1', payloadStart(value, 1, value.length)))
  const reader = new WireReader(value, 1)
  reader.readVarint64()
  return int64KeyPart(reader.high, reader.low)
}

function iso(micros: number): string {
  return new Date(micros / 1000).toISOString()
}
