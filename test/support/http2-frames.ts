/** Frames of HTTP/2 as a peer of the core sends them (RFC 9113, section 4.1), and the header blocks of a usual call. */
import { encodeHeaders } from '../../src/http2/hpack/header-encoder.ts'

export const REQUEST = encodeHeaders([
  ':method',
  'POST',
  ':scheme',
  'http',
  ':path',
  '/a/B',
  'content-type',
  'application/grpc',
])
export const HEAD = encodeHeaders([':status', '200'])
export const TRAILERS = encodeHeaders(['grpc-status', '0'])

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}
