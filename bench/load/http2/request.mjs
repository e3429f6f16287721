/** A call as the frames that are sent for it, made once; only the stream's number differs between one sending and the next. */
import { FLAG, FRAME_BYTES_MAX, frame, HEAD_BYTES, TYPE } from './frames.mjs'
import { encodeBlock } from './hpack.mjs'

const PREFIX_BYTES = 5

/** The fields that the client of grpc-js sends, so that a server has as much to read; without `deadlineMs` no deadline. */
export function headerBlock(call) {
  return encodeBlock(headerFields(call))
}

export function headerFields({ authority, path, deadlineMs }) {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', authority],
    ['grpc-accept-encoding', 'identity,deflate,gzip'],
    ['accept-encoding', 'identity'],
    ...(deadlineMs === undefined ? [] : [['grpc-timeout', `${deadlineMs}m`]]),
    ['user-agent', 'twinstore-bench-load'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ]
}

/**
 * `headers` is a HEADERS frame and `body` the message with its prefix. `frames` is both with the body as one DATA frame, which
 * begins at `dataAt`; undefined if the body is too long for one.
 */
export function prepareRequest(block, message) {
  const headers = frame(TYPE.HEADERS, FLAG.END_HEADERS, 0, block)
  const body = withPrefix(message)
  if (body.length > FRAME_BYTES_MAX) return { headers, body }
  const frames = Buffer.concat([headers, frame(TYPE.DATA, FLAG.END_STREAM, 0, body)])
  return { headers, body, frames, dataAt: headers.length }
}

/** A message of gRPC that is not compressed. */
export function withPrefix(message) {
  const bytes = Buffer.alloc(PREFIX_BYTES + message.length)
  bytes.writeUInt32BE(message.length, 1)
  message.copy(bytes, PREFIX_BYTES)
  return bytes
}

/** Writes the stream's number into the frame that begins at `at`. */
export function setStreamId(slab, at, streamId) {
  slab.writeUInt32BE(streamId, at + HEAD_BYTES - 4)
}
