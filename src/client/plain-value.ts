/** Feature values as people write and read them in JavaScript, and as the codec has them. */
import type { FeatureValue, ScalarValue } from '../domain/value-codec.ts'
import type { ScalarType, ValueType } from '../domain/value-type.ts'

export type PlainScalar = boolean | number | bigint | string | Date | Buffer
export type PlainValue = PlainScalar | readonly PlainScalar[] | null

/** A timestamp becomes a `Date`, bytes a `Buffer`; null and missing become null. */
export function toPlain(type: ValueType, value: FeatureValue | null | undefined): PlainValue {
  if (value === undefined || value === null) return null
  if (type.kind === 'list') return (value as readonly ScalarValue[]).map((item) => scalarToPlain(type.of, item))
  if (type.kind === 'vector') return value as readonly number[]
  return scalarToPlain(type.kind, value as ScalarValue)
}

function scalarToPlain(kind: ScalarType, value: ScalarValue): PlainScalar {
  return kind === 'timestamp' ? new Date((value as number) * 1000) : (value as PlainScalar)
}

/**
 * What the codec takes, which checks the type: a `Date` becomes whole seconds (rounded down), a typed array a list.
 * Anything else is passed on as it is.
 */
export function fromPlain(type: ValueType, value: unknown): FeatureValue | null | undefined {
  if (value === undefined || value === null) return value
  if (type.kind === 'list' || type.kind === 'vector') {
    const items = ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as Float32Array) : value
    const of = type.kind === 'list' ? type.of : 'float'
    return Array.isArray(items) ? items.map((item) => scalarFromPlain(of, item)) : (items as FeatureValue)
  }
  return scalarFromPlain(type.kind, value)
}

function scalarFromPlain(kind: ScalarType, value: unknown): ScalarValue {
  if (kind === 'timestamp' && value instanceof Date) return Math.floor(value.getTime() / 1000)
  return value as ScalarValue
}
