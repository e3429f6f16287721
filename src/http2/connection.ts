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
import { FloodGuard, type FloodLimits } from './flood-guard.ts'
import {
  expectBytes,
  expectNoStream,
  frameSizeFault,
  headerFragment,
  PRIORITY_BYTES,
  refuseSelfDependency,
  unpadded,
  violation,
} from './frame-faults.ts'
import { FrameReader } from './frame-reader.ts'
import { writeGoaway, writePing, writeRstStream, writeSettings, writeSettingsAck, writeWindowUpdate } from './frames.ts'
import { HeaderBlockGatherer, type HeaderBlockLimits } from './header-block.ts'
import { HeaderDecoder } from './hpack/header-decoder.ts'
import type { HeaderList } from './hpack/header-list.ts'
import { type ConnectionTimes, Liveness } from './liveness.ts'
import { Output, type SlabPool } from './output.ts'
import { readSettings } from './peer-settings.ts'
import {
  ConnectionFault,
  ERROR,
  type ErrorNumber,
  FLAG,
  FRAME,
  FRAME_BYTES_DEFAULT,
  PREFACE,
  SETTING,
  UINT31_MAX,
  WINDOW_DEFAULT,
} from './protocol.ts'
import { requestRules, trailersFault } from './request-rules.ts'
import { Sender } from './sender.ts'
import { Http2Stream } from './stream.ts'
import { StreamTable } from './stream-table.ts'

export interface ConnectionLimits extends FloodLimits, HeaderBlockLimits {
  /** Streams at once: SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly streamsMax: number
  /** Bytes of one call's headers, by the measure of SETTINGS_MAX_HEADER_LIST_SIZE. */
  readonly headerListBytesMax: number
  /** Bytes that a peer may send on a stream before the layer above takes them: SETTINGS_INITIAL_WINDOW_SIZE. */
  readonly streamWindowBytes: number
  /** The same for the whole connection. */
  readonly connectionWindowBytes: number
  /** Bytes that wait for the socket before streams have to wait. */
  readonly outputBytesMax: number
  /** Bytes that wait in streams for the peer to read before new calls are refused. */
  readonly queuedBytesMax: number
  readonly times: ConnectionTimes
}

/** Called from within `receive`, `tick` and the calls that send; they may call back into the connection. */
export interface ConnectionEvents {
  /** A request: its headers, and whether nothing follows. The list may be too large: `isTooLarge`. */
  opened(stream: Http2Stream, headers: HeaderList, isEnded: boolean): void
  /** `bytes[from, to)` stays as it is; `take` gives the peer its window back. */
  data(stream: Http2Stream, bytes: Buffer, from: number, to: number): void
  /** END_STREAM has come after the headers, with the trailers if there were any. */
  ended(stream: Http2Stream, trailers: HeaderList | undefined): void
  /** The stream ended before its answer did: by the peer, by a fault of it, or with the connection. */
  aborted(stream: Http2Stream, code: ErrorNumber): void
  /** What was queued has become little; see `wantsDrain`. */
  drained(stream: Http2Stream): void
}

/** SETTINGS_HEADER_TABLE_SIZE as it is without being set. */
const TABLE_BYTES = 4096
/** Opaque; an acknowledgement has to bring them back. */
const KEEPALIVE_PING = Buffer.from('twinkeep', 'latin1')
const DRAIN_PING = Buffer.from('twindrop', 'latin1')

export class Http2Connection {
  readonly output: Output
  readonly sender: Sender
  /** Nothing more is read, and the socket is to be closed when the output has left. */
  isOver = false
  /** Why, if the peer or a limit made it end; undefined after a graceful end. */
  fault: ConnectionFault | undefined = undefined
  readonly #limits: ConnectionLimits
  readonly #events: ConnectionEvents
  readonly #reader: FrameReader
  readonly #decoder: HeaderDecoder
  readonly #block: HeaderBlockGatherer
  readonly #guard: FloodGuard
  readonly #liveness: Liveness
  readonly #table: StreamTable
  #prefaceBytes = 0
  #hasSettings = false
  /** Of the connection's window, what the peer has used and was not given back. */
  #receivedBytes = 0
  #drainBeganMs: number | undefined
  #nowMs: number

