/**
 * Metadata of a call: text by name, and bytes where the name ends in `-bin`, which travel as base64.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Custom-Metadata".
 */
export type Metadata = ReadonlyMap<string, readonly (string | Buffer)[]>

export const NO_METADATA: Metadata = new Map()

/** What is gRPC's or HTTP's own and no metadata. */
const RESERVED = new Set(['te', 'content-type', 'content-length', 'host'])

/** `fields` of a request: name, value, name, value. */
export function readMetadata(fields: readonly string[]): Metadata {
  const metadata = new Map<string, (string | Buffer)[]>()
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!
    if (name.startsWith(':') || name.startsWith('grpc-') || RESERVED.has(name)) continue
    const values = metadata.get(name) ?? []
    values.push(...readValues(name, fields[index + 1]!))
    metadata.set(name, values)
  }
  return metadata
}

export function metadataFields(metadata: Metadata): string[] {
  const fields: string[] = []
  for (const [name, values] of metadata) {
    for (const value of values) {
      fields.push(name, Buffer.isBuffer(value) ? value.toString('base64').replace(/=+$/, '') : value)
    }
  }
  return fields
}

/** Several binary values may come as one, with commas between them. */
function readValues(name: string, value: string): (string | Buffer)[] {
  if (!name.endsWith('-bin')) return [value]
  return value.split(',').map((each) => Buffer.from(each.trim(), 'base64'))
}
