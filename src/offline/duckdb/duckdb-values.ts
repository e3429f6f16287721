/** Feature values between their domain form (`domain/value-codec.ts`) and DuckDB's. */
import { DuckDBBlobValue, DuckDBListValue, DuckDBTimestampTZValue, type DuckDBValue } from '@duckdb/node-api'
import { TwinstoreError } from '../../domain/errors.ts'
import { encodeValue, type FeatureValue, type ScalarValue } from '../../domain/value-codec.ts'
import { type ScalarType, typeName, type ValueType } from '../../domain/value-type.ts'

const MICROS_PER_SECOND = 1_000_000n

/** Missing and null are both null in a column; the row's `missing_features` tells them apart. */
export function toDuckdb(type: ValueType, value: FeatureValue | null | undefined): DuckDBValue {
  if (value === null || value === undefined) return null
  if (type.kind !== 'list' && type.kind !== 'vector') return scalarToDuckdb(type.kind, value as ScalarValue)
  const of = type.kind === 'list' ? type.of : 'float'
  return new DuckDBListValue((value as readonly ScalarValue[]).map((item) => scalarToDuckdb(of, item)))
}

function scalarToDuckdb(kind: ScalarType, value: ScalarValue): DuckDBValue {
  if (kind === 'timestamp') return new DuckDBTimestampTZValue(BigInt(value as number) * MICROS_PER_SECOND)
  if (kind === 'bytes') return new DuckDBBlobValue(value as Uint8Array)
  return value as DuckDBValue
}

/** The serialized `Value` of a cell; DATA_LOSS if the cell holds no value of the type. */
export function valueBytes(type: ValueType, cell: DuckDBValue): Buffer {
  const encoded = encodeValue(type, fromDuckdb(type, cell))
  if (typeof encoded !== 'string') return encoded
  throw new TwinstoreError('DATA_LOSS', `an offline value is not a ${typeName(type)}: ${encoded}`)
}

function fromDuckdb(type: ValueType, cell: DuckDBValue): FeatureValue | null {
  if (cell === null) return null
  if (type.kind !== 'list' && type.kind !== 'vector') return scalarFromDuckdb(type.kind, cell)
  const of = type.kind === 'list' ? type.of : 'float'
  return (cell as DuckDBListValue).items.map((item) => scalarFromDuckdb(of, item))
}

function scalarFromDuckdb(kind: ScalarType, cell: DuckDBValue): ScalarValue {
  if (kind === 'timestamp') return Number((cell as DuckDBTimestampTZValue).micros / MICROS_PER_SECOND)
  if (kind === 'bytes') return (cell as DuckDBBlobValue).bytes
  return cell as ScalarValue
}

export function micros(cell: DuckDBValue): number {
  return Number((cell as DuckDBTimestampTZValue).micros)
}
