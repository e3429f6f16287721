/**
 * The sending half: header blocks at once, DATA within the peer's windows, and streams in turn (RFC 9113, section 5.2 and 6.9).
 *
 * What cannot leave waits in its stream. Whenever there is room again, streams send one frame each in a round, so that a large
 * answer does not stand before a small one. There is room as long as less than `outputBytesMax` waits for the socket: more
 * would only wait there instead, where nothing can overtake it.
 */
import { writeFrameHead, writeHeaderBlock } from './frames.ts'
import { TABLE_SIZE_ZERO } from './hpack/header-encoder.ts'
import type { Output } from './output.ts'
import { FLAG, FRAME, FRAME_BYTES_DEFAULT, UINT31_MAX, WINDOW_DEFAULT } from './protocol.ts'
import type { Http2Stream } from './stream.ts'

export interface SenderEvents {
  /** END_STREAM has been put into the output. */
  sent(stream: Http2Stream): void
  /** The stream's queue has become short; told once for each `wantsDrain`. */
  drained(stream: Http2Stream): void
}

export class Sender {
  /** The peer's SETTINGS_MAX_FRAME_SIZE. */
  frameBytesMax = FRAME_BYTES_DEFAULT
  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE. */
  initialWindow = WINDOW_DEFAULT
  /** The peer made its table smaller: the next block has to say that we use none (RFC 7541, section 4.2). */
  owesTableSize = false
  nowMs = 0
  /** DATA that waits in streams. */
  queuedBytes = 0
  readonly #output: Output
  readonly #outputBytesMax: number
  readonly #events: SenderEvents
  #window = WINDOW_DEFAULT
  #round: Http2Stream[] = []

  constructor(output: Output, outputBytesMax: number, events: SenderEvents) {
    this.#output = output
    this.#outputBytesMax = outputBytesMax
    this.#events = events
  }

  headers(stream: Http2Stream, block: Buffer, endsStream: boolean): void {
    writeHeaderBlock(this.#output, stream.id, this.#owned(block), endsStream, this.frameBytesMax)
    if (endsStream) this.#events.sent(stream)
  }

  /**
   * A whole answer: headers, DATA of `prefix` and `message`, trailers. `message` must not be changed afterwards.
   * Where everything fits one frame and one slab it is copied once, and nothing is queued.
   */
  reply(stream: Http2Stream, head: Buffer, prefix: Buffer, message: Buffer, trailers: Buffer): void {
    const bytes = prefix.length + message.length
    const isDirect =
      bytes <= DIRECT_BYTES_MAX &&
      bytes <= this.#window &&
      bytes <= stream.sendWindow &&
      this.#output.bytes < this.#outputBytesMax
    this.headers(stream, head, false)
    if (isDirect) {
      this.#window -= bytes
      stream.sendWindow -= bytes
      writeFrameHead(this.#output, bytes, FRAME.data, 0, stream.id)
      this.#output.append(prefix, 0, prefix.length)
      this.#output.append(message, 0, message.length)
      this.headers(stream, trailers, true)
      return
    }
    this.data(stream, prefix)
    this.data(stream, message)
    this.end(stream, trailers)
  }

  /** `piece` must not be changed afterwards. It leaves when windows and turns allow: `flush`. */
  data(stream: Http2Stream, piece: Buffer): void {
    if (piece.length === 0) return
    if (stream.queuedBytes === 0) stream.movedMs = this.nowMs
    stream.queue.push(piece)
    stream.queuedBytes += piece.length
    this.queuedBytes += piece.length
    this.#enter(stream)
  }

  /** After what is queued come the trailers, or, without them, an END_STREAM. */
  end(stream: Http2Stream, trailers: Buffer | undefined): void {
    stream.isEnding = true
    stream.trailers = trailers
    this.#enter(stream)
    this.flush()
  }

  /** Takes the stream out, whatever it still had to send. */
  drop(stream: Http2Stream): void {
    this.queuedBytes -= stream.queuedBytes
    stream.queue.length = 0
    stream.queuedBytes = 0
    stream.isEnding = false
    stream.trailers = undefined
  }

  /** False if the window would pass 2^31-1 (section 6.9.1). */
  openConnectionWindow(increment: number): boolean {
    this.#window += increment
    return this.#window <= UINT31_MAX
  }

  openStreamWindow(stream: Http2Stream, increment: number): boolean {
    stream.sendWindow += increment
    if (stream.sendWindow > UINT31_MAX) return false
    if (stream.queuedBytes > 0 || stream.isEnding) this.#enter(stream)
    return true
  }

  /** Sends what windows and the output have room for. */
  flush(): void {
    let waiting: Http2Stream[] | undefined
    while (this.#round.length > 0 && this.#output.bytes < this.#outputBytesMax) {
      const stream = this.#round.shift()!
      stream.isInRound = false
      if (stream.isClosed) continue
      if (stream.queuedBytes === 0) {
        this.#finish(stream)
        continue
      }
      // A stream without a window enters again when it gets one; one that waits for the connection's stays in the round.
      if (stream.sendWindow <= 0) continue
      if (this.#window <= 0) {
        waiting ??= []
        waiting.push(stream)
        continue
      }
      this.#sendFrame(stream)
      if (stream.queuedBytes > 0 || stream.isEnding) this.#enter(stream)
      if (stream.wantsDrain && stream.queuedBytes <= this.#outputBytesMax / 2) {
        stream.wantsDrain = false
        this.#events.drained(stream)
      }
    }
    for (const stream of waiting ?? []) this.#enter(stream)
  }

  #enter(stream: Http2Stream): void {
    if (stream.isInRound || stream.isClosed) return
    stream.isInRound = true
    this.#round.push(stream)
  }

  #sendFrame(stream: Http2Stream): void {
    const bytes = Math.min(stream.queuedBytes, stream.sendWindow, this.#window, this.frameBytesMax)
    const isLast = bytes === stream.queuedBytes && stream.isEnding && stream.trailers === undefined
    writeFrameHead(this.#output, bytes, FRAME.data, isLast ? FLAG.endStream : 0, stream.id)
    let left = bytes
    while (left > 0) {
      const piece = stream.queue[0]!
      const take = Math.min(left, piece.length - stream.queueFrom)
      this.#output.append(piece, stream.queueFrom, stream.queueFrom + take)
      left -= take
      stream.queueFrom += take
      if (stream.queueFrom === piece.length) {
        stream.queue.shift()
        stream.queueFrom = 0
      }
    }
    stream.queuedBytes -= bytes
    stream.sendWindow -= bytes
    stream.movedMs = this.nowMs
    this.#window -= bytes
    this.queuedBytes -= bytes
    if (isLast) {
      stream.isEnding = false
      this.#events.sent(stream)
    }
  }

  #finish(stream: Http2Stream): void {
    if (!stream.isEnding) return
    stream.isEnding = false
    if (stream.trailers !== undefined) {
      this.headers(stream, stream.trailers, true)
      return
    }
    writeFrameHead(this.#output, 0, FRAME.data, FLAG.endStream, stream.id)
    this.#events.sent(stream)
  }

  #owned(block: Buffer): Buffer {
    if (!this.owesTableSize) return block
    this.owesTableSize = false
    return Buffer.concat([TABLE_SIZE_ZERO, block])
  }
}

/** What every peer takes as one frame, so that `reply` need not ask. */
const DIRECT_BYTES_MAX = FRAME_BYTES_DEFAULT
