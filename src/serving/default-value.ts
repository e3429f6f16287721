import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import type { DefaultValue, Feature } from '../domain/registry.ts'
import { encodeValue, type FeatureValue, type ScalarValue } from '../domain/value-codec.ts'
import type { ScalarType } from '../domain/value-type.ts'

/** A feature's declared default as a value, undefined where there is none. */
export function defaultValue(feature: Feature): FeatureValue | undefined {
  if (feature.default === undefined) return undefined
  const { type } = feature
  if (type.kind === 'vector') return feature.default as readonly number[]
  if (type.kind !== 'list') return scalar(type.kind, feature.default as Exclude<DefaultValue, readonly unknown[]>)
  return (feature.default as readonly (boolean | number | string)[]).map((item) => scalar(type.of, item))
}

function scalar(kind: ScalarType, json: boolean | number | string): ScalarValue {
  if (kind === 'int64') return BigInt(json)
  return kind === 'bytes' ? Buffer.from(json as string, 'base64') : json
}

/** The serialized `Value` that stands in where the feature is missing: its default, or the empty message. */
export function absentValue(feature: Feature): Buffer {
  let encoded: Buffer | string
  try {
    encoded = encodeValue(feature.type, defaultValue(feature))
  } catch (error) {
    encoded = asTwinstoreError(error).message
  }
  if (typeof encoded !== 'string') return encoded
  // Definitions are checked when they are applied, so this is a registry that was not made that way.
  throw new TwinstoreError('INTERNAL', `default of feature ${feature.name}: ${encoded}`)
}