  constructor(limits: ConnectionLimits, events: ConnectionEvents, pool: SlabPool, nowMs: number) {
    this.#limits = limits
    this.#events = events
    this.#nowMs = nowMs
    this.#liveness = new Liveness(limits.times, nowMs)
    this.#table = new StreamTable(limits.streamsMax)
    this.output = new Output(pool)
    this.sender = new Sender(this.output, limits.outputBytesMax, {
      sent: (stream) => this.#sentAll(stream),
      drained: (stream) => events.drained(stream),
    })
    this.#reader = new FrameReader(FRAME_BYTES_DEFAULT, this.#onFrame.bind(this))
    this.#decoder = new HeaderDecoder({ tableBytesMax: TABLE_BYTES, listBytesMax: limits.headerListBytesMax })
    this.#block = new HeaderBlockGatherer(limits)
    this.#guard = new FloodGuard(limits, nowMs)
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
    this.#liveness.heard(nowMs)
    try {
      const from = this.#prefaceBytes < PREFACE.length ? this.#receivePreface(chunk) : 0
      if (from < chunk.length) this.#reader.receive(chunk, from)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#liveness.unfinished(this.#reader.isWithinFrame, this.#block.stream !== 0, nowMs)
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
    if (this.#liveness.isDue(nowMs)) this.drain(nowMs)
    if (this.#drainBeganMs !== undefined && nowMs - this.#drainBeganMs > graceMs) {
      this.#end(undefined, ERROR.noError, 'the time for a graceful end is over (grpc-connection-age-grace)')
    }
    this.sender.flush()
    this.#endIfDrained()
  }

  /** All that `output.take` gave has left. */
  sent(nowMs: number): void {
    this.#setTime(nowMs)
    this.#liveness.sent()
    this.output.left()
    if (this.isOver) return
    this.sender.flush()
    this.#endIfDrained()
  }

  /** What is taken from the output is on its way. */
  sending(nowMs: number): void {
    this.#liveness.sending(nowMs)
  }

  /** The peer is gone: every stream is aborted. */
  close(): void {
    if (!this.isOver) this.#end(undefined, ERROR.cancel, undefined)
  }

  /**
   * No new streams, and the end when those under way have ended (section 6.8): a GOAWAY that refuses nothing yet, and, when the peer
   * has answered a PING and so has seen it, one that does.
   */
  drain(nowMs: number): void {
    if (this.#drainBeganMs !== undefined || this.isOver) return
    this.#setTime(nowMs)
    this.#drainBeganMs = nowMs
    writeGoaway(this.output, UINT31_MAX, ERROR.noError, 'the server takes no new calls on this connection')
    writePing(this.output, 0, DRAIN_PING, 0)
  }

  /** The layer above is done with bytes of `data`; the peer may send as many more. */
  take(stream: Http2Stream, bytes: number): void {
    if (stream.isClosed || stream.isRemoteEnded) return
    stream.takenBytes += bytes
    if (stream.takenBytes * 2 < this.#limits.streamWindowBytes) return
    stream.receiveWindow += stream.takenBytes
    writeWindowUpdate(this.output, stream.id, stream.takenBytes)
    stream.takenBytes = 0
  }

  /** The work for the stream has ended; it may have been closed long before. */
  workEnded(stream: Http2Stream): void {
    this.#table.workEnded(stream)
  }

  /** Ends a stream at once, whatever it had to send. The layer above hears nothing of it. */
  reset(stream: Http2Stream, code: ErrorNumber): void {
    if (stream.isClosed) return
    writeRstStream(this.output, stream.id, code)
    this.#table.wasReset(stream.id)
    this.#close(stream)
  }

  #setTime(nowMs: number): void {
    this.#nowMs = nowMs
    this.sender.nowMs = nowMs
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

  #onFrame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (this.isOver) return
    if (!this.#hasSettings && (type !== FRAME.settings || (flags & FLAG.ack) !== 0)) {
      throw violation('the first frame is not SETTINGS (section 3.4)')
    }
    if (this.#block.stream !== 0 && (type !== FRAME.continuation || id !== this.#block.stream)) {
      throw violation('a frame stands between HEADERS and its CONTINUATION (section 6.10)')
    }
    switch (type) {
      case FRAME.data:
        this.#onData(flags, id, bytes, from, to)
        break
      case FRAME.headers:
        this.#onHeaders(flags, id, bytes, from, to)
        break
      case FRAME.priority:
        this.#onPriority(id, bytes, from, to)
        break
      case FRAME.rstStream:
        this.#onRstStream(id, bytes, from, to)
        break
      case FRAME.settings:
        this.#onSettings(flags, id, bytes, from, to)
        break
      case FRAME.pushPromise:
        throw violation('a client must not send PUSH_PROMISE (section 8.4)')
      case FRAME.ping:
        this.#onPing(flags, id, bytes, from, to)
        break
      case FRAME.goaway:
        this.#onGoaway(id, from, to)
        break
      case FRAME.windowUpdate:
        this.#onWindowUpdate(id, bytes, from, to)
        break
      case FRAME.continuation:
        this.#onContinuation(flags, id, bytes, from, to)
        break
      default:
        // Section 4.1: frames of unknown types are ignored.
        this.#guard.emptyFrame(this.#nowMs)
    }
  }

  #onData(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const stream = this.#table.get(id, 'DATA')
    // Section 6.9: padding counts too.
    this.#receivedConnectionBytes(to - from)
    if (to === from && (flags & FLAG.endStream) === 0) this.#guard.emptyFrame(this.#nowMs)
    if (stream === undefined) return
    if (stream.isRemoteEnded || to - from > stream.receiveWindow) {
      this.#resetByFault(stream, stream.isRemoteEnded ? ERROR.streamClosed : ERROR.flowControlError)
      return
    }
    stream.receiveWindow -= to - from
    const content = unpadded(flags, bytes, from, to)
    const contentBytes = content.to - content.from
    const isEnd = (flags & FLAG.endStream) !== 0
    if (stream.promisedBytes !== undefined) {
      stream.promisedBytes -= contentBytes
      const isWrong = stream.promisedBytes < 0 || (isEnd && stream.promisedBytes !== 0)
      if (isWrong) {
        this.#resetByFault(stream, ERROR.protocolError)
        return
      }
    }
    if (isEnd) stream.isRemoteEnded = true
    if (contentBytes > 0) this.#events.data(stream, bytes, content.from, content.to)
    // What was padding is taken as it came.
    const padding = to - from - contentBytes
    if (padding > 0) this.take(stream, padding)
    if (isEnd && !stream.isClosed) this.#events.ended(stream, undefined)
  }

  #onHeaders(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id === 0) throw violation('HEADERS on stream 0 (section 6.2)')
    const fragment = headerFragment(flags, id, bytes, from, to)
    const fragmentBytes = fragment.to - fragment.from
    const endsStream = (flags & FLAG.endStream) !== 0
    if ((flags & FLAG.endHeaders) !== 0) {
      if (fragmentBytes > this.#limits.blockBytesMax) {
        throw new ConnectionFault(
          ERROR.enhanceYourCalm,
          `a header block of ${fragmentBytes} bytes (http2-header-block-bytes-max)`,
        )
      }
      this.#onBlock(id, endsStream, bytes, fragment.from, fragment.to)
      return
    }
    if (fragmentBytes === 0) this.#guard.emptyFrame(this.#nowMs)
    this.#block.begin(id, endsStream, bytes.subarray(fragment.from, fragment.to))
  }

  #onContinuation(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (this.#block.stream === 0) throw violation(`CONTINUATION on stream ${id} without HEADERS (section 6.10)`)
    if (from === to) this.#guard.emptyFrame(this.#nowMs)
    const whole = this.#block.goOn(bytes.subarray(from, to), (flags & FLAG.endHeaders) !== 0)
    if (whole !== undefined) this.#onBlock(whole.stream, whole.endsStream, whole.bytes, 0, whole.bytes.length)
  }

