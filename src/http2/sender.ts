/**
 * The sending half: header blocks at once, DATA within the peer's windows, and streams in turn (RFC 9113, section 5.2 and 6.9).
 *
 * What cannot leave waits in its stream. Whenever there is room again, streams send one frame each in a round, so that a large
 * answer does not stand before a small one. There is room as long as less than `outputBytesMax` waits for the socket: more
 * would only wait there instead, where nothing can overtake it. Before streams wait, the output is written: what the system takes at
 * once does not wait at all.
 *
 * Writes are to be large, and not too large. Each wakes the peer, which costs a core as much as copying 200 KB; but answers that are
 * written while they are in the processor's cache, into a buffer that was just sent, cost half of what others do
 * (docs/decisions/029).
 */
import { DIRECT_BYTES_MAX, directRoom, TRAILERS_BYTES_MAX, writeReply } from './direct-reply.ts'
import { writeFrameHead, writeHeaderBlock } from './frames.ts'
import type { HeldShare } from './held-bytes.ts'
import { TABLE_SIZE_ZERO } from './hpack/header-encoder.ts'
import type { Output } from './output.ts'
import { FLAG, FRAME, FRAME_BYTES_DEFAULT, UINT31_MAX, WINDOW_DEFAULT } from './protocol.ts'
import type { Http2Stream } from './stream.ts'

/** Whom it tells of streams. */
export interface SentStreams {
  /** END_STREAM has been put into the output. */
  answered(stream: Http2Stream): void
}

/** With so much of the output's room taken it is written when an answer has ended, not at the end of the turn. */
const RIPE_SHARE = 0.75

export interface SenderEvents {
  /** The stream's queue has become empty; told once for each `wantsDrain`. */
  drained(stream: Http2Stream): void
}

/** Brings what is in the output to the socket. */
export interface OutputWriter {
  /** May be called from within anything; nothing happens while a write is under way. */
  flush(): void
  /** Nothing leaves before the next turn of the event loop, in which it flushes. */
  readonly isResting: boolean
}

export interface SenderLimits {
  /** Bytes that wait for the socket before streams have to wait. */
  readonly outputBytesMax: number
  /** Bytes that wait in streams for the peer to read before new answers have to wait. */
  readonly queuedBytesMax: number
}

export class Sender {
  /** The peer's SETTINGS_MAX_FRAME_SIZE. */
  frameBytesMax = FRAME_BYTES_DEFAULT
  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE. */
  initialWindow = WINDOW_DEFAULT
  /** The peer made its table smaller: the next block has to say that we use none (RFC 7541, section 4.2). */
  owesTableSize = false
  nowMs = 0
  /** Who writes within a turn; undefined: the output is taken between turns only. */
  writer: OutputWriter | undefined = undefined
  /** DATA that waits in streams. */
  queuedBytes = 0
  readonly #output: Output
  readonly #share: HeldShare
  readonly #outputBytesMax: number
  readonly #ripeBytes: number
  readonly #queuedBytesMax: number
  readonly #streams: SentStreams
  readonly #events: SenderEvents
  #window = WINDOW_DEFAULT
  #round: Http2Stream[] = []
  #waiting: (() => void)[] = []
  #isFlushing = false

  constructor(output: Output, limits: SenderLimits, share: HeldShare, streams: SentStreams, events: SenderEvents) {
    this.#output = output
    this.#share = share
    this.#outputBytesMax = limits.outputBytesMax
    this.#ripeBytes = limits.outputBytesMax * RIPE_SHARE
    this.#queuedBytesMax = limits.queuedBytesMax
    this.#streams = streams
    this.#events = events
  }

