/**
 * The one place where values are converted between JSON and what the service layer takes and gives.
 *
 * | type | JSON |
 * |---|---|
 * | bool | `true`, `false` |
 * | int32 | an integer |
 * | int64 | an integer of any length up to 64 bits, exact; read as a string of digits too |
 * | float, double | a number; `"NaN"`, `"Infinity"`, `"-Infinity"` for what JSON has no number for |
 * | string | a string |
 * | bytes | base64; read in its URL-safe form and without padding too |
 * | timestamp | RFC 3339 in whole seconds, any offset; written in UTC |
 * | list, vector | an array |
 *
 * Null is null. Missing is left out when it is read; when it is written, it is null, and the slot's status tells which it is.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import { type FeatureValue, type ScalarValue, SECONDS_MAX } from '../../domain/value-codec.ts'
import {
  LIST_FIELD,
  NULL_FIELD,
  SCALAR_FIELD,
  type ScalarType,
  typeName,
  type ValueType,
} from '../../domain/value-type.ts'
import { WIRE_LENGTH, type WireReader } from '../../lib/wire.ts'
import type { JsonReader } from './json-reader.ts'
import { parseTimestamp, secondsText } from './timestamp-text.ts'

const INTEGER = /^-?(?:0|[1-9][0-9]*)$/
/** Those of the smallest int64. More are not made a number of: the cost would grow with their square. */
const INT64_CHARS_MAX = 20
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/
const NOT_FINITE: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
])
const MICROS_PER_SECOND = 1_000_000

/** Reads values of known types; a value that is not of its type is skipped, and `problem` says what is wrong with it. */
export class ValueReader {
  readonly #json: JsonReader
  /** Of the last value; undefined if it was as it should be. */
  problem: string | undefined

  constructor(json: JsonReader) {
    this.#json = json
  }

  read(type: ValueType): FeatureValue | null | undefined {
    this.problem = undefined
    const kind = this.#json.kind()
    if (kind === 'null') {
      this.#json.null()
      return null
    }
    if (type.kind !== 'list' && type.kind !== 'vector') return this.#scalar(type.kind)
    if (kind !== 'array') return this.#mismatch(typeName(type))
    return this.#list(type.kind === 'list' ? type.of : 'float')
  }

  /** The items are read to the end, whatever is wrong with one of them: the first problem is told. */
  #list(of: ScalarType): ScalarValue[] {
    const items: ScalarValue[] = []
    let problem: string | undefined
    this.#json.enterArray()
    for (let index = 0; this.#json.nextItem(); index++) {
      this.problem = undefined
      const item = this.#scalar(of)
      if (item !== undefined) items.push(item)
      else problem ??= `item ${index}: ${this.problem}`
    }
    this.problem = problem
    return items
  }

  #scalar(kind: ScalarType): ScalarValue | undefined {
    const json = this.#json
    const given = json.kind()
    switch (kind) {
      case 'bool':
        return given === 'boolean' ? json.boolean() : this.#mismatch(kind)
      case 'int32':
        return given === 'number' ? this.#int32(json.number()) : this.#mismatch(kind)
      case 'int64':
        if (given === 'number') return this.#int64(json.number())
        return given === 'string' ? this.#int64(json.string()) : this.#mismatch(kind)
      case 'float':
      case 'double':
        if (given === 'number') return this.#finite(kind, json.number())
        return given === 'string' ? this.#notFinite(kind, json.string()) : this.#mismatch(kind)
      case 'string':
        return given === 'string' ? json.string() : this.#mismatch(kind)
      case 'bytes':
        return given === 'string' ? this.#bytes(json.string()) : this.#mismatch('bytes, as a base64 string')
      case 'timestamp':
        return given === 'string' ? this.#seconds(json.string()) : this.#mismatch('timestamp, as an RFC 3339 string')
    }
  }

  #int32(text: string): number | undefined {
    const value = Number(text)
    if (!INTEGER.test(text))
      return this.#fail(`expected int32, got ${shown(text)}; write it without fraction and exponent`)
    return value === (value | 0) ? value : this.#fail(`${shown(text)} is outside int32`)
  }

  #int64(text: string): bigint | undefined {
    if (!INTEGER.test(text)) {
      return this.#fail(`expected int64, got ${shown(text)}; write it in digits, without fraction and exponent`)
    }
    const value = text.length <= INT64_CHARS_MAX ? BigInt(text) : undefined
    return value !== undefined && BigInt.asIntN(64, value) === value
      ? value
      : this.#fail(`${shown(text)} is outside int64`)
  }

  #finite(kind: 'float' | 'double', text: string): number | undefined {
    const value = Number(text)
    const stored = kind === 'float' ? Math.fround(value) : value
    return Number.isFinite(stored) ? value : this.#fail(`${shown(text)} is outside ${kind}`)
  }

  #notFinite(kind: 'float' | 'double', text: string): number | undefined {
    const value = NOT_FINITE.get(text)
    return (
      value ??
      this.#fail(`expected ${kind}, got string ${shown(text)}; as strings there are NaN, Infinity and -Infinity`)
    )
  }

  #bytes(text: string): Buffer | undefined {
    // What is left over of groups of four is two or three characters; padding, where it is given, fills the last group up.
    const { length } = text.replace(/=+$/, '')
    const isWhole = BASE64.test(text) && length % 4 !== 1 && (length === text.length || text.length % 4 === 0)
    return isWhole
      ? Buffer.from(text, 'base64')
      : this.#fail(`expected bytes, got a string that is not base64: ${shown(text)}`)
  }

  #seconds(text: string): number | undefined {
    const micros = parseTimestamp(text)
    if (micros === undefined) {
      return this.#fail(`expected timestamp, got ${shown(text)}; write it as 2026-11-22T04:38:03Z (RFC 3339)`)
    }
    const seconds = micros / MICROS_PER_SECOND
    if (!Number.isInteger(seconds)) return this.#fail(`timestamps are in whole seconds, which ${shown(text)} is not`)
    return Math.abs(seconds) > SECONDS_MAX ? this.#fail(`${shown(text)} is outside the supported range`) : seconds
  }

  #mismatch(expected: string): undefined {
    return this.#fail(`expected ${expected}, got ${this.#json.skipped()}`)
  }

  #fail(problem: string): undefined {
    this.problem = problem
  }
}

