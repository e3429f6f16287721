/**
 * The receiving half: what each kind of frame does (RFC 9113, section 6), to which stream, and which rule it may break.
 *
 * A rule of the connection ends it: a `ConnectionFault` is thrown. A rule of one stream costs only that stream.
 */
import type { ConnectionEvents, ConnectionLimits } from './connection-limits.ts'
import type { FloodGuard } from './flood-guard.ts'
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
import { writePing, writeSettingsAck, writeWindowUpdate } from './frames.ts'
import { HeaderBlockGatherer } from './header-block.ts'
import { HeaderDecoder } from './hpack/header-decoder.ts'
import type { HeaderList } from './hpack/header-list.ts'
import type { Output } from './output.ts'
import { readSettings } from './peer-settings.ts'
import {
  ConnectionFault,
  ERROR,
  type ErrorNumber,
  FLAG,
  FRAME,
  SETTING,
  UINT31_MAX,
  WINDOW_DEFAULT,
} from './protocol.ts'
import { requestRules, trailersFault } from './request-rules.ts'
import type { Sender } from './sender.ts'
import { Http2Stream } from './stream.ts'
import type { StreamTable } from './stream-table.ts'

/** SETTINGS_HEADER_TABLE_SIZE as it is without being set. */
const TABLE_BYTES = 4096
/** A window that opens by less makes answers of many frames with hardly anything in them (CVE-2019-9511). */
const WINDOW_STEP_MIN = 64

export interface InboundParts {
  readonly limits: ConnectionLimits
  readonly events: ConnectionEvents
  readonly guard: FloodGuard
  readonly table: StreamTable
  readonly sender: Sender
  readonly output: Output
  /** The peer's first SETTINGS have come. */
  readonly onGreeted: () => void
  readonly onPingAnswer: (payload: Buffer) => void
}

export class Inbound {
  nowMs = 0
  readonly #limits: ConnectionLimits
  readonly #events: ConnectionEvents
  readonly #guard: FloodGuard
  readonly #table: StreamTable
  readonly #sender: Sender
  readonly #output: Output
  readonly #parts: InboundParts
  readonly #decoder: HeaderDecoder
  readonly #block: HeaderBlockGatherer
  #hasSettings = false
  /** Of the connection's window, what the peer has used and was not given back. */
  #receivedBytes = 0

  constructor(parts: InboundParts) {
    const { limits } = parts
    this.#parts = parts
    this.#limits = limits
    this.#events = parts.events
    this.#guard = parts.guard
    this.#table = parts.table
    this.#sender = parts.sender
    this.#output = parts.output
    this.#decoder = new HeaderDecoder({ tableBytesMax: TABLE_BYTES, listBytesMax: limits.headerListBytesMax })
    this.#block = new HeaderBlockGatherer(limits)
  }

  /** A header block has begun and not ended. */
  get isWithinBlock(): boolean {
    return this.#block.stream !== 0
  }

