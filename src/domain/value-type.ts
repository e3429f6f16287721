/**
 * The types a feature can have, and the numbers they carry on the wire.
 *
 * The numbers are the field numbers of `feast.types.Value`, so that a stored value is a serialized `Value` for both our
 * own clients and Feast's (see `value-codec.ts`).
 */
export const SCALAR_TYPES = ['bool', 'int32', 'int64', 'float', 'double', 'string', 'bytes', 'timestamp'] as const
export type ScalarType = (typeof SCALAR_TYPES)[number]

/**
 * A feature's type. `vector` is a float32 list of fixed length (an embedding). `timestamp` counts whole seconds since
 * 1970-01-01 UTC, as `unix_timestamp_val` does in Feast.
 */
export type ValueType =
  | { readonly kind: ScalarType }
  | { readonly kind: 'list'; readonly of: ScalarType }
  | { readonly kind: 'vector'; readonly length: number }

export const SCALAR_FIELD: Readonly<Record<ScalarType, number>> = {
  bytes: 1,
  string: 2,
  int32: 3,
  int64: 4,
  double: 5,
  float: 6,
  bool: 7,
  timestamp: 8,
}

export const LIST_FIELD: Readonly<Record<ScalarType, number>> = {
  bytes: 11,
  string: 12,
  int32: 13,
  int64: 14,
  double: 15,
  float: 16,
  bool: 17,
  timestamp: 18,
}

/** Field number of `null_val`. */
export const NULL_FIELD = 19

/** The field of `Value` that holds a value of this type. */
export function valueField(type: ValueType): number {
  if (type.kind === 'list') return LIST_FIELD[type.of]
  if (type.kind === 'vector') return LIST_FIELD.float
  return SCALAR_FIELD[type.kind]
}

/** How the type is written in definitions, messages and tables: `double`, `list<string>`, `vector<128>`. */
export function typeName(type: ValueType): string {
  if (type.kind === 'list') return `list<${type.of}>`
  if (type.kind === 'vector') return `vector<${type.length}>`
  return type.kind
}

/** What the value of a `Value` field is, for messages: `double`, `list<string>`, or the number of an unknown field. */
export function fieldTypeName(field: number): string {
  const kinds = [...SCALAR_TYPES.map((kind) => [SCALAR_FIELD[kind], kind] as const), [NULL_FIELD, 'null'] as const]
  const lists = SCALAR_TYPES.map((kind) => [LIST_FIELD[kind], `list<${kind}>`] as const)
  const known = [...kinds, ...lists].find(([number]) => number === field)
  return known?.[1] ?? `field ${field} of Value`
}

export function parseTypeName(name: string): ValueType | undefined {
  if ((SCALAR_TYPES as readonly string[]).includes(name)) return { kind: name as ScalarType }
  const list = /^list<(\w+)>$/.exec(name)
  if (list && (SCALAR_TYPES as readonly string[]).includes(list[1]!)) return { kind: 'list', of: list[1] as ScalarType }
  const vector = /^vector<([1-9]\d*)>$/.exec(name)
  if (vector) return { kind: 'vector', length: Number(vector[1]) }
  return undefined
}

export function sameType(a: ValueType, b: ValueType): boolean {
  return typeName(a) === typeName(b)
}

/** How many float32 columns the type takes in a TENSOR, or 0 if it has no numeric form. */
export function tensorWidth(type: ValueType): number {
  if (type.kind === 'vector') return type.length
  if (type.kind === 'list' || type.kind === 'string' || type.kind === 'bytes') return 0
  return 1
}
