/**
 * What differs between two rows of one version: feature by feature, exactly or within the feature's tolerance.
 *
 * Rows are compared as what is read from them, not as bytes: one value may be encoded in several ways. Equal bytes are the
 * common case and are not decoded. Beside the values the parts of the header count that the checksum leaves out and that
 * answers depend on.
 */
import type { Feature, FeatureView } from '../domain/registry.ts'
import { MISSING_VALUE, rowCreatedMicros, rowHasGaps, rowSchemaId, rowValues } from '../domain/row-codec.ts'
import { decodeValue, type FeatureValue, type ScalarValue } from '../domain/value-codec.ts'

/** A feature, or a part of the header, whose values are not the same; the values as text for people. */
export interface Difference {
  readonly feature: string
  readonly online: string
  readonly offline: string
}

const TEXT_LENGTH_MAX = 200

/** Rows that are sound by their checksum. */
export function rowDifferences(view: FeatureView, online: Buffer, offline: Buffer): readonly Difference[] {
  if (online.equals(offline)) return []
  const [onlineValues, offlineValues] = [valuesOf(online), valuesOf(offline)]
  const differences = view.features.flatMap((feature, ordinal) => {
    const [one, other] = [onlineValues[ordinal] ?? MISSING_VALUE, offlineValues[ordinal] ?? MISSING_VALUE]
    if (one.equals(other) || isSame(feature, decoded(feature, one), decoded(feature, other))) return []
    return [difference(feature.name, textOf(decoded(feature, one)), textOf(decoded(feature, other)))]
  })
  return [...differences, ...headerDifferences(online, offline)]
}

/** Why a row with a right checksum is no row of the view all the same; undefined if it is one. */
export function unreadableAs(view: FeatureView, row: Buffer): string | undefined {
  const values = valuesOf(row)
  const expected = view.schemaFeatureCounts[rowSchemaId(row) - 1]
  if (values.length !== expected)
    return `${values.length} values where schema ${rowSchemaId(row)} has ${expected ?? 'none'}`
  const unreadable = view.features.find(
    (feature, ordinal) => decoded(feature, values[ordinal] ?? MISSING_VALUE) === BROKEN,
  )
  return unreadable === undefined ? undefined : `${unreadable.name} is not a value of its type`
}

/** Bytes that are no value of the feature's type. */
const BROKEN = Symbol('broken')
type Decoded = FeatureValue | null | undefined | typeof BROKEN

function valuesOf(row: Buffer): readonly Buffer[] {
  try {
    return rowValues(row)
  } catch {
    return []
  }
}

function decoded({ type }: Feature, bytes: Buffer): Decoded {
  try {
    return decodeValue(type, bytes)
  } catch {
    return BROKEN
  }
}

function isSame({ tolerance = 0 }: Feature, one: Decoded, other: Decoded): boolean {
  if (one === BROKEN || other === BROKEN) return false
  if (!Array.isArray(one) || !Array.isArray(other))
    return isSameScalar(one as ScalarValue, other as ScalarValue, tolerance)
  return one.length === other.length && one.every((item, index) => isSameScalar(item, other[index]!, tolerance))
}

function isSameScalar(
  one: ScalarValue | null | undefined,
  other: ScalarValue | null | undefined,
  tolerance: number,
): boolean {
  if (typeof one === 'number' && typeof other === 'number') {
    return Object.is(one, other) || (tolerance > 0 && Math.abs(one - other) <= tolerance)
  }
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0
  return one === other
}

function headerDifferences(online: Buffer, offline: Buffer): readonly Difference[] {
  const parts: readonly [string, (row: Buffer) => unknown][] = [
    ['(schema)', rowSchemaId],
    ['(created timestamp)', rowCreatedMicros],
    ['(flag for null and missing values)', rowHasGaps],
  ]
  return parts.flatMap(([name, read]) =>
    read(online) === read(offline) ? [] : [difference(name, String(read(online)), String(read(offline)))],
  )
}

function difference(feature: string, online: string, offline: string): Difference {
  return { feature, online, offline }
}

function textOf(value: Decoded): string {
  if (value === BROKEN) return '(unreadable)'
  if (value === undefined) return '(missing)'
  const text = plainText(value)
  return text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}...` : text
}

function plainText(value: FeatureValue | null): string {
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return `[${value.map((item: ScalarValue) => plainText(item)).join(', ')}]`
  if (Object.is(value, -0)) return '-0'
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