  headers(stream: Http2Stream, block: Buffer, endsStream: boolean): void {
    writeHeaderBlock(this.#output, stream.id, this.#owned(block), endsStream, this.frameBytesMax)
    if (endsStream) this.#streams.answered(stream)
  }

  /**
   * Room for the message of a `reply` with `head` and a prefix of `prefixBytes`, in the output itself: an answer that is written there
   * is not copied. It holds until anything else is sent; undefined where the answer cannot leave at once, or is large.
   */
  replyRoom(stream: Http2Stream, head: Buffer, prefixBytes: number, bytes: number): Buffer | undefined {
    if (!this.#isDirect(stream, prefixBytes + bytes)) return undefined
    return directRoom(this.#output, head, prefixBytes, bytes)
  }

  /**
   * A whole answer: headers, DATA of `prefix` and `message`, trailers. `message` must not be changed afterwards.
   * Where everything fits one frame and one slab it is copied once at most, and nothing is queued.
   */
  reply(stream: Http2Stream, head: Buffer, prefix: Buffer, message: Buffer, trailers: Buffer, borrowed?: Buffer): void {
    const bytes = prefix.length + message.length
    if (!this.#isDirect(stream, bytes) || trailers.length > TRAILERS_BYTES_MAX) {
      this.headers(stream, head, false)
      this.data(stream, prefix)
      this.data(stream, message, borrowed)
      this.end(stream, trailers)
    } else {
      this.#window -= bytes
      stream.sendWindow -= bytes
      writeReply(this.#output, stream.id, head, prefix, message, trailers)
      this.#streams.answered(stream)
    }
    if (this.#output.bytes >= this.#ripeBytes) this.writer?.flush()
  }

  /**
   * `bytes` must not be changed afterwards. They leave when windows and turns allow: `flush`. `borrowed` is the buffer of the output's
   * pool that they are in, if they are: it goes back there when they have left.
   */
  data(stream: Http2Stream, bytes: Buffer, borrowed?: Buffer): void {
    if (bytes.length === 0) return
    if (stream.queuedBytes === 0) stream.movedMs = this.nowMs
    stream.queue.push({ bytes, borrowed })
    stream.queuedBytes += bytes.length
    this.queuedBytes += bytes.length
    this.#enter(stream)
  }

  /** After what is queued come the trailers, or, without them, an END_STREAM. */
  end(stream: Http2Stream, trailers: Buffer | undefined): void {
    stream.isEnding = true
    stream.trailers = trailers
    this.#enter(stream)
    this.flush()
  }

  /** What waits for the peer, wherever. */
  get heldBytes(): number {
    return this.queuedBytes + this.#output.heldBytes
  }

  /** No more should be made now, because so much waits for the peer or it would leave no sooner: see `whenRoom`. */
  get isCrowded(): boolean {
    if (this.queuedBytes > this.#queuedBytesMax || this.writer?.isResting === true) return true
    const { all } = this.#share
    return all.bytes > all.scarceFrom && this.#share.isTooMuch(this.heldBytes)
  }

  /** Calls `begin` when that is over; several one after the other, as long as it is so. */
  whenRoom(begin: () => void): void {
    this.#waiting.push(begin)
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

  /** Sends what windows and the output have room for, and lets begin what waited for that. */
  flush(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    this.#sendRounds()
    while (this.#waiting.length > 0 && !this.isCrowded) {
      this.#waiting.shift()!()
      this.#sendRounds()
    }
    this.#isFlushing = false
  }

  #sendRounds(): void {
    let waiting: Http2Stream[] | undefined
    while (this.#round.length > 0 && this.#hasRoom()) {
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
      if (stream.wantsDrain && stream.queuedBytes === 0) {
        stream.wantsDrain = false
        this.#events.drained(stream)
      }
    }
    for (const stream of waiting ?? []) this.#enter(stream)
  }

  #isDirect(stream: Http2Stream, bytes: number): boolean {
    return (
      bytes <= DIRECT_BYTES_MAX &&
      bytes <= this.#window &&
      bytes <= stream.sendWindow &&
      this.#output.bytes < this.#outputBytesMax &&
      !this.owesTableSize
    )
  }

  /** There is room in the output, or there is when what is in it has been written. */
  #hasRoom(): boolean {
    if (this.#output.bytes >= this.#outputBytesMax) this.writer?.flush()
    return this.#output.bytes < this.#outputBytesMax
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
      const { bytes: piece, borrowed } = stream.queue[0]!
      const take = Math.min(left, piece.length - stream.queueFrom)
      this.#output.append(piece, stream.queueFrom, stream.queueFrom + take)
      left -= take
      stream.queueFrom += take
      if (stream.queueFrom === piece.length) {
        if (borrowed !== undefined) this.#output.giveBackWhenLeft(borrowed)
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
      this.#streams.answered(stream)
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
    this.#streams.answered(stream)
  }

  #owned(block: Buffer): Buffer {
    if (!this.owesTableSize) return block
    this.owesTableSize = false
    return Buffer.concat([TABLE_SIZE_ZERO, block])
  }
}
