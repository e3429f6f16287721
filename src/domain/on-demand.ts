/**
 * The one place where an on-demand view's function is called: serving, exports and training sets all come through
 * `evaluate`, so that a transformation has one meaning (G6).
 */
import { TwinstoreError } from './errors.ts'
import type { Compute, ComputeInput, Feature, OnDemandView } from './registry.ts'
import { encodeValue, type FeatureValue, type ScalarValue } from './value-codec.ts'
import { type ScalarType, typeName, type ValueType } from './value-type.ts'

/**
 * The value as a computation sees it: missing is null, int64 is a number, a timestamp is a `Date`. An int64 beyond
 * +-2^53 throws FAILED_PRECONDITION, because a rounded id must not pass for the real one.
 */
export function toComputeValue(type: ValueType, value: FeatureValue | null | undefined): unknown {
  if (value === undefined || value === null) return null
  if (type.kind === 'list') return (value as readonly ScalarValue[]).map((item) => scalarToCompute(type.of, item))
  if (type.kind === 'vector') return value
  return scalarToCompute(type.kind, value as ScalarValue)
}

function scalarToCompute(kind: ScalarType, value: ScalarValue): unknown {
  if (kind === 'timestamp') return new Date((value as number) * 1000)
  if (kind !== 'int64') return value
  const number = Number(value)
  if (!Number.isSafeInteger(number)) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `int64 ${value} is beyond 2^53 and cannot enter a computation exactly`,
    )
  }
  return number
}

/** The declared outputs of one row, in order. Throws FAILED_PRECONDITION naming the view if it throws or breaks its types. */
export function evaluate(view: OnDemandView, compute: Compute, input: ComputeInput): (FeatureValue | null)[] {
  let output: Readonly<Record<string, unknown>>
  try {
    output = compute(input)
  } catch (error) {
    throw failed(view, error instanceof Error ? error.message : String(error), error)
  }
  if (typeof output !== 'object' || output === null) throw failed(view, 'compute did not return an object')
  return view.features.map((feature) => checkedOutput(view, feature, output[feature.name]))
}

function checkedOutput(view: OnDemandView, feature: Feature, raw: unknown): FeatureValue | null {
  if (raw === null || raw === undefined) return null
  const value = fromCompute(feature.type, raw)
  if (feature.allowNaN !== true && typeof value === 'number' && !Number.isFinite(value)) {
    throw failed(view, `${feature.name} is ${value}`)
  }
  if (isPlainNumber(feature.type, value)) return value
  const encoded = encodeValue(feature.type, value)
  if (typeof encoded === 'string') throw failed(view, `${feature.name}: ${encoded}`)
  return value
}

/** Doubles are by far the usual output and need no trial encoding. */
function isPlainNumber(type: ValueType, value: FeatureValue): boolean {
  return type.kind === 'double' && typeof value === 'number'
}

function fromCompute(type: ValueType, raw: unknown): FeatureValue {
  if (Array.isArray(raw) && type.kind === 'list') return raw.map((item) => scalarFromCompute(type.of, item))
  return scalarFromCompute(type.kind === 'list' || type.kind === 'vector' ? 'double' : type.kind, raw)
}

function scalarFromCompute(kind: ScalarType, raw: unknown): ScalarValue {
  if (kind === 'timestamp' && raw instanceof Date) return Math.floor(raw.getTime() / 1000)
  if (kind === 'int64' && typeof raw === 'number' && Number.isSafeInteger(raw)) return BigInt(raw)
  if (kind === 'float' && typeof raw === 'number') return Math.fround(raw)
  return raw as ScalarValue
}

function failed(view: OnDemandView, detail: string, cause?: unknown): TwinstoreError {
  const outputs = view.features.map((feature) => `${feature.name} ${typeName(feature.type)}`).join(', ')
  return new TwinstoreError('FAILED_PRECONDITION', `on-demand view ${view.name} (${outputs}): ${detail}`, { cause })
}
