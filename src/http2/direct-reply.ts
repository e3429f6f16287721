/**
 * A whole answer written into the output at once: headers, DATA with its prefix and message, trailers, one behind the other in one
 * slab. What is in the output's room for it already, because it was made there, is not copied.
 */
import { putHead } from './frames.ts'
import type { Output } from './output.ts'
import { FLAG, FRAME, FRAME_BYTES_DEFAULT, FRAME_HEAD_BYTES } from './protocol.ts'

/** What every peer takes as one frame, so that it need not be asked. */
export const DIRECT_BYTES_MAX = FRAME_BYTES_DEFAULT
/** For the frame of the trailers behind a message that is in its room. */
const TRAILERS_ROOM = 64
export const TRAILERS_BYTES_MAX = TRAILERS_ROOM - FRAME_HEAD_BYTES

/** Where the message of an answer with `head` and a prefix of `prefixBytes` will be, if that is what is written next. */
export function directRoom(output: Output, head: Buffer, prefixBytes: number, bytes: number): Buffer {
  const before = replyStart(head, prefixBytes)
  const slab = output.peek(before + bytes + TRAILERS_ROOM)
  const from = output.position + before
  return slab.subarray(from, from + bytes)
}

/** At most `DIRECT_BYTES_MAX` of prefix and message, and `TRAILERS_BYTES_MAX` of trailers. */
export function writeReply(
  output: Output,
  stream: number,
  head: Buffer,
  prefix: Buffer,
  message: Buffer,
  trailers: Buffer,
): void {
  const bytes = prefix.length + message.length
  const into = output.reserve(replyStart(head, prefix.length) + message.length + FRAME_HEAD_BYTES + trailers.length)
  let at = putHead(into, output.position, head.length, FRAME.headers, FLAG.endHeaders, stream)
  at = put(head, into, at)
  at = putHead(into, at, bytes, FRAME.data, 0, stream)
  at = put(prefix, into, at)
  // Written into its room, it is where it belongs already.
  const isInPlace = message.buffer === into.buffer && message.byteOffset === into.byteOffset + at
  if (!isInPlace) into.set(message, at)
  at = putHead(into, at + message.length, trailers.length, FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream)
  put(trailers, into, at)
}

/** Bytes of a reply before its message. */
function replyStart(head: Buffer, prefixBytes: number): number {
  return FRAME_HEAD_BYTES + head.length + FRAME_HEAD_BYTES + prefixBytes
}

/** A few bytes: a loop is quicker than a call of `set`. */
function put(bytes: Buffer, into: Buffer, position: number): number {
  for (let index = 0; index < bytes.length; index++) into[position + index] = bytes[index]!
  return position + bytes.length
}
