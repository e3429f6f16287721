/**
 * JSON with one form for one value: keys sorted, no white space, absent fields left out. Fingerprints are taken over it, so
 * that its bytes must never change for values that are stored already.
 */
export type Json = boolean | number | string | null | readonly Json[] | { readonly [name: string]: Json | undefined }

export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).filter((entry): entry is [string, Json] => entry[1] !== undefined)
  // UTF-16 order, which JavaScript compares strings in, whatever the locale.
  fields.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, item]) => `${JSON.stringify(name)}:${canonicalJson(item)}`).join(',')}}`
}
