/**
 * Cuts what a socket brings into frames (RFC 9113, section 4.1), whatever the chunks.
 *
 * A frame that lies whole in its chunk is handed over in place; one that does not is put together in a buffer of its size. So it holds
 * at most one frame, and how the bytes were cut makes no difference to what comes out.
 */
import { ConnectionFault, ERROR, FRAME_HEAD_BYTES } from './protocol.ts'

/** `bytes[from, to)` is the payload: a part of a chunk, or of a buffer that is its own. */
export type OnFrame = (type: number, flags: number, stream: number, bytes: Buffer, from: number, to: number) => void

export class FrameReader {
  readonly #onFrame: OnFrame
  readonly #frameBytesMax: number
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES)
  #headBytes = 0
  /** Of a frame whose head has come, but not all of its payload. */
  #payload: Buffer | undefined
  #payloadBytes = 0
  #isStopped = false

  /** `frameBytesMax`: what SETTINGS_MAX_FRAME_SIZE told the peer. */
  constructor(frameBytesMax: number, onFrame: OnFrame) {
    this.#frameBytesMax = frameBytesMax
    this.#onFrame = onFrame
  }

  /** Whether a frame has begun to come and has not ended. */
  get isWithinFrame(): boolean {
    return this.#headBytes > 0
  }

  /** Nothing more is handed over, not even what is left of the chunk under way. */
  stop(): void {
    this.#isStopped = true
    this.#payload = undefined
  }

  /** Hands over every frame that ends in `chunk[from, ...)`. A `ConnectionFault` for a frame that is too large. */
  receive(chunk: Buffer, from = 0): void {
    let at = from
    if (this.#headBytes > 0) at = this.#goOn(chunk, at)
    while (!this.#isStopped && chunk.length - at >= FRAME_HEAD_BYTES && this.#headBytes === 0) {
      const length = (chunk[at]! << 16) | (chunk[at + 1]! << 8) | chunk[at + 2]!
      if (length > this.#frameBytesMax) throw this.#tooLarge(length)
      const payload = at + FRAME_HEAD_BYTES
      if (chunk.length - payload < length) break
      at = payload + length
      this.#handOver(chunk, payload - FRAME_HEAD_BYTES, chunk, payload, at)
    }
    if (!this.#isStopped && at < chunk.length) this.#goOn(chunk, at)
  }

  /** Adds to the frame that has begun; returns where the rest of the chunk starts. */
  #goOn(chunk: Buffer, from: number): number {
    let at = from
    if (this.#payload === undefined) {
      const missing = Math.min(FRAME_HEAD_BYTES - this.#headBytes, chunk.length - at)
      chunk.copy(this.#head, this.#headBytes, at, at + missing)
      this.#headBytes += missing
      at += missing
      if (this.#headBytes < FRAME_HEAD_BYTES) return at
      const length = this.#head.readUIntBE(0, 3)
      if (length > this.#frameBytesMax) throw this.#tooLarge(length)
      this.#payload = Buffer.allocUnsafe(length)
      this.#payloadBytes = 0
    }
    const payload = this.#payload
    const missing = Math.min(payload.length - this.#payloadBytes, chunk.length - at)
    chunk.copy(payload, this.#payloadBytes, at, at + missing)
    this.#payloadBytes += missing
    at += missing
    if (this.#payloadBytes === payload.length) {
      this.#payload = undefined
      this.#headBytes = 0
      this.#handOver(this.#head, 0, payload, 0, payload.length)
    }
    return at
  }

  #handOver(head: Buffer, at: number, bytes: Buffer, from: number, to: number): void {
    // The highest bit of the stream's number is reserved and ignored.
    const stream = ((head[at + 5]! & 0x7f) << 24) | (head[at + 6]! << 16) | (head[at + 7]! << 8) | head[at + 8]!
    this.#onFrame(head[at + 3]!, head[at + 4]!, stream, bytes, from, to)
  }

  #tooLarge(length: number): ConnectionFault {
    const problem = `a frame of ${length} bytes; SETTINGS_MAX_FRAME_SIZE is ${this.#frameBytesMax}`
    return new ConnectionFault(ERROR.frameSizeError, problem)
  }
}