const SHOWN_LENGTH_MAX = 40

function shown(text: string): string {
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}...` : text
}

const SCALAR_OF_FIELD: readonly (ScalarType | undefined)[] = fieldTable(SCALAR_FIELD)
const ITEM_OF_FIELD: readonly (ScalarType | undefined)[] = fieldTable(LIST_FIELD)

function fieldTable(fields: Readonly<Record<ScalarType, number>>): (ScalarType | undefined)[] {
  const table = new Array<ScalarType | undefined>(NULL_FIELD + 1).fill(undefined)
  for (const [kind, field] of Object.entries(fields)) table[field] = kind as ScalarType
  return table
}

/**
 * The JSON of the serialized `Value` that `reader` is bounded to. Its field says its type, so that no layout is needed. DATA_LOSS if the
 * bytes are no such message.
 */
export function valueJson(reader: WireReader): string {
  if (!reader.next()) return 'null'
  const { field, end } = reader
  const scalar = SCALAR_OF_FIELD[field]
  if (scalar !== undefined) return scalarJson(scalar, reader)
  if (field === NULL_FIELD) return 'null'
  const item = ITEM_OF_FIELD[field]
  if (item === undefined)
    throw new TwinstoreError('DATA_LOSS', `a value with field ${field} is of no type that is known`)
  reader.end = reader.readLength() + reader.position
  const text = listJson(item, reader)
  reader.end = end
  return text
}

/** Of a message `repeated T val = 1`, packed or not. */
function listJson(of: ScalarType, reader: WireReader): string {
  let text = '['
  while (reader.next()) {
    if (of === 'string' || of === 'bytes' || reader.wireType !== WIRE_LENGTH) {
      text += `${text.length > 1 ? ',' : ''}${scalarJson(of, reader)}`
      continue
    }
    const packedEnd = reader.readLength() + reader.position
    while (reader.position < packedEnd) text += `${text.length > 1 ? ',' : ''}${scalarJson(of, reader)}`
  }
  return `${text}]`
}

function scalarJson(kind: ScalarType, reader: WireReader): string {
  switch (kind) {
    case 'bool':
      reader.readVarint64()
      return (reader.low | reader.high) === 0 ? 'false' : 'true'
    case 'int32':
      reader.readVarint64()
      return String(reader.low | 0)
    case 'int64': {
      reader.readVarint64()
      const value = reader.signedNumber()
      return Number.isSafeInteger(value) ? String(value) : String(reader.signedBigInt())
    }
    case 'timestamp':
      reader.readVarint64()
      return `"${secondsText(reader.signedNumber())}"`
    case 'float':
      return numberJson(reader.readFloat())
    case 'double':
      return numberJson(reader.readDouble())
    case 'string':
      return JSON.stringify(reader.readString())
    case 'bytes':
      return `"${reader.readBytes().toString('base64')}"`
  }
}

/** A float is written as the double it is, with all of its digits: what is read back is the same float. */
function numberJson(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`
  return Object.is(value, -0) ? '-0' : String(value)
}
