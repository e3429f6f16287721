/** DATA, and the windows that the peer has to keep to (RFC 9113, section 6.1 and 6.9). */
import type { ConnectionEvents } from './connection-limits.ts'
import type { FloodGuard } from './flood-guard.ts'
import { unpadded } from './frame-faults.ts'
import { writeWindowUpdate } from './frames.ts'
import type { InboundParts } from './inbound-parts.ts'
import type { Output } from './output.ts'
import { ConnectionFault, ERROR, FLAG, WINDOW_DEFAULT } from './protocol.ts'
import type { StreamFaults } from './stream-faults.ts'
import type { StreamTable } from './stream-table.ts'

export class InboundData {
  readonly #events: ConnectionEvents
  readonly #guard: FloodGuard
  readonly #table: StreamTable
  readonly #faults: StreamFaults
  readonly #output: Output
  readonly #windowBytes: number
  /** Of the connection's window, what the peer has used and was not given back. */
  #receivedBytes = 0

  constructor({ limits, events, guard, table, faults, output }: InboundParts) {
    this.#events = events
    this.#guard = guard
    this.#table = table
    this.#faults = faults
    this.#output = output
    this.#windowBytes = Math.max(WINDOW_DEFAULT, limits.connectionWindowBytes)
  }

  data(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const stream = this.#table.get(id, 'DATA')
    // Section 6.9: padding counts too.
    this.#received(to - from)
    if (stream === undefined) {
      if (to === from) this.#guard.emptyFrame()
      return
    }
    if (stream.isRemoteEnded || to - from > stream.receiveWindow) {
      this.#faults.reset(stream, stream.isRemoteEnded ? ERROR.streamClosed : ERROR.flowControlError)
      return
    }
    stream.receiveWindow -= to - from
    const content = unpadded(flags, bytes, from, to)
    const contentBytes = content.to - content.from
    const isEnd = (flags & FLAG.endStream) !== 0
    if (contentBytes === 0 && !isEnd) this.#guard.emptyFrame()
    if (stream.promisedBytes !== undefined) {
      stream.promisedBytes -= contentBytes
      const isWrong = stream.promisedBytes < 0 || (isEnd && stream.promisedBytes !== 0)
      if (isWrong) {
        this.#faults.reset(stream, ERROR.protocolError)
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

  /** The connection's window is given back as bytes come: what is bounded are the streams' windows. */
  #received(bytes: number): void {
    this.#receivedBytes += bytes
    if (this.#receivedBytes > this.#windowBytes) {
      throw new ConnectionFault(ERROR.flowControlError, 'more DATA than the window of the connection has room for')
    }
    if (this.#receivedBytes * 2 < this.#windowBytes) return
    writeWindowUpdate(this.#output, 0, this.#receivedBytes)
    this.#receivedBytes = 0
  }
}
