/**
 * Finds the frames in what a socket gives, however it was cut.
 *
 * DATA is handed on in pieces as it comes, without copying or gathering: an answer of 200 KB is walked over, not put together. Every
 * other frame is handed on whole; it is copied only if it did not come in one piece.
 */
import { FLAG, FRAME_BYTES_MAX, HEAD_BYTES, TYPE } from './frames.mjs'

export class FrameReader {
  #receiver
  #head = Buffer.alloc(HEAD_BYTES)
  #headBytes = 0
  #type = 0
  #flags = 0
  #streamId = 0
  /** Bytes of the payload that have not come yet; -1 while the head is not whole. */
  #left = -1
  #gathered = Buffer.alloc(FRAME_BYTES_MAX)
  #gatheredBytes = 0

  /**
   * `receiver.data(streamId, chunk, start, end, isEnd)`: a piece of DATA, `isEnd` with the last one of the stream.
   * `receiver.dataFrame(bytes, streamId)`: what a DATA frame takes of the windows, before its pieces.
   * `receiver.frame(type, flags, streamId, payload)`; the payload is valid until it returns.
   */
  constructor(receiver) {
    this.#receiver = receiver
  }

  read(chunk, length) {
    let at = 0
    while (at < length) {
      at = this.#left < 0 ? this.#readHead(chunk, at, length) : this.#readPayload(chunk, at, length)
    }
  }

  #readHead(chunk, at, length) {
    if (this.#headBytes === 0 && length - at >= HEAD_BYTES) {
      this.#begin(chunk, at)
      return at + HEAD_BYTES
    }
    const taken = Math.min(HEAD_BYTES - this.#headBytes, length - at)
    chunk.copy(this.#head, this.#headBytes, at, at + taken)
    this.#headBytes += taken
    if (this.#headBytes === HEAD_BYTES) {
      this.#headBytes = 0
      this.#begin(this.#head, 0)
    }
    return at + taken
  }

  #begin(head, at) {
    const bytes = (head[at] << 16) | (head[at + 1] << 8) | head[at + 2]
    if (bytes > FRAME_BYTES_MAX) throw new Error(`a frame of ${bytes} bytes; at most ${FRAME_BYTES_MAX} were allowed`)
    this.#type = head[at + 3]
    this.#flags = head[at + 4]
    this.#streamId = head.readUInt32BE(at + 5) & 0x7fffffff
    this.#left = bytes
    if (this.#type === TYPE.DATA) this.#receiver.dataFrame(bytes, this.#streamId)
    // There will be no byte to go on with.
    if (bytes === 0) this.#readPayload(head, 0, 0)
  }

  #readPayload(chunk, at, length) {
    const end = at + Math.min(this.#left, length - at)
    const isLast = end - at === this.#left
    if (this.#type === TYPE.DATA && !(this.#flags & FLAG.PADDED)) {
      this.#left = isLast ? -1 : this.#left - (end - at)
      const isEnd = isLast && (this.#flags & FLAG.END_STREAM) !== 0
      this.#receiver.data(this.#streamId, chunk, at, end, isEnd)
    } else if (isLast && this.#gatheredBytes === 0) {
      this.#left = -1
      this.#whole(chunk.subarray(at, end))
    } else {
      chunk.copy(this.#gathered, this.#gatheredBytes, at, end)
      this.#gatheredBytes += end - at
      this.#left -= end - at
      if (isLast) {
        const payload = this.#gathered.subarray(0, this.#gatheredBytes)
        this.#left = -1
        this.#gatheredBytes = 0
        this.#whole(payload)
      }
    }
    return end
  }

  #whole(payload) {
    const content = this.#flags & FLAG.PADDED && isPaddable(this.#type) ? withoutPadding(payload) : payload
    if (this.#type === TYPE.DATA) {
      const isEnd = (this.#flags & FLAG.END_STREAM) !== 0
      this.#receiver.data(this.#streamId, content, 0, content.length, isEnd)
    } else {
      this.#receiver.frame(this.#type, this.#flags, this.#streamId, content)
    }
  }
}

function isPaddable(type) {
  return type === TYPE.DATA || type === TYPE.HEADERS
}

function withoutPadding(payload) {
  const padding = payload[0] ?? 0
  if (padding + 1 > payload.length) throw new Error('a frame has more padding than bytes')
  return payload.subarray(1, payload.length - padding)
}
