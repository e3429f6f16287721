/**
 * Cuts the DATA of a call into messages, each behind a flag and its length, whatever the frames.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message".
 */
export const PREFIX_BYTES = 5
/** What is put together grows from so much at least. */
const FIRST_BYTES = 256

export interface MessageSink {
  message(bytes: Buffer, isCompressed: boolean): void
  /** The message that begins has more bytes than allowed, and is not read. */
  tooLarge(bytes: number): void
}

export class MessageReader {
  readonly #messageBytesMax: number
  /** Of the prefix of the message that has begun: how much of it has come, and what that says. */
  #prefixBytes = 0
  #isCompressed = false
  #length = 0
  #message: Buffer | undefined
  #messageBytes = 0
  #isStopped = false

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax
  }

  get isWithinMessage(): boolean {
    return this.#prefixBytes > 0
  }

  /** Messages that lie whole in `bytes` are handed over in place. */
  receive(bytes: Buffer, from: number, to: number, sink: MessageSink): void {
    let at = from
    while (at < to && !this.#isStopped) {
      if (this.#prefixBytes === 0 && to - at >= PREFIX_BYTES) {
        const length = bytes.readUInt32BE(at + 1)
        const end = at + PREFIX_BYTES + length
        if (end <= to && length <= this.#messageBytesMax) {
          sink.message(bytes.subarray(at + PREFIX_BYTES, end), bytes[at] === 1)
          at = end
          continue
        }
      }
      at = this.#goOn(bytes, at, to, sink)
    }
  }

  #goOn(bytes: Buffer, from: number, to: number, sink: MessageSink): number {
    let at = from
    if (this.#message === undefined) {
      while (this.#prefixBytes < PREFIX_BYTES && at < to) this.#prefixByte(bytes[at++]!)
      if (this.#prefixBytes < PREFIX_BYTES) return at
      if (this.#length > this.#messageBytesMax) {
        this.#isStopped = true
        sink.tooLarge(this.#length)
        return at
      }
      this.#message = NOTHING
      this.#messageBytes = 0
    }
    const length = this.#length
    const missing = Math.min(length - this.#messageBytes, to - at)
    const message = this.#withRoom(this.#message, missing, length)
    bytes.copy(message, this.#messageBytes, at, at + missing)
    this.#messageBytes += missing
    if (this.#messageBytes === length) {
      this.#message = undefined
      this.#prefixBytes = 0
      sink.message(message.subarray(0, length), this.#isCompressed)
    }
    return at + missing
  }

  #prefixByte(byte: number): void {
    if (this.#prefixBytes === 0) {
      this.#isCompressed = byte === 1
      this.#length = 0
    } else this.#length = this.#length * 256 + byte
    this.#prefixBytes++
  }

  /** Grows with what has come: a length alone must not cost memory. */
  #withRoom(message: Buffer, missing: number, length: number): Buffer {
    const needed = this.#messageBytes + missing
    if (needed <= message.length) return message
    const grown = Buffer.allocUnsafeSlow(Math.min(length, Math.max(needed, message.length * 2, FIRST_BYTES)))
    message.copy(grown, 0, 0, this.#messageBytes)
    this.#message = grown
    return grown
  }
}

/** A message that is kept for a while: not as a small part of the bytes it came with, which would all be kept with it. */
export function kept(message: Buffer): Buffer {
  return message.buffer.byteLength > message.length * 2 ? Buffer.from(message) : message
}

const NOTHING = Buffer.alloc(0)

export function messagePrefix(bytes: number, isCompressed: boolean): Buffer {
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES)
  prefix[0] = isCompressed ? 1 : 0
  prefix.writeUInt32BE(bytes, 1)
  return prefix
}
