/** Checked access to the fields of a parsed JSON object. A fault throws `FieldFault`, which its catcher places in a file. */
export class FieldFault extends Error {}

export type JsonObject = Readonly<Record<string, unknown>>

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new FieldFault(`${what} is not an object`)
}

export function textField(object: JsonObject, name: string): string {
  const value = object[name]
  if (typeof value === 'string') return value
  throw new FieldFault(`${name} is ${described(value)}, not a string`)
}

/** A whole number; beyond 2^53 it may be rounded, which only concerns what other applications wrote for themselves. */
export function integerField(object: JsonObject, name: string): number {
  const value = object[name]
  if (typeof value === 'number' && Number.isInteger(value)) return value
  throw new FieldFault(`${name} is ${described(value)}, not an integer`)
}

export function booleanField(object: JsonObject, name: string): boolean {
  const value = object[name]
  if (typeof value === 'boolean') return value
  throw new FieldFault(`${name} is ${described(value)}, not a boolean`)
}

export function textsField(object: JsonObject, name: string): readonly string[] {
  const value = object[name]
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw new FieldFault(`${name} is ${described(value)}, not a list of strings`)
}

/** A map of strings; a null value is kept only where `nulls` says so and is left out otherwise. */
export function textMapField(object: JsonObject, name: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(nullableTextMapField(object, name)).filter((entry): entry is [string, string] => entry[1] !== null),
  )
}

export function nullableTextMapField(object: JsonObject, name: string): Readonly<Record<string, string | null>> {
  const map = asObject(object[name], name)
  for (const [key, value] of Object.entries(map)) {
    if (value !== null && typeof value !== 'string') throw new FieldFault(`${name}.${key} is ${described(value)}`)
  }
  return map as Readonly<Record<string, string | null>>
}

/** An object with the field read by `read`, or an empty one where the field is absent or null: for spreading. */
export function optional<K extends string, T>(
  object: JsonObject,
  name: K,
  read: (object: JsonObject, name: string) => T,
): { readonly [field in K]?: T } {
  const value = object[name]
  return value === undefined || value === null ? {} : ({ [name]: read(object, name) } as { readonly [field in K]?: T })
}

function described(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = JSON.stringify(value)
  return text.length > 40 ? `${text.slice(0, 40)}...` : text
}
