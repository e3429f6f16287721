/** The messages and method paths of the API, from the package's `proto/` folder. */
import { fileURLToPath } from 'node:url'
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader'

/** The same place from `src/client` and from `dist/client`. */
const PROTO_DIR = fileURLToPath(new URL('../../proto', import.meta.url))
const PACKAGE = 'twinstore.v1'

const definitions = loadSync(
  ['serving', 'offline', 'admin'].map((name) => `twinstore/v1/${name}.proto`),
  { includeDirs: [PROTO_DIR], longs: String, enums: String, defaults: true, oneofs: true },
)

export type MethodPath = `/${typeof PACKAGE}.${'Serving' | 'Offline' | 'Admin'}/${string}`

export function methodPath(service: 'Serving' | 'Offline' | 'Admin', method: string): MethodPath {
  return `/${PACKAGE}.${service}/${method}`
}

export function encodeMessage(name: string, message: object): Buffer {
  return (definitions[`${PACKAGE}.${name}`] as MessageTypeDefinition<object, object>).serialize(message)
}

/** `T` describes what proto-loader makes of the message. */
export function decodeMessage<T>(name: string, bytes: Buffer): T {
  return (definitions[`${PACKAGE}.${name}`] as MessageTypeDefinition<object, object>).deserialize(bytes) as T
}
