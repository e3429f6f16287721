/** Writes frames (RFC 9113, section 6) into an output. Payloads of DATA and header blocks are the caller's. */
import type { Output } from './output.ts'
import { type ErrorNumber, FLAG, FRAME, FRAME_HEAD_BYTES } from './protocol.ts'

/** A GOAWAY says in words why, for whoever looks at the wire; it must fit a frame of any peer. */
const DEBUG_BYTES_MAX = 512

export function putHead(
  into: Buffer,
  position: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): number {
  into[position] = length >>> 16
  into[position + 1] = length >>> 8
  into[position + 2] = length
  into[position + 3] = type
  into[position + 4] = flags
  into[position + 5] = stream >>> 24
  into[position + 6] = stream >>> 16
  into[position + 7] = stream >>> 8
  into[position + 8] = stream
  return position + FRAME_HEAD_BYTES
}

/** The head of a frame whose payload of `length` bytes is appended next. */
export function writeFrameHead(output: Output, length: number, type: number, flags: number, stream: number): void {
  putHead(output.reserve(FRAME_HEAD_BYTES), output.position, length, type, flags, stream)
}

/** The head and room for the payload. */
function reserveFrame(output: Output, length: number, type: number, flags: number, stream: number): Buffer {
  const into = output.reserve(FRAME_HEAD_BYTES + length)
  putHead(into, output.position, length, type, flags, stream)
  return into
}

/** `settings` is id, value, id, value. */
export function writeSettings(output: Output, settings: readonly number[]): void {
  const into = reserveFrame(output, settings.length * 3, FRAME.settings, 0, 0)
  let at = output.position + FRAME_HEAD_BYTES
  for (let index = 0; index < settings.length; index += 2) {
    into.writeUInt16BE(settings[index]!, at)
    into.writeUInt32BE(settings[index + 1]!, at + 2)
    at += 6
  }
}

export function writeSettingsAck(output: Output): void {
  reserveFrame(output, 0, FRAME.settings, FLAG.ack, 0)
}

/** `payload[from, from + 8)`. */
export function writePing(output: Output, flags: number, payload: Buffer, from: number): void {
  const into = reserveFrame(output, 8, FRAME.ping, flags, 0)
  payload.copy(into, output.position + FRAME_HEAD_BYTES, from, from + 8)
}

export function writeWindowUpdate(output: Output, stream: number, increment: number): void {
  const into = reserveFrame(output, 4, FRAME.windowUpdate, 0, stream)
  into.writeUInt32BE(increment, output.position + FRAME_HEAD_BYTES)
}

export function writeRstStream(output: Output, stream: number, code: ErrorNumber): void {
  const into = reserveFrame(output, 4, FRAME.rstStream, 0, stream)
  into.writeUInt32BE(code, output.position + FRAME_HEAD_BYTES)
}

export function writeGoaway(output: Output, lastStream: number, code: ErrorNumber, words: string): void {
  const debug = Buffer.from(words, 'utf8').subarray(0, DEBUG_BYTES_MAX)
  const into = reserveFrame(output, 8 + debug.length, FRAME.goaway, 0, 0)
  const at = output.position + FRAME_HEAD_BYTES
  into.writeUInt32BE(lastStream, at)
  into.writeUInt32BE(code, at + 4)
  into.set(debug, at + 8)
}

/** A header block in as many frames as the peer's largest frame makes of it. */
export function writeHeaderBlock(
  output: Output,
  stream: number,
  block: Buffer,
  endsStream: boolean,
  frameBytesMax: number,
): void {
  let from = 0
  let type: number = FRAME.headers
  do {
    const to = Math.min(block.length, from + frameBytesMax)
    const flags =
      (to === block.length ? FLAG.endHeaders : 0) | (endsStream && type === FRAME.headers ? FLAG.endStream : 0)
    writeFrameHead(output, to - from, type, flags, stream)
    output.append(block, from, to)
    from = to
    type = FRAME.continuation
  } while (from < block.length)
}
