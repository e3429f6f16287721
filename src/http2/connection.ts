/**
 * The server's side of an HTTP/2 connection (RFC 9113) without a socket, a clock or randomness: bytes and the time go in, events and
 * bytes come out. What a socket, a timer and a service do with it is up to the layers around it.
 *
 * `receive` takes what came, calls the events in their order, and puts answers of the protocol itself (acknowledgements, window
 * updates, resets) into the output. A peer that breaks a rule of the connection gets a GOAWAY that says which, and
 * `isOver` tells the shell to close once the output has left. A rule of one stream costs only that stream.
 *
 * Bounds: `streamsMax` streams, twice as many calls whose stream is gone but whose work is not, one window of received bytes and
 * `queuedBytesMax` of unsent ones, one header block under way, one frame under way, and what `FloodGuard` lets pass.
 */
import type { ConnectionEvents, ConnectionLimits, SharedMemory } from './connection-limits.ts'
import { FloodGuard } from './flood-guard.ts'
import { FrameReader } from './frame-reader.ts'
import { writeGoaway, writePing, writeSettings, writeWindowUpdate } from './frames.ts'
import { GracefulEnd } from './graceful-end.ts'
import { HeldShare } from './held-bytes.ts'
import { Inbound } from './inbound.ts'
import { Liveness } from './liveness.ts'
import { type BufferPool, Output } from './output.ts'
import {
  ConnectionFault,
  ERROR,
  type ErrorNumber,
  FRAME_BYTES_DEFAULT,
  PREFACE,
  SETTING,
  WINDOW_DEFAULT,
} from './protocol.ts'
import { Sender } from './sender.ts'
import type { Http2Stream } from './stream.ts'
import { StreamFaults } from './stream-faults.ts'
import { StreamTable } from './stream-table.ts'

export type { ConnectionEvents, ConnectionLimits, SharedMemory } from './connection-limits.ts'

/** Opaque; an acknowledgement has to bring it back. */
const KEEPALIVE_PING = Buffer.from('twinkeep', 'latin1')

export class Http2Connection {
  readonly output: Output
  readonly pool: BufferPool
  readonly sender: Sender
  /** What it holds of what all may. */
  readonly share: HeldShare
  /** Nothing more is read, and the socket is to be closed when the output has left. */
  isOver = false
  /** Why, if the peer or a limit made it end; undefined after a graceful end. */
  fault: ConnectionFault | undefined = undefined
  readonly #limits: ConnectionLimits
  readonly #events: ConnectionEvents
  readonly #reader: FrameReader
  readonly #guard: FloodGuard
  readonly #liveness: Liveness
  readonly #table: StreamTable
  readonly #faults: StreamFaults
  readonly #inbound: Inbound
  readonly #gracefulEnd: GracefulEnd
  #prefaceBytes = 0
  #nowMs: number

