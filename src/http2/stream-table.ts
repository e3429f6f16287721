/**
 * The streams of a connection by number, and what is known of those that are none any more (RFC 9113, section 5.1 and 5.1.1).
 *
 * Client streams have odd, rising numbers: one above the last is idle, one below that is not here is closed. Frames on a stream that
 * we reset may still be on their way and are ignored, so those are remembered for a while.
 */
import { writeRstStream, writeWindowUpdate } from './frames.ts'
import type { Output } from './output.ts'
import { ConnectionFault, ERROR, type ErrorNumber, UINT31_MAX } from './protocol.ts'
import type { Http2Stream } from './stream.ts'

const RESETS_REMEMBERED = 1024
/** Calls whose stream is gone, but not their work, count too: resets must not be a way around the limit. */
const WORK_PER_STREAM = 2

export interface StreamLimits {
  /** Streams at once. */
  readonly streamsMax: number
  /** Bytes that the peer may send on each before the layer above takes them. */
  readonly streamWindowBytes: number
}

const NO_STREAMS: ReadonlyMap<number, Http2Stream> = new Map()

export interface StreamSender {
  drop(stream: Http2Stream): void
}

export class StreamTable {
  /** The highest stream that the peer has opened. */
  last = 0
  /** Streams above it came after our GOAWAY and are ignored. */
  lastServed = UINT31_MAX
  /** Told of every stream that leaves the table. Sender and table know each other: it is set when both are there. */
  sender: StreamSender | undefined
  /** Our last GOAWAY has been sent: what is open is all there will be. */
  isClosing = false
  readonly #streamsMax: number
  readonly #streamWindowBytes: number
  readonly #output: Output
  /** Made for the first stream, and for the first after a rest. */
  #open: Map<number, Http2Stream> | undefined
  /** Made for the first that is reset. */
  #recentlyReset: Set<number> | undefined
  #working = 0

  constructor(limits: StreamLimits, output: Output) {
    this.#streamsMax = limits.streamsMax
    this.#streamWindowBytes = limits.streamWindowBytes
    this.#output = output
  }

  get open(): ReadonlyMap<number, Http2Stream> {
    return this.#open ?? NO_STREAMS
  }

  get isFull(): boolean {
    return this.open.size >= this.#streamsMax || this.#working >= this.#streamsMax * WORK_PER_STREAM
  }

  add(stream: Http2Stream): void {
    this.#open ??= new Map()
    this.#open.set(stream.id, stream)
    this.#working++
  }

  workEnded(stream: Http2Stream): void {
    if (!stream.isWorking) return
    stream.isWorking = false
    this.#working--
  }

  close(stream: Http2Stream): void {
    stream.isClosed = true
    this.#open?.delete(stream.id)
    this.sender?.drop(stream)
  }

  /** END_STREAM has left. */
  answered(stream: Http2Stream): void {
    // The answer is whole before the request was: what the peer still sends is not wanted (section 8.1).
    if (stream.isRemoteEnded) this.close(stream)
    else this.reset(stream, ERROR.noError)
  }

  /** Ends a stream at once, whatever it had to send. */
  reset(stream: Http2Stream, code: ErrorNumber): void {
    if (stream.isClosed) return
    this.refuse(stream.id, code)
    this.close(stream)
  }

  /** Resets a stream that was not opened here. Only so many are remembered: frames on an older one are a fault. */
  refuse(id: number, code: ErrorNumber): void {
    writeRstStream(this.#output, id, code)
    this.#recentlyReset ??= new Set()
    this.#recentlyReset.add(id)
    if (this.#recentlyReset.size <= RESETS_REMEMBERED) return
    const [oldest] = this.#recentlyReset
    this.#recentlyReset.delete(oldest!)
  }

  /** The layer above is done with so many bytes; the peer may send as many more. */
  take(stream: Http2Stream, bytes: number): void {
    if (stream.isClosed || stream.isRemoteEnded) return
    stream.takenBytes += bytes
    if (stream.takenBytes * 2 < this.#streamWindowBytes) return
    stream.receiveWindow += stream.takenBytes
    writeWindowUpdate(this.#output, stream.id, stream.takenBytes)
    stream.takenBytes = 0
  }

  /** Whether HEADERS open the stream; if not, they are trailers or to be ignored. A `ConnectionFault` on a closed stream. */
  isNew(id: number): boolean {
    if (id % 2 === 0) throw violation(`HEADERS on stream ${id}: a client's streams have odd numbers (section 5.1.1)`)
    if (id > this.last) return true
    if (!this.open.has(id) && this.#recentlyReset?.has(id) !== true) throw closed('HEADERS', id)
    return false
  }

  /** No call is under way, and may not be for a while. */
  rest(): void {
    this.#open = undefined
  }

  /** The open stream; undefined if frames of it are to be ignored. A `ConnectionFault` if there must be none. */
  get(id: number, frame: string, isAllowedOnClosed = false): Http2Stream | undefined {
    const stream = this.open.get(id)
    if (stream !== undefined) return stream
    if (id === 0) throw violation(`${frame} on stream 0 (section 6)`)
    if (id > this.last || id % 2 === 0) throw violation(`${frame} on stream ${id}, which is idle (section 5.1)`)
    if (isAllowedOnClosed || id > this.lastServed || this.#recentlyReset?.has(id) === true) return undefined
    throw closed(frame, id)
  }
}

function violation(problem: string): ConnectionFault {
  return new ConnectionFault(ERROR.protocolError, problem)
}

function closed(frame: string, id: number): ConnectionFault {
  return new ConnectionFault(ERROR.streamClosed, `${frame} on stream ${id}, which is closed (section 5.1)`)
}
