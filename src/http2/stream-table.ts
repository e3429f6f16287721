/**
 * The streams of a connection by number, and what is known of those that are none any more (RFC 9113, section 5.1 and 5.1.1).
 *
 * Client streams have odd, rising numbers: one above the last is idle, one below that is not here is closed. Frames on a stream that
 * we reset may still be on their way and are ignored, so those are remembered for a while.
 */
import { ConnectionFault, ERROR, UINT31_MAX } from './protocol.ts'
import type { Http2Stream } from './stream.ts'

const RESETS_REMEMBERED = 1024
/** Calls whose stream is gone, but not their work, count too: resets must not be a way around the limit. */
const WORK_PER_STREAM = 2

export class StreamTable {
  readonly open = new Map<number, Http2Stream>()
  /** The highest stream that the peer has opened. */
  last = 0
  /** Streams above it came after our GOAWAY and are ignored. */
  lastServed = UINT31_MAX
  readonly #streamsMax: number
  readonly #recentlyReset = new Set<number>()
  #working = 0

  constructor(streamsMax: number) {
    this.#streamsMax = streamsMax
  }

  get isFull(): boolean {
    return this.open.size >= this.#streamsMax || this.#working >= this.#streamsMax * WORK_PER_STREAM
  }

  add(stream: Http2Stream): void {
    this.open.set(stream.id, stream)
    this.#working++
  }

  workEnded(stream: Http2Stream): void {
    if (!stream.isWorking) return
    stream.isWorking = false
    this.#working--
  }

  close(stream: Http2Stream): void {
    stream.isClosed = true
    this.open.delete(stream.id)
  }

  /** Its frames that are under way are to be ignored. Only so many are remembered: of an older one they are a fault. */
  wasReset(id: number): void {
    this.#recentlyReset.add(id)
    if (this.#recentlyReset.size <= RESETS_REMEMBERED) return
    const [oldest] = this.#recentlyReset
    this.#recentlyReset.delete(oldest!)
  }

  /** Whether HEADERS open the stream; if not, they are trailers or to be ignored. A `ConnectionFault` on a closed stream. */
  isNew(id: number): boolean {
    if (id % 2 === 0) throw violation(`HEADERS on stream ${id}: a client's streams have odd numbers (section 5.1.1)`)
    if (id > this.last) return true
    if (!this.open.has(id) && !this.#recentlyReset.has(id)) throw closed('HEADERS', id)
    return false
  }

  /** The open stream; undefined if frames of it are to be ignored. A `ConnectionFault` if there must be none. */
  get(id: number, frame: string, isAllowedOnClosed = false): Http2Stream | undefined {
    const stream = this.open.get(id)
    if (stream !== undefined) return stream
    if (id === 0) throw violation(`${frame} on stream 0 (section 6)`)
    if (id > this.last || id % 2 === 0) throw violation(`${frame} on stream ${id}, which is idle (section 5.1)`)
    if (isAllowedOnClosed || id > this.lastServed || this.#recentlyReset.has(id)) return undefined
    throw closed(frame, id)
  }
}

function violation(problem: string): ConnectionFault {
  return new ConnectionFault(ERROR.protocolError, problem)
}

function closed(frame: string, id: number): ConnectionFault {
  return new ConnectionFault(ERROR.streamClosed, `${frame} on stream ${id}, which is closed (section 5.1)`)
}
