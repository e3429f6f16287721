/** A call as the frames that are sent for it, made once; only the stream's number differs between one sending and the next. */
import { FLAG, FRAME_BYTES_MAX, frame, HEAD_BYTES, TYPE } from './frames.mjs'
import { encodeBlock } from './hpack.mjs'

const PREFIX_BYTES = 5

/** The fields that the client of grpc-js sends, so that a server has as much to read. */
export function headerBlock({ authority, path, deadlineMs }) {
  return encodeBlock([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', authority],
    ['grpc-accept-encoding', 'identity,deflate,gzip'],
    ['accept-encoding', 'identity'],
    ['grpc-timeout', `${deadlineMs}m`],
    ['user-agent', 'twinstore-bench-load'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ])
}

/**
 * `headers` is a HEADERS frame and `body` the message with its prefix. `frames` is both with the body as one DATA frame, which
 * begins at `dataAt`; undefined if the body is too long for one.
 */
export function prepareRequest(block, message) {
  const headers = frame(TYPE.HEADERS, FLAG.END_HEADERS, 0, block)
  const body = Buffer.alloc(PREFIX_BYTES + message.length)
  body.writeUInt32BE(message.length, 1)
  message.copy(body, PREFIX_BYTES)
  if (body.length > FRAME_BYTES_MAX) return { headers, body }
  const frames = Buffer.concat([headers, frame(TYPE.DATA, FLAG.END_STREAM, 0, body)])
  return { headers, body, frames, dataAt: headers.length }
}

/** Writes the stream's number into the frame that begins at `at`. */
export function setStreamId(slab, at, streamId) {
  slab.writeUInt32BE(streamId, at + HEAD_BYTES - 4)
}
