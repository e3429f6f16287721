/** A request feature's column as what computations get. */
import { isUtf8 } from 'node:buffer'
import { TwinstoreError } from '../domain/errors.ts'
import { toComputeValue } from '../domain/on-demand.ts'
import { canonicalValue, decodeValue } from '../domain/value-codec.ts'
import { type ScalarType, typeName } from '../domain/value-type.ts'
import type { WireReader } from '../lib/wire.ts'
import { type ColumnForm, eachItem, type Form } from './column-form.ts'
import type { RequestFeature } from './plan.ts'

/** The forms other than `list` that a type may come in. */
const FORM_OF: Readonly<Partial<Record<ScalarType, Form>>> = {
  string: 'strings',
  int64: 'int64s',
  int32: 'int64s',
  timestamp: 'int64s',
  double: 'doubles',
  float: 'doubles',
  bool: 'bools',
}

/** Seconds that a `Date` can hold. */
const DATE_SECONDS_MAX = 8.64e12

type Report = (index: number, problem: string) => void

/** One value per entity row, at most `countMax`; undefined where the value is missing. Faults as for `readKeyColumn`. */
export function readFeatureValues(
  column: ColumnForm,
  feature: RequestFeature,
  countMax: number,
  onFault: Report,
): unknown[] {
  const values: unknown[] = []
  const { kind } = feature.type
  const expectedForm = kind === 'list' || kind === 'vector' ? undefined : FORM_OF[kind]
  if (column.form === 'list') {
    eachItem(column, countMax, (reader, index) => {
      values.push(listedValue(feature, reader.readBytes(), (problem) => onFault(index, problem)))
    })
  } else if (column.form === expectedForm) {
    eachItem(column, countMax, (reader, index) => {
      values.push(bareValue(kind as ScalarType, feature, reader, (problem) => onFault(index, problem)))
    })
  } else if (column.form !== 'none') {
    const forms = expectedForm === undefined ? 'list' : `${expectedForm} or list`
    onFault(-1, `expected ${typeName(feature.type)} (as ${forms}), got ${column.form}`)
  }
  return values
}

function listedValue(feature: RequestFeature, value: Buffer, onFault: (problem: string) => void): unknown {
  const canonical = canonicalValue(feature.type, value, feature.allowNaN)
  if (typeof canonical === 'string') {
    onFault(canonical)
    return undefined
  }
  const decoded = decodeValue(feature.type, canonical)
  if (decoded === undefined) {
    if (feature.isRequired) onFault('missing, and the feature has no default')
    return undefined
  }
  try {
    return toComputeValue(feature.type, decoded)
  } catch (error) {
    if (!(error instanceof TwinstoreError)) throw error
    onFault(error.message)
    return undefined
  }
}

function bareValue(
  kind: ScalarType,
  feature: RequestFeature,
  reader: WireReader,
  onFault: (problem: string) => void,
): unknown {
  switch (kind) {
    case 'double':
    case 'float': {
      const value = reader.readDouble()
      if (!Number.isFinite(value) && !feature.allowNaN) onFault(`${value} is not allowed`)
      return kind === 'float' ? Math.fround(value) : value
    }
    case 'bool':
      reader.readVarint64()
      return (reader.low | reader.high) !== 0
    case 'int32':
      reader.readVarint64()
      if (reader.signedNumber() !== (reader.low | 0)) onFault(`${reader.signedBigInt()} is outside int32`)
      return reader.low | 0
    case 'timestamp':
      reader.readVarint64()
      if (Math.abs(reader.signedNumber()) > DATE_SECONDS_MAX)
        onFault(`${reader.signedBigInt()} seconds is out of range`)
      return new Date(reader.signedNumber() * 1000)
    case 'int64':
      reader.readVarint64()
      if (!Number.isSafeInteger(reader.signedNumber())) {
        onFault(`int64 ${reader.signedBigInt()} is beyond 2^53 and cannot enter a computation exactly`)
      }
      return reader.signedNumber()
    default: {
      const bytes = reader.readBytes()
      if (!isUtf8(bytes)) onFault('not UTF-8')
      return bytes.toString('utf8')
    }
  }
}
