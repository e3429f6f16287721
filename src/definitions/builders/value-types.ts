/** The types of features and join keys, as users write them. What a computation sees of each is its second parameter. */
import type { ScalarType } from '../../domain/value-type.ts'
import { DECLARED, type Declared, type TypeDeclaration } from './declarations.ts'

export interface TypeOptions<Default> {
  /** Stands in where the value is missing (never where it is null). */
  readonly default?: Default
  /** Whether NaN and infinities may be written; false unless declared. */
  readonly allowNaN?: boolean
  /**
   * Of numbers that are not whole: how far apart the values of the two stores may be and count as equal in `twinstore parity`.
   * 0 unless declared: the stores hold the same bits.
   */
  readonly tolerance?: number
  readonly description?: string
}

declare const shape: unique symbol

/** A declared type: `Value` is what a computation sees, `HasDefault` whether a missing value is filled in. */
export interface FeatureType<Kind extends string = string, Value = unknown, HasDefault extends boolean = boolean>
  extends Declared<TypeDeclaration> {
  /** Never there: it carries the type parameters. */
  readonly [shape]?: { readonly kind: Kind; readonly value: Value; readonly hasDefault: HasDefault }
}

/** The features of a view or the request features of an on-demand view, by name. */
export type FeatureTypes = Readonly<Record<string, FeatureType>>

/** What a computation sees of a type, null left aside. */
export type ValueOf<T> = T extends FeatureType<string, infer Value, boolean> ? Value : never

type HasDefault<Options> = Options extends { readonly default: NonNullable<unknown> } ? true : false

type TypeBuilder<Kind extends ScalarType, Value, Default> = <
  const O extends TypeOptions<Default> = TypeOptions<Default>,
>(
  options?: O,
) => FeatureType<Kind, Value, HasDefault<O>>

function scalar<Kind extends ScalarType, Value, Default = Value>(type: Kind): TypeBuilder<Kind, Value, Default> {
  return (options) => ({ [DECLARED]: { kind: 'type', type, options } })
}

export const bool = scalar<'bool', boolean>('bool')
export const int32 = scalar<'int32', number>('int32')
/** Computations see a number; a value beyond 2^53 makes them fail rather than be rounded. */
export const int64 = scalar<'int64', number, number | bigint>('int64')
export const float = scalar<'float', number>('float')
export const double = scalar<'double', number>('double')
export const string = scalar<'string', string>('string')
export const bytes = scalar<'bytes', Uint8Array>('bytes')
/** Whole seconds, UTC. */
export const timestamp = scalar<'timestamp', Date>('timestamp')

export function list<Value, const O extends TypeOptions<readonly Value[]> = TypeOptions<readonly Value[]>>(
  of: FeatureType<ScalarType, Value, false>,
  options?: O,
): FeatureType<'list', readonly Value[], HasDefault<O>> {
  return { [DECLARED]: { kind: 'type', type: 'list', parameter: of, options } }
}

/** A float32 vector of fixed length, such as an embedding. */
export function vector<const O extends TypeOptions<readonly number[]> = TypeOptions<readonly number[]>>(
  length: number,
  options?: O,
): FeatureType<'vector', readonly number[], HasDefault<O>> {
  return { [DECLARED]: { kind: 'type', type: 'vector', parameter: length, options } }
}