  constructor(limits: ConnectionLimits, events: ConnectionEvents, shared: SharedMemory, nowMs: number) {
    this.#limits = limits
    this.#events = events
    this.#nowMs = nowMs
    this.pool = shared.pool
    this.output = new Output(shared.pool)
    this.share = new HeldShare(shared.held)
    this.#liveness = new Liveness(limits.times, nowMs)
    this.#table = new StreamTable(limits, this.output)
    this.sender = new Sender(this.output, limits, this.share, this.#table, events)
    this.#table.sender = this.sender
    this.#gracefulEnd = new GracefulEnd(this.output, this.#table)
    this.#guard = new FloodGuard(limits, nowMs)
    this.#faults = new StreamFaults(this.#guard, this.#table, events)
    this.#inbound = new Inbound({
      limits,
      events,
      guard: this.#guard,
      table: this.#table,
      faults: this.#faults,
      sender: this.sender,
      output: this.output,
      liveness: this.#liveness,
      gracefulEnd: this.#gracefulEnd,
    })
    this.#reader = new FrameReader(FRAME_BYTES_DEFAULT, this.#inbound)
    // Section 3.4: a server's preface is its SETTINGS.
    writeSettings(this.output, [
      SETTING.maxConcurrentStreams,
      limits.streamsMax,
      SETTING.initialWindowSize,
      limits.streamWindowBytes,
      SETTING.maxHeaderListSize,
      limits.headerListBytesMax,
    ])
    if (limits.connectionWindowBytes > WINDOW_DEFAULT) {
      writeWindowUpdate(this.output, 0, limits.connectionWindowBytes - WINDOW_DEFAULT)
    }
  }

  get streams(): ReadonlyMap<number, Http2Stream> {
    return this.#table.open
  }

  /** The peer reads nothing of what is sent to it: what is left of the output will not leave. */
  get isStuck(): boolean {
    return this.#liveness.isStuck(this.#nowMs)
  }

  /** What came from the peer. Events get parts of `chunk`, which must stay as it is. */
  receive(chunk: Buffer, nowMs: number): void {
    if (this.isOver) return
    this.#setTime(nowMs)
    try {
      const from = this.#prefaceBytes < PREFACE.length ? this.#receivePreface(chunk) : 0
      if (from < chunk.length) this.#reader.receive(chunk, from)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#liveness.received(this.#reader.isWithinFrame, this.#inbound.isWithinBlock, nowMs)
    this.#events.received()
    this.sender.flush()
    this.#endIfDrained()
  }

  /** Time passes: to be called every second or so. */
  tick(nowMs: number): void {
    if (this.isOver) return
    this.#setTime(nowMs)
    const { stallMs, graceMs } = this.#limits.times
    try {
      if (this.#liveness.check(nowMs)) writePing(this.output, 0, KEEPALIVE_PING, 0)
      this.#resetStalled(nowMs - stallMs)
    } catch (error) {
      this.#fail(error)
      return
    }
    if (this.streams.size === 0 && this.#liveness.isQuiet(nowMs)) this.#rest()
    if (this.#liveness.isDue(this.streams.size > 0, nowMs)) this.drain(nowMs)
    if (this.#gracefulEnd.isLate(graceMs, nowMs)) {
      this.#end(undefined, ERROR.noError, 'the time for a graceful end is over (grpc-connection-age-grace)')
    }
    this.sender.flush()
    this.#endIfDrained()
  }

  /** All that `output.take` gave has left. */
  sent(nowMs: number): void {
    this.#setTime(nowMs)
    this.#liveness.sent()
    this.share.left(this.output.leavingBytes)
    this.output.left()
    if (this.isOver) return
    this.sender.flush()
    this.#endIfDrained()
  }

  /** What is taken from the output is on its way. */
  sending(nowMs: number): void {
    this.#liveness.sending(nowMs)
  }

  /** To be called after whatever made output, or took it: what is held is counted then. */
  settle(): void {
    this.share.settle(this.sender.heldBytes)
  }

  /** The peer holds too much of what all may, and does not read. */
  giveUp(): void {
    const bytes = this.share.all.bytesMax
    const words = `more than ${bytes} bytes wait for clients to read, much of it for this one`
    if (!this.isOver) {
      this.#fail(new ConnectionFault(ERROR.enhanceYourCalm, words, 'http2-queued-bytes-total-max'))
    }
  }

  /** The peer is gone: every stream is aborted, and what it had to send is nobody's. */
  close(): void {
    if (!this.isOver) this.#end(undefined, ERROR.cancel, undefined)
    this.share.settle(0)
  }

  /** No new streams, and the end when those under way have ended. */
  drain(nowMs: number): void {
    if (this.isOver) return
    this.#setTime(nowMs)
    this.#gracefulEnd.begin(nowMs)
  }

  /** The layer above is done with bytes of `data`; the peer may send as many more. */
  take(stream: Http2Stream, bytes: number): void {
    this.#table.take(stream, bytes)
  }

  /** The work for the stream has ended; it may have been closed long before. */
  workEnded(stream: Http2Stream): void {
    this.#table.workEnded(stream)
  }

  /** Ends a stream at once, whatever it had to send. The layer above hears nothing of it. */
  reset(stream: Http2Stream, code: ErrorNumber): void {
    this.#table.reset(stream, code)
  }

  #setTime(nowMs: number): void {
    this.#nowMs = nowMs
    this.sender.nowMs = nowMs
    this.#guard.nowMs = nowMs
  }

  /** Returns where frames begin in the chunk. */
  #receivePreface(chunk: Buffer): number {
    const bytes = Math.min(PREFACE.length - this.#prefaceBytes, chunk.length)
    if (PREFACE.compare(chunk, 0, bytes, this.#prefaceBytes, this.#prefaceBytes + bytes) !== 0) {
      throw new ConnectionFault(
        ERROR.protocolError,
        'the connection does not begin with the HTTP/2 preface (section 3.4)',
      )
    }
    this.#prefaceBytes += bytes
    return bytes
  }

  /** What makes the next call a little faster is not worth keeping for a connection that has none. */
  #rest(): void {
    this.#table.rest()
    this.#inbound.rest()
  }

  #resetStalled(beforeMs: number): void {
    for (const stream of this.streams.values()) {
      const isStalled = stream.queuedBytes > 0 && stream.movedMs <= beforeMs
      if (isStalled) this.#faults.reset(stream, ERROR.enhanceYourCalm)
    }
  }

  #endIfDrained(): void {
    if (this.#gracefulEnd.isDone && !this.isOver) this.#end(undefined, ERROR.noError, undefined)
  }

  #fail(error: unknown): void {
    if (!(error instanceof ConnectionFault)) throw error
    this.#end(error, error.code, error.message)
  }

  #end(fault: ConnectionFault | undefined, code: ErrorNumber, words: string | undefined): void {
    this.isOver = true
    this.fault = fault
    this.#reader.stop()
    if (words !== undefined) writeGoaway(this.output, this.#table.last, code, words)
    const streams = [...this.streams.values()]
    for (const stream of streams) this.#table.close(stream)
    for (const stream of streams) this.#events.aborted(stream, code)
  }
}
