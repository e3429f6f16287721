/** Columns of a request, encoded in the form that is cheapest for their type. */
import { type Fault, faultsError } from '../domain/errors.ts'
import { encodeValue } from '../domain/value-codec.ts'
import type { ScalarType, ValueType } from '../domain/value-type.ts'
import { lengthField, varintLength, WireReader, writeVarint } from '../lib/wire.ts'
import { fromPlain } from './plain-value.ts'

/** Field of `Column` for a scalar type whose values need no `Value` around each. */
const PLAIN_FIELD: Partial<Record<ScalarType, number>> = { string: 2, int64: 3, double: 4, bool: 5 }
const LIST_FIELD = 6
const STRING_TAG = 0x0a

/** Serialized `Column` messages. A column whose type nobody knows is sent as what its values look like. */
export function encodeColumns(
  columns: ReadonlyMap<string, readonly unknown[]>,
  types: ReadonlyMap<string, ValueType>,
): Buffer[] {
  const faults: Fault[] = []
  const encoded = [...columns].map(([name, values]) => {
    const body = encodeColumn(name, types.get(name) ?? inferredType(values), values, faults)
    return Buffer.concat([lengthField(1, Buffer.from(name)), body])
  })
  if (faults.length > 0)
    throw faultsError('INVALID_ARGUMENT', 'some values do not have the type of their column:', faults)
  return encoded
}

function encodeColumn(name: string, type: ValueType, values: readonly unknown[], faults: Fault[]): Buffer {
  if (type.kind === 'string') {
    const strings = encodeStrings(values)
    if (strings !== undefined) return lengthField(PLAIN_FIELD.string!, strings)
  }
  const plain = PLAIN_FIELD[type.kind as ScalarType]
  if (plain !== undefined && values.every((value) => value !== null && value !== undefined)) {
    const list = encodeValue({ kind: 'list', of: type.kind as ScalarType }, values as string[])
    if (typeof list !== 'string') return lengthField(plain, listBody(list))
  }
  const items = values.map((value, row) => {
    const bytes = encodeValue(type, fromPlain(type, value))
    if (typeof bytes !== 'string') return lengthField(1, bytes)
    faults.push({ at: `${name}, row ${row}`, problem: bytes })
    return Buffer.alloc(0)
  })
  return lengthField(LIST_FIELD, Buffer.concat(items))
}

/**
 * `repeated string val = 1`, in one buffer: keys are mostly strings, and a buffer for each takes twice as long. Undefined if some value is
 * none, which is then looked at one by one.
 */
function encodeStrings(values: readonly unknown[]): Buffer | undefined {
  let size = 0
  for (const value of values) {
    if (typeof value !== 'string' || !value.isWellFormed()) return undefined
    const length = Buffer.byteLength(value)
    size += 1 + varintLength(length) + length
  }
  const out = Buffer.allocUnsafe(size)
  let at = 0
  for (const value of values as readonly string[]) {
    out[at++] = STRING_TAG
    at = writeVarint(out, at, Buffer.byteLength(value))
    at += out.write(value, at)
  }
  return out
}

/** What is inside the list field of a `Value`: a `StringList`, `Int64List`, ... */
function listBody(value: Buffer): Buffer {
  const reader = new WireReader(value)
  reader.next()
  return reader.readBytes()
}

function inferredType(values: readonly unknown[]): ValueType {
  const sample = values.find((value) => value !== null && value !== undefined)
  if (typeof sample === 'bigint') return { kind: 'int64' }
  if (typeof sample === 'boolean') return { kind: 'bool' }
  if (typeof sample === 'number') return { kind: values.every(Number.isInteger) ? 'int64' : 'double' }
  if (sample instanceof Date) return { kind: 'timestamp' }
  return { kind: sample instanceof Uint8Array ? 'bytes' : 'string' }
}

/** The columns of row objects; a column that some rows lack is null there. */
export function rowsToColumns(rows: readonly Readonly<Record<string, unknown>>[]): Map<string, unknown[]> {
  const columns = new Map<string, unknown[]>()
  for (const row of rows) {
    for (const name of Object.keys(row)) if (!columns.has(name)) columns.set(name, [])
  }
  for (const [name, values] of columns) for (const row of rows) values.push(row[name] ?? null)
  return columns
}
