/** A feature's default as the user wrote it, turned into its JSON form. */
import type { DefaultValue } from '../../domain/registry.ts'
import { encodeValue, type FeatureValue, type ScalarValue } from '../../domain/value-codec.ts'
import type { ScalarType, ValueType } from '../../domain/value-type.ts'
import type { FaultScope } from './fault-scope.ts'
import { DEFAULT_LENGTH_MAX } from './limits.ts'

/** Undefined, and a fault, if `raw` is not a value of the type. */
export function readDefault(scope: FaultScope, type: ValueType, raw: unknown): DefaultValue | undefined {
  if (raw === null) {
    scope.add('a default stands in for a missing value and cannot be null; leave it out')
    return undefined
  }
  const value = domainValue(type, raw)
  const encoded = encodeValue(type, value)
  if (typeof encoded === 'string') {
    scope.add(encoded)
    return undefined
  }
  if (hasNonFinite(value)) {
    scope.add('a default must be a finite number')
    return undefined
  }
  if (encoded.length > DEFAULT_LENGTH_MAX) {
    scope.add(`the default takes ${encoded.length} bytes; at most ${DEFAULT_LENGTH_MAX}`)
    return undefined
  }
  return Array.isArray(value) ? value.map(jsonScalar) : jsonScalar(value as ScalarValue)
}

function domainValue(type: ValueType, raw: unknown): FeatureValue {
  if (!Array.isArray(raw))
    return domainScalar(type.kind === 'list' || type.kind === 'vector' ? 'double' : type.kind, raw)
  const of = type.kind === 'list' ? type.of : 'double'
  return raw.map((item) => domainScalar(of, item))
}

/** An invalid value passes through, for `encodeValue` to say what is wrong with it. */
function domainScalar(kind: ScalarType, raw: unknown): ScalarValue {
  if (kind === 'timestamp' && raw instanceof Date) return raw.getTime() / 1000
  if (kind === 'int64' && typeof raw === 'number' && Number.isSafeInteger(raw)) return BigInt(raw)
  // `encodeValue` describes a value by its text, and an object may have none.
  if (typeof raw === 'object' && !(raw instanceof Uint8Array)) return 'an object'
  return raw as ScalarValue
}

function hasNonFinite(value: FeatureValue): boolean {
  return (Array.isArray(value) ? value : [value]).some((item) => typeof item === 'number' && !Number.isFinite(item))
}

function jsonScalar(value: ScalarValue): boolean | number | string {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  // JSON has no negative zero, and a default is the same before and after it was stored.
  return value === 0 ? 0 : value
}
