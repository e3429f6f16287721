/** gRPC status codes, and how a status travels: in the trailers of an answer, or in the only headers of one that is nothing else. */
import { encodeHeaders } from '../http2/hpack/header-encoder.ts'
import { type Metadata, metadataFields } from './metadata.ts'

/** https://grpc.io/docs/guides/status-codes/ */
export const STATUS = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const

export interface CallStatus {
  readonly code: number
  readonly details: string
}

export const OK: CallStatus = { code: STATUS.ok, details: '' }

/** What nearly every answer begins and ends with. */
export const RESPONSE_HEAD = encodeHeaders([':status', '200', 'content-type', 'application/grpc'])
export const OK_TRAILERS = encodeHeaders(['grpc-status', '0'])

export function responseHead(metadata: Metadata, encoding: string | undefined): Buffer {
  const encodingFields = encoding === undefined ? [] : ['grpc-encoding', encoding]
  const fields = [':status', '200', 'content-type', 'application/grpc', ...encodingFields]
  return encodeHeaders([...fields, ...metadataFields(metadata)])
}

export function trailers(status: CallStatus, metadata: Metadata): Buffer {
  return encodeHeaders([...statusFields(status), ...metadataFields(metadata)])
}

/** Headers that are the whole answer. `more` goes before the status: name, value, name, value. */
export function trailersOnly(status: CallStatus, metadata: Metadata, more: readonly string[] = []): Buffer {
  const fields = [':status', '200', 'content-type', 'application/grpc', ...more, ...statusFields(status)]
  return encodeHeaders([...fields, ...metadataFields(metadata)])
}

/** An answer in HTTP's own terms, for what is no gRPC call. */
export function httpStatus(status: string): Buffer {
  return encodeHeaders([':status', status])
}

function statusFields({ code, details }: CallStatus): string[] {
  const message = details === '' ? [] : ['grpc-message', percentEncoded(details)]
  return ['grpc-status', String(code), ...message]
}

/**
 * UTF-8, with every byte but printable ASCII written as %XX, and % too.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Responses".
 */
export function percentEncoded(text: string): string {
  if (PLAIN.test(text)) return text
  let encoded = ''
  for (const byte of Buffer.from(text, 'utf8')) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

const PLAIN = /^[\x20-\x24\x26-\x7e]*$/
