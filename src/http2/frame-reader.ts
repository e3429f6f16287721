/**
 * Cuts what a socket brings into frames (RFC 9113, section 4.1), whatever the chunks.
 *
 * A frame that lies whole in its chunk is handed over in place; one that does not is put together in a buffer of its size. So it holds
 * at most one frame, and nothing between frames; how the bytes were cut makes no difference to what comes out.
 */
import { ConnectionFault, ERROR, FRAME_HEAD_BYTES } from './protocol.ts'

/** Who gets the frames. */
export interface FrameSink {
  /** `bytes[from, to)` is the payload: a part of a chunk, or of a buffer that is its own. */
  frame(type: number, flags: number, stream: number, bytes: Buffer, from: number, to: number): void
}

/** A frame that has begun to come and has not ended. */
interface PartialFrame {
  readonly head: Buffer
  headBytes: number
  /** There when the head is whole. */
  payload: Buffer | undefined
  payloadBytes: number
}

export class FrameReader {
  readonly #sink: FrameSink
  readonly #frameBytesMax: number
  #partial: PartialFrame | undefined
  #isStopped = false

  /** `frameBytesMax`: what SETTINGS_MAX_FRAME_SIZE told the peer. */
  constructor(frameBytesMax: number, sink: FrameSink) {
    this.#frameBytesMax = frameBytesMax
    this.#sink = sink
  }

  /** Whether a frame has begun to come and has not ended. */
  get isWithinFrame(): boolean {
    return this.#partial !== undefined
  }

  /** Nothing more is handed over, not even what is left of the chunk under way. */
  stop(): void {
    this.#isStopped = true
    this.#partial = undefined
  }

  /** Hands over every frame that ends in `chunk[from, ...)`. A `ConnectionFault` for a frame that is too large. */
  receive(chunk: Buffer, from = 0): void {
    let at = from
    if (this.#partial !== undefined) at = this.#goOn(this.#partial, chunk, at)
    while (!this.#isStopped && chunk.length - at >= FRAME_HEAD_BYTES && this.#partial === undefined) {
      const length = (chunk[at]! << 16) | (chunk[at + 1]! << 8) | chunk[at + 2]!
      if (length > this.#frameBytesMax) throw this.#tooLarge(length)
      const payload = at + FRAME_HEAD_BYTES
      if (chunk.length - payload < length) break
      at = payload + length
      this.#handOver(chunk, payload - FRAME_HEAD_BYTES, chunk, payload, at)
    }
    if (this.#isStopped || at === chunk.length) return
    this.#partial ??= { head: Buffer.alloc(FRAME_HEAD_BYTES), headBytes: 0, payload: undefined, payloadBytes: 0 }
    this.#goOn(this.#partial, chunk, at)
  }

  /** Adds to the frame that has begun; returns where the rest of the chunk starts. */
  #goOn(partial: PartialFrame, chunk: Buffer, from: number): number {
    let at = from
    if (partial.payload === undefined) {
      const missing = Math.min(FRAME_HEAD_BYTES - partial.headBytes, chunk.length - at)
      chunk.copy(partial.head, partial.headBytes, at, at + missing)
      partial.headBytes += missing
      at += missing
      if (partial.headBytes < FRAME_HEAD_BYTES) return at
      const length = partial.head.readUIntBE(0, 3)
      if (length > this.#frameBytesMax) throw this.#tooLarge(length)
      partial.payload = Buffer.allocUnsafe(length)
    }
    const { head, payload } = partial
    const missing = Math.min(payload.length - partial.payloadBytes, chunk.length - at)
    chunk.copy(payload, partial.payloadBytes, at, at + missing)
    partial.payloadBytes += missing
    at += missing
    if (partial.payloadBytes === payload.length) {
      this.#partial = undefined
      this.#handOver(head, 0, payload, 0, payload.length)
    }
    return at
  }

  #handOver(head: Buffer, at: number, bytes: Buffer, from: number, to: number): void {
    // The highest bit of the stream's number is reserved and ignored.
    const stream = ((head[at + 5]! & 0x7f) << 24) | (head[at + 6]! << 16) | (head[at + 7]! << 8) | head[at + 8]!
    this.#sink.frame(head[at + 3]!, head[at + 4]!, stream, bytes, from, to)
  }

  #tooLarge(length: number): ConnectionFault {
    const problem = `a frame of ${length} bytes; SETTINGS_MAX_FRAME_SIZE is ${this.#frameBytesMax}`
    return new ConnectionFault(ERROR.frameSizeError, problem)
  }
}
