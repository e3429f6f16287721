/**
 * The API, loaded from the package's `proto/` folder in the form that grpc-js takes; the lean transport has the paths of its methods.
 *
 * Every method takes and returns raw bytes. For `Serving` the bytes are the contract of the service layer. The messages of the others
 * are decoded by their methods and by no transport, because what cannot be decoded is the client's fault: grpc-js answers INTERNAL to it.
 */
import { fileURLToPath } from 'node:url'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader'
import { TwinstoreError } from '../../domain/errors.ts'

/** The same place from `src/api/grpc` and from `dist/api/grpc`. */
const PROTO_DIR = fileURLToPath(new URL('../../../proto', import.meta.url))
const PROTO_FILES = ['serving', 'offline', 'admin'].map((name) => `twinstore/v1/${name}.proto`)
const PACKAGE = 'twinstore.v1'

/** 64-bit integers as decimal strings, enums by name (a number where it is unknown), defaults filled in. */
const packageDefinition = loadSync(PROTO_FILES, {
  includeDirs: [PROTO_DIR],
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
})

export type ServiceName = 'Serving' | 'Offline' | 'Admin'

/** How health checks and reflection name the service. */
export function fullName(service: ServiceName): string {
  return `${PACKAGE}.${service}`
}

/** The service with methods that pass bytes through. */
export function rawService(service: ServiceName): ServiceDefinition {
  const methods = packageDefinition[fullName(service)] as ServiceDefinition
  const raw = Object.entries(methods).map(([name, method]) => [
    name,
    {
      ...method,
      requestSerialize: passThrough,
      requestDeserialize: passThrough,
      responseSerialize: passThrough,
      responseDeserialize: passThrough,
    },
  ])
  return Object.fromEntries(raw) as ServiceDefinition
}

function passThrough(bytes: Buffer): Buffer {
  return bytes
}

export interface MessageCodec<T> {
  encode(message: T): Buffer
  /** INVALID_ARGUMENT if the bytes are not such a message. */
  decode(bytes: Buffer): T
}

/** The codec of a message of the package; `T` describes what proto-loader makes of it. */
export function messageCodec<T extends object>(name: string): MessageCodec<T> {
  const type = packageDefinition[`${PACKAGE}.${name}`] as MessageTypeDefinition<object, object>
  return {
    encode: (message) => type.serialize(message),
    decode(bytes) {
      try {
        return type.deserialize(bytes) as T
      } catch (error) {
        throw new TwinstoreError('INVALID_ARGUMENT', `the request is not a ${PACKAGE}.${name} message`, {
          cause: error,
        })
      }
    },
  }
}
