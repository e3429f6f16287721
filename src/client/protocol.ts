/** The messages and method paths of the API, from the package's `proto/` folder. */
import { fileURLToPath } from 'node:url'
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader'
import { TwinstoreError } from '../domain/errors.ts'

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
  const type = definitions[`${PACKAGE}.${name}`] as MessageTypeDefinition<object, object>
  return readingAnswer(() => type.deserialize(bytes)) as T
}

/** Runs what reads bytes that came from a server; if they are not what they must be, that is DATA_LOSS. */
export function readingAnswer<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof TwinstoreError) throw error
    const detail = error instanceof Error ? error.message : String(error)
    throw new TwinstoreError('DATA_LOSS', `the server's answer is not a valid message: ${detail}`, { cause: error })
  }
}