  #onBlock(id: number, endsStream: boolean, bytes: Buffer, from: number, to: number): void {
    const isNew = this.#table.isNew(id)
    // Every block is decoded, even one that is ignored: the decoder's table follows the peer's.
    const headers = this.#decoder.decode(bytes, from, to)
    const stream = this.#table.open.get(id)
    if (stream !== undefined) this.#onTrailers(stream, headers, endsStream)
    else if (isNew) this.#open(id, headers, endsStream)
  }

  #open(id: number, headers: HeaderList, isEnded: boolean): void {
    this.#table.last = id
    if (id > this.#table.lastServed) return
    if (this.#table.isFull || this.sender.queuedBytes > this.#limits.queuedBytesMax) {
      this.#guard.reset(this.#nowMs)
      this.#table.wasReset(id)
      writeRstStream(this.output, id, ERROR.refusedStream)
      return
    }
    const rules = requestRules(headers)
    if (rules.fault !== undefined || (isEnded && (rules.contentLength ?? 0) !== 0)) {
      this.#guard.reset(this.#nowMs)
      this.#table.wasReset(id)
      writeRstStream(this.output, id, ERROR.protocolError)
      return
    }
    const stream = new Http2Stream(id, this.sender.initialWindow, this.#limits.streamWindowBytes)
    stream.isRemoteEnded = isEnded
    stream.promisedBytes = rules.contentLength
    this.#table.add(stream)
    this.#liveness.busy()
    this.#events.opened(stream, headers, isEnded)
  }

  #onTrailers(stream: Http2Stream, headers: HeaderList, endsStream: boolean): void {
    if (stream.isRemoteEnded) {
      throw new ConnectionFault(ERROR.streamClosed, `HEADERS on stream ${stream.id} after its end (section 5.1)`)
    }
    const isWrong = !endsStream || (stream.promisedBytes ?? 0) !== 0 || trailersFault(headers) !== undefined
    if (isWrong) {
      this.#resetByFault(stream, ERROR.protocolError)
      return
    }
    stream.isRemoteEnded = true
    this.#events.ended(stream, headers)
  }

  /** Priorities are ignored (section 5.3.2), but not what is malformed in them. */
  #onPriority(id: number, bytes: Buffer, from: number, to: number): void {
    if (id === 0) throw violation('PRIORITY on stream 0 (section 6.3)')
    this.#guard.emptyFrame(this.#nowMs)
    const stream = this.#table.open.get(id)
    if (to - from !== PRIORITY_BYTES && stream !== undefined) {
      this.#resetByFault(stream, ERROR.frameSizeError)
      return
    }
    expectBytes('PRIORITY', to - from, PRIORITY_BYTES, '6.3')
    refuseSelfDependency(id, bytes, from)
  }

  #onRstStream(id: number, bytes: Buffer, from: number, to: number): void {
    expectBytes('RST_STREAM', to - from, 4, '6.4')
    const stream = this.#table.get(id, 'RST_STREAM', true)
    this.#guard.reset(this.#nowMs)
    if (stream === undefined) return
    this.#close(stream)
    this.#events.aborted(stream, bytes.readUInt32BE(from) as ErrorNumber)
  }

  #onSettings(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    expectNoStream('SETTINGS', id, '6.5')
    this.#guard.emptyFrame(this.#nowMs)
    if ((flags & FLAG.ack) !== 0) {
      expectBytes('an acknowledgement of SETTINGS', to - from, 0, '6.5')
      return
    }
    this.#hasSettings = true
    this.#liveness.greeted()
    readSettings(bytes, from, to, (setting, value) => this.#applySetting(setting, value))
    writeSettingsAck(this.output)
  }

  #applySetting(setting: number, value: number): void {
    switch (setting) {
      case SETTING.headerTableSize:
        // We use no table of the peer's; only when it is made smaller than it is at first, the next block has to say so.
        if (value < TABLE_BYTES) this.sender.owesTableSize = true
        return
      case SETTING.initialWindowSize: {
        // Section 6.9.2: the windows of open streams change with it.
        const change = value - this.sender.initialWindow
        this.sender.initialWindow = value
        for (const stream of this.streams.values()) {
          if (!this.sender.openStreamWindow(stream, change)) {
            throw new ConnectionFault(
              ERROR.flowControlError,
              'SETTINGS makes a window larger than 2^31-1 (section 6.9.2)',
            )
          }
        }
        return
      }
      case SETTING.maxFrameSize:
        this.sender.frameBytesMax = value
    }
  }

  #onPing(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    expectNoStream('PING', id, '6.7')
    expectBytes('PING', to - from, 8, '6.7')
    if ((flags & FLAG.ack) === 0) {
      this.#guard.emptyFrame(this.#nowMs)
      writePing(this.output, FLAG.ack, bytes, from)
      return
    }
    this.#liveness.pingAnswered()
    const isOfDrain = this.#drainBeganMs !== undefined && DRAIN_PING.compare(bytes, from, to) === 0
    if (!isOfDrain || this.#table.lastServed !== UINT31_MAX) return
    this.#table.lastServed = this.#table.last
    writeGoaway(this.output, this.#table.last, ERROR.noError, 'the server takes no new calls on this connection')
  }

  #onGoaway(id: number, from: number, to: number): void {
    expectNoStream('GOAWAY', id, '6.8')
    if (to - from < 8) throw frameSizeFault('GOAWAY has less than eight bytes (section 6.8)')
    // It opens no more streams, and we never do: nothing changes.
    this.#guard.emptyFrame(this.#nowMs)
  }

  #onWindowUpdate(id: number, bytes: Buffer, from: number, to: number): void {
    expectBytes('WINDOW_UPDATE', to - from, 4, '6.9')
    const increment = bytes.readUInt32BE(from) & UINT31_MAX
    if (id === 0) {
      if (increment === 0) throw violation('WINDOW_UPDATE of 0 bytes (section 6.9)')
      if (!this.sender.openConnectionWindow(increment)) {
        throw new ConnectionFault(ERROR.flowControlError, 'the window of the connection passes 2^31-1 (section 6.9.1)')
      }
      return
    }
    const stream = this.#table.get(id, 'WINDOW_UPDATE', true)
    if (stream === undefined) this.#guard.emptyFrame(this.#nowMs)
    else if (increment === 0) this.#resetByFault(stream, ERROR.protocolError)
    else if (!this.sender.openStreamWindow(stream, increment)) this.#resetByFault(stream, ERROR.flowControlError)
  }

  /** The connection's window is given back as bytes come: what is bounded are the streams' windows. */
  #receivedConnectionBytes(bytes: number): void {
    this.#receivedBytes += bytes
    const window = Math.max(WINDOW_DEFAULT, this.#limits.connectionWindowBytes)
    if (this.#receivedBytes > window) {
      throw new ConnectionFault(ERROR.flowControlError, 'more DATA than the window of the connection has room for')
    }
    if (this.#receivedBytes * 2 < window) return
    writeWindowUpdate(this.output, 0, this.#receivedBytes)
    this.#receivedBytes = 0
  }

  #resetByFault(stream: Http2Stream, code: ErrorNumber): void {
    this.#guard.reset(this.#nowMs)
    this.reset(stream, code)
    this.#events.aborted(stream, code)
  }

  #sentAll(stream: Http2Stream): void {
    // The answer is whole before the request was: what the peer still sends is not wanted (section 8.1).
    if (!stream.isRemoteEnded) {
      writeRstStream(this.output, stream.id, ERROR.noError)
      this.#table.wasReset(stream.id)
    }
    this.#close(stream)
  }

  #close(stream: Http2Stream): void {
    this.#table.close(stream)
    this.sender.drop(stream)
    if (this.streams.size === 0) this.#liveness.idle(this.#nowMs)
  }

  #resetStalled(beforeMs: number): void {
    for (const stream of this.streams.values()) {
      if (stream.queuedBytes === 0 || stream.movedMs > beforeMs) continue
      this.#resetByFault(stream, ERROR.enhanceYourCalm)
    }
  }

  #endIfDrained(): void {
    const isDrained = this.#table.lastServed !== UINT31_MAX && this.streams.size === 0
    if (isDrained && !this.isOver) this.#end(undefined, ERROR.noError, undefined)
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
    for (const stream of streams) this.#close(stream)
    for (const stream of streams) this.#events.aborted(stream, code)
  }
}
