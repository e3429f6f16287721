/**
 * The receiving half: what each kind of frame does (RFC 9113, section 6), to which stream, and which rule it may break.
 *
 * A rule of the connection ends it: a `ConnectionFault` is thrown. A rule of one stream costs only that stream.
 */
import type { ConnectionEvents } from './connection-limits.ts'
import type { FloodGuard } from './flood-guard.ts'
import {
  expectBytes,
  expectNoStream,
  frameSizeFault,
  PRIORITY_BYTES,
  refuseSelfDependency,
  violation,
} from './frame-faults.ts'
import { writePing, writeSettingsAck } from './frames.ts'
import { InboundData } from './inbound-data.ts'
import { InboundHeaders } from './inbound-headers.ts'
import type { InboundParts } from './inbound-parts.ts'
import { applySettings } from './peer-settings.ts'
import { ConnectionFault, ERROR, type ErrorNumber, FLAG, FRAME, UINT31_MAX } from './protocol.ts'
import type { Sender } from './sender.ts'
import type { StreamFaults } from './stream-faults.ts'
import type { StreamTable } from './stream-table.ts'

/** A window that opens by less makes answers of many frames with hardly anything in them (CVE-2019-9511). */
const WINDOW_STEP_MIN = 64

export class Inbound {
  readonly #parts: InboundParts
  readonly #events: ConnectionEvents
  readonly #guard: FloodGuard
  readonly #table: StreamTable
  readonly #faults: StreamFaults
  readonly #sender: Sender
  readonly #headers: InboundHeaders
  readonly #data: InboundData
  #hasSettings = false

  constructor(parts: InboundParts) {
    this.#parts = parts
    this.#events = parts.events
    this.#guard = parts.guard
    this.#table = parts.table
    this.#faults = parts.faults
    this.#sender = parts.sender
    this.#headers = new InboundHeaders(parts)
    this.#data = new InboundData(parts)
  }

  /** A header block has begun and not ended. */
  get isWithinBlock(): boolean {
    return this.#headers.streamUnderWay !== 0
  }

  rest(): void {
    this.#headers.rest()
  }

  /** `bytes[from, to)` is the payload. */
  frame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (!this.#hasSettings && (type !== FRAME.settings || (flags & FLAG.ack) !== 0)) {
      throw violation('the first frame is not SETTINGS (section 3.4)')
    }
    const { streamUnderWay } = this.#headers
    if (streamUnderWay !== 0 && (type !== FRAME.continuation || id !== streamUnderWay)) {
      throw violation('a frame stands between HEADERS and its CONTINUATION (section 6.10)')
    }
    switch (type) {
      case FRAME.data:
        this.#data.data(flags, id, bytes, from, to)
        break
      case FRAME.headers:
        this.#headers.headers(flags, id, bytes, from, to)
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
        this.#headers.continuation(flags, id, bytes, from, to)
        break
      default:
        // Section 4.1: frames of unknown types are ignored.
        this.#guard.emptyFrame()
    }
  }

  /** Priorities are ignored (section 5.3.2), but not what is malformed in them. */
  #onPriority(id: number, bytes: Buffer, from: number, to: number): void {
    if (id === 0) throw violation('PRIORITY on stream 0 (section 6.3)')
    this.#guard.emptyFrame()
    const stream = this.#table.open.get(id)
    if (to - from !== PRIORITY_BYTES && stream !== undefined) {
      this.#faults.reset(stream, ERROR.frameSizeError)
      return
    }
    expectBytes('PRIORITY', to - from, PRIORITY_BYTES, '6.3')
    refuseSelfDependency(id, bytes, from)
  }

  #onRstStream(id: number, bytes: Buffer, from: number, to: number): void {
    expectBytes('RST_STREAM', to - from, 4, '6.4')
    const stream = this.#table.get(id, 'RST_STREAM', true)
    this.#guard.reset()
    if (stream === undefined) return
    this.#table.close(stream)
    this.#events.aborted(stream, bytes.readUInt32BE(from) as ErrorNumber)
  }

  #onSettings(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    expectNoStream('SETTINGS', id, '6.5')
    this.#guard.emptyFrame()
    if ((flags & FLAG.ack) !== 0) {
      expectBytes('an acknowledgement of SETTINGS', to - from, 0, '6.5')
      return
    }
    this.#hasSettings = true
    this.#parts.liveness.greeted()
    applySettings(bytes, from, to, this.#sender, this.#table)
    writeSettingsAck(this.#parts.output)
  }

  #onPing(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    expectNoStream('PING', id, '6.7')
    expectBytes('PING', to - from, 8, '6.7')
    this.#guard.emptyFrame()
    if ((flags & FLAG.ack) === 0) {
      writePing(this.#parts.output, FLAG.ack, bytes, from)
      return
    }
    this.#parts.liveness.pingAnswered()
    this.#parts.gracefulEnd.pingAnswered(bytes.subarray(from, to))
  }

  #onGoaway(id: number, from: number, to: number): void {
    expectNoStream('GOAWAY', id, '6.8')
    if (to - from < 8) throw frameSizeFault('GOAWAY has less than eight bytes (section 6.8)')
    // It opens no more streams, and we never do: nothing changes.
    this.#guard.emptyFrame()
  }

  #onWindowUpdate(id: number, bytes: Buffer, from: number, to: number): void {
    expectBytes('WINDOW_UPDATE', to - from, 4, '6.9')
    const increment = bytes.readUInt32BE(from) & UINT31_MAX
    if (increment < WINDOW_STEP_MIN) this.#guard.emptyFrame()
    if (id === 0) {
      if (increment === 0) throw violation('WINDOW_UPDATE of 0 bytes (section 6.9)')
      if (!this.#sender.openConnectionWindow(increment)) {
        throw new ConnectionFault(ERROR.flowControlError, 'the window of the connection passes 2^31-1 (section 6.9.1)')
      }
      return
    }
    const stream = this.#table.get(id, 'WINDOW_UPDATE', true)
    if (stream === undefined) this.#guard.emptyFrame()
    else if (increment === 0) this.#faults.reset(stream, ERROR.protocolError)
    else if (!this.#sender.openStreamWindow(stream, increment)) this.#faults.reset(stream, ERROR.flowControlError)
  }
}
