/**
 * Arrow columns grown value by value into typed arrays, which become the buffers of a record batch as they are. The
 * library's own builders were not used: their null handling compares every value with a list of null values.
 */
import { DuckDBBlobValue, type DuckDBListValue, type DuckDBValue } from '@duckdb/node-api'
import {
  Binary,
  Bool,
  BufferType,
  Data,
  type DataType,
  DateDay,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  TimestampMicrosecond,
  Utf8,
} from 'apache-arrow'
import { itemType } from './portable-columns.ts'

export interface ArrowColumn {
  readonly type: DataType
  push(value: DuckDBValue): void
  /** The values pushed since the last call. */
  take(): Data
}

/** A column for a portable DuckDB type; timestamps are pushed as bigint microseconds and dates as days since 1970. */
export function arrowColumn(duckdbType: string): ArrowColumn {
  const item = itemType(duckdbType)
  if (item !== undefined) return listColumn(arrowColumn(item))
  switch (duckdbType) {
    case 'BOOLEAN':
      return boolColumn()
    case 'INTEGER':
      return fixedColumn(new Int32(), (size) => new Int32Array(size))
    case 'DATE':
      return fixedColumn(new DateDay(), (size) => new Int32Array(size))
    case 'BIGINT':
      return fixedColumn(new Int64(), (size) => new BigInt64Array(size))
    case 'TIMESTAMP':
      return fixedColumn(new TimestampMicrosecond(), (size) => new BigInt64Array(size))
    case 'TIMESTAMP WITH TIME ZONE':
      return fixedColumn(new TimestampMicrosecond('UTC'), (size) => new BigInt64Array(size))
    case 'FLOAT':
      return fixedColumn(new Float32(), (size) => new Float32Array(size))
    case 'DOUBLE':
      return fixedColumn(new Float64(), (size) => new Float64Array(size))
    case 'BLOB':
      return bytesColumn(new Binary())
    default:
      return bytesColumn(new Utf8())
  }
}

const INITIAL_VALUES = 1024

/** The nulls of a column as Arrow's bitmap: a set bit is a value. */
function createValidity() {
  let bits = new Uint8Array(INITIAL_VALUES / 8)
  let length = 0
  let nulls = 0
  return {
    push(valid: boolean): void {
      if (length >> 3 >= bits.length) bits = grown(bits, new Uint8Array(bits.length * 2))
      if (valid) bits[length >> 3]! |= 1 << (length & 7)
      else nulls++
      length++
    },
    take() {
      const taken = {
        length,
        nullCount: nulls,
        nullBitmap: nulls === 0 ? new Uint8Array(0) : bits.slice(0, (length + 7) >> 3),
      }
      bits = new Uint8Array(bits.length)
      length = 0
      nulls = 0
      return taken
    },
  }
}

type FixedArray = Int32Array | BigInt64Array | Float32Array | Float64Array

function fixedColumn(type: DataType, allocate: (size: number) => FixedArray): ArrowColumn {
  const validity = createValidity()
  let values = allocate(INITIAL_VALUES)
  let length = 0
  return {
    type,
    push(value) {
      if (length === values.length) values = grown(values, allocate(length * 2))
      if (value !== null) values[length] = value as never
      validity.push(value !== null)
      length++
    },
    take() {
      const data = values.slice(0, length)
      values = allocate(values.length)
      length = 0
      const { length: count, nullCount, nullBitmap } = validity.take()
      return new Data(type, 0, count, nullCount, { [BufferType.DATA]: data, [BufferType.VALIDITY]: nullBitmap })
    },
  }
}

function boolColumn(): ArrowColumn {
  const type = new Bool()
  const validity = createValidity()
  const values = createValidity()
  return {
    type,
    push(value) {
      values.push(value === true)
      validity.push(value !== null)
    },
    take() {
      const { length, nullCount, nullBitmap } = values.take()
      const data = nullCount === 0 ? new Uint8Array((length + 7) >> 3).fill(0xff) : nullBitmap
      return makeData({ type, data, ...validity.take() })
    },
  }
}

function createOffsets() {
  let offsets = new Int32Array(INITIAL_VALUES + 1)
  let length = 0
  return {
    push(end: number): void {
      if (length + 1 === offsets.length) offsets = grown(offsets, new Int32Array(offsets.length * 2))
      offsets[++length] = end
    },
    take(): Int32Array {
      const taken = offsets.slice(0, length + 1)
      offsets = new Int32Array(offsets.length)
      length = 0
      return taken
    },
  }
}

function bytesColumn(type: Utf8 | Binary): ArrowColumn {
  const validity = createValidity()
  const offsets = createOffsets()
  let bytes = Buffer.alloc(INITIAL_VALUES * 16)
  let end = 0
  const reserve = (size: number) => {
    if (end + size > bytes.length) bytes = grown(bytes, Buffer.alloc(Math.max(bytes.length * 2, end + size)))
  }
  return {
    type,
    push(value) {
      if (value instanceof DuckDBBlobValue) {
        reserve(value.bytes.length)
        bytes.set(value.bytes, end)
        end += value.bytes.length
      } else if (value !== null) {
        const text = String(value)
        // No UTF-16 unit takes more than three bytes in UTF-8.
        reserve(text.length * 3)
        end += bytes.write(text, end)
      }
      offsets.push(end)
      validity.push(value !== null)
    },
    take() {
      const data = Uint8Array.prototype.slice.call(bytes, 0, end)
      end = 0
      const parts = { data, valueOffsets: offsets.take(), ...validity.take() }
      return type instanceof Utf8 ? makeData({ type, ...parts }) : makeData({ type, ...parts })
    },
  }
}

function listColumn(items: ArrowColumn): ArrowColumn {
  const type = new List(new Field('item', items.type, true))
  const validity = createValidity()
  const offsets = createOffsets()
  let end = 0
  return {
    type,
    push(value) {
      if (value !== null) {
        const list = (value as DuckDBListValue).items
        for (const item of list) items.push(item)
        end += list.length
      }
      offsets.push(end)
      validity.push(value !== null)
    },
    take() {
      end = 0
      return makeData({ type, child: items.take(), valueOffsets: offsets.take(), ...validity.take() })
    },
  }
}

function grown<T extends Uint8Array | FixedArray>(from: T, to: T): T {
  to.set(from as never)
  return to
}