  /** `bytes[from, to)` is the payload. */
  frame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
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
        this.#guard.emptyFrame(this.nowMs)
    }
  }

  #onData(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const stream = this.#table.get(id, 'DATA')
    // Section 6.9: padding counts too.
    this.#receivedConnectionBytes(to - from)
    if (stream === undefined) {
      if (to === from) this.#guard.emptyFrame(this.nowMs)
      return
    }
    if (stream.isRemoteEnded || to - from > stream.receiveWindow) {
      this.#resetByFault(stream, stream.isRemoteEnded ? ERROR.streamClosed : ERROR.flowControlError)
      return
    }
    stream.receiveWindow -= to - from
    const content = unpadded(flags, bytes, from, to)
    const contentBytes = content.to - content.from
    const isEnd = (flags & FLAG.endStream) !== 0
    if (contentBytes === 0 && !isEnd) this.#guard.emptyFrame(this.nowMs)
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
    if (padding > 0) this.#table.take(stream, padding)
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
    if (fragmentBytes === 0) this.#guard.emptyFrame(this.nowMs)
    this.#block.begin(id, endsStream, bytes.subarray(fragment.from, fragment.to))
  }

  #onContinuation(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (this.#block.stream === 0) throw violation(`CONTINUATION on stream ${id} without HEADERS (section 6.10)`)
    if (from === to) this.#guard.emptyFrame(this.nowMs)
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
    if (this.#table.isFull) {
      this.#refuse(id, ERROR.refusedStream)
      return
    }
    const rules = requestRules(headers)
    if (rules.fault !== undefined || (isEnded && (rules.contentLength ?? 0) !== 0)) {
      this.#refuse(id, ERROR.protocolError)
      return
    }
    const stream = new Http2Stream(id, this.#sender.initialWindow, this.#limits.streamWindowBytes)
    stream.isRemoteEnded = isEnded
    stream.promisedBytes = rules.contentLength
    this.#table.add(stream)
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
    this.#guard.emptyFrame(this.nowMs)
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
    this.#guard.reset(this.nowMs)
    if (stream === undefined) return
    this.#table.close(stream)
    this.#events.aborted(stream, bytes.readUInt32BE(from) as ErrorNumber)
  }

  #onSettings(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    expectNoStream('SETTINGS', id, '6.5')
    this.#guard.emptyFrame(this.nowMs)
    if ((flags & FLAG.ack) !== 0) {
      expectBytes('an acknowledgement of SETTINGS', to - from, 0, '6.5')
      return
    }
    this.#hasSettings = true
    this.#parts.onGreeted()
    readSettings(bytes, from, to, (setting, value) => this.#applySetting(setting, value))
    writeSettingsAck(this.#output)
  }

  #applySetting(setting: number, value: number): void {
    switch (setting) {
      case SETTING.headerTableSize:
        // We use no table of the peer's; only when it is made smaller than it is at first, the next block has to say so.
        if (value < TABLE_BYTES) this.#sender.owesTableSize = true
        return
      case SETTING.initialWindowSize: {
        // Section 6.9.2: the windows of open streams change with it.
        const change = value - this.#sender.initialWindow
        this.#sender.initialWindow = value
        for (const stream of this.#table.open.values()) {
          if (!this.#sender.openStreamWindow(stream, change)) {
            throw new ConnectionFault(
              ERROR.flowControlError,
              'SETTINGS makes a window larger than 2^31-1 (section 6.9.2)',
            )
          }
        }
        return
      }
      case SETTING.maxFrameSize:
        this.#sender.frameBytesMax = value
    }
  }

  #onPing(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    expectNoStream('PING', id, '6.7')
    expectBytes('PING', to - from, 8, '6.7')
    this.#guard.emptyFrame(this.nowMs)
    if ((flags & FLAG.ack) === 0) {
      writePing(this.#output, FLAG.ack, bytes, from)
      return
    }
    this.#parts.onPingAnswer(bytes.subarray(from, to))
  }

  #onGoaway(id: number, from: number, to: number): void {
    expectNoStream('GOAWAY', id, '6.8')
    if (to - from < 8) throw frameSizeFault('GOAWAY has less than eight bytes (section 6.8)')
    // It opens no more streams, and we never do: nothing changes.
    this.#guard.emptyFrame(this.nowMs)
  }

  #onWindowUpdate(id: number, bytes: Buffer, from: number, to: number): void {
    expectBytes('WINDOW_UPDATE', to - from, 4, '6.9')
    const increment = bytes.readUInt32BE(from) & UINT31_MAX
    if (increment < WINDOW_STEP_MIN) this.#guard.emptyFrame(this.nowMs)
    if (id === 0) {
      if (increment === 0) throw violation('WINDOW_UPDATE of 0 bytes (section 6.9)')
      if (!this.#sender.openConnectionWindow(increment)) {
        throw new ConnectionFault(ERROR.flowControlError, 'the window of the connection passes 2^31-1 (section 6.9.1)')
      }
      return
    }
    const stream = this.#table.get(id, 'WINDOW_UPDATE', true)
    if (stream === undefined) this.#guard.emptyFrame(this.nowMs)
    else if (increment === 0) this.#resetByFault(stream, ERROR.protocolError)
    else if (!this.#sender.openStreamWindow(stream, increment)) this.#resetByFault(stream, ERROR.flowControlError)
  }

  /** The connection's window is given back as bytes come: what is bounded are the streams' windows. */
  #receivedConnectionBytes(bytes: number): void {
    this.#receivedBytes += bytes
    const window = Math.max(WINDOW_DEFAULT, this.#limits.connectionWindowBytes)
    if (this.#receivedBytes > window) {
      throw new ConnectionFault(ERROR.flowControlError, 'more DATA than the window of the connection has room for')
    }
    if (this.#receivedBytes * 2 < window) return
    writeWindowUpdate(this.#output, 0, this.#receivedBytes)
    this.#receivedBytes = 0
  }

  #refuse(id: number, code: ErrorNumber): void {
    this.#guard.reset(this.nowMs)
    this.#table.refuse(id, code)
  }

  #resetByFault(stream: Http2Stream, code: ErrorNumber): void {
    this.#guard.reset(this.nowMs)
    this.#table.reset(stream, code)
    this.#events.aborted(stream, code)
  }
}
