/** HEADERS and CONTINUATION: header blocks that open streams, or end them with trailers (RFC 9113, section 6.2, 6.10 and 8.1). */
import type { ConnectionEvents, ConnectionLimits } from './connection-limits.ts'
import type { FloodGuard } from './flood-guard.ts'
import { headerFragment, violation } from './frame-faults.ts'
import { HeaderBlockGatherer } from './header-block.ts'
import { HeaderDecoder } from './hpack/header-decoder.ts'
import type { HeaderList } from './hpack/header-list.ts'
import type { InboundParts } from './inbound-parts.ts'
import { ConnectionFault, ERROR, FLAG, TABLE_BYTES_DEFAULT } from './protocol.ts'
import { requestRules, trailersFault } from './request-rules.ts'
import type { Sender } from './sender.ts'
import { Http2Stream } from './stream.ts'
import type { StreamFaults } from './stream-faults.ts'
import type { StreamTable } from './stream-table.ts'

export class InboundHeaders {
  readonly #limits: ConnectionLimits
  readonly #events: ConnectionEvents
  readonly #guard: FloodGuard
  readonly #table: StreamTable
  readonly #faults: StreamFaults
  readonly #sender: Sender
  readonly #decoder: HeaderDecoder
  readonly #block: HeaderBlockGatherer

  constructor({ limits, events, guard, table, faults, sender }: InboundParts) {
    this.#limits = limits
    this.#events = events
    this.#guard = guard
    this.#table = table
    this.#faults = faults
    this.#sender = sender
    this.#decoder = new HeaderDecoder({ tableBytesMax: TABLE_BYTES_DEFAULT, listBytesMax: limits.headerListBytesMax })
    this.#block = new HeaderBlockGatherer(limits)
  }

  /** The stream whose header block has begun and not ended; 0 if there is none. */
  get streamUnderWay(): number {
    return this.#block.stream
  }

  rest(): void {
    this.#decoder.rest()
  }

  headers(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id === 0) throw violation('HEADERS on stream 0 (section 6.2)')
    const fragment = headerFragment(flags, id, bytes, from, to)
    const fragmentBytes = fragment.to - fragment.from
    const endsStream = (flags & FLAG.endStream) !== 0
    if ((flags & FLAG.endHeaders) !== 0) {
      if (fragmentBytes > this.#limits.blockBytesMax) {
        throw new ConnectionFault(
          ERROR.enhanceYourCalm,
          `a header block of ${fragmentBytes} bytes`,
          'http2-header-block-bytes-max',
        )
      }
      this.#onBlock(id, endsStream, bytes, fragment.from, fragment.to)
      return
    }
    if (fragmentBytes === 0) this.#guard.emptyFrame()
    this.#block.begin(id, endsStream, bytes.subarray(fragment.from, fragment.to))
  }

  continuation(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (this.#block.stream === 0) throw violation(`CONTINUATION on stream ${id} without HEADERS (section 6.10)`)
    if (from === to) this.#guard.emptyFrame()
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
      this.#faults.refuse(id, ERROR.refusedStream)
      return
    }
    const rules = requestRules(headers)
    if (rules.fault !== undefined || (isEnded && (rules.contentLength ?? 0) !== 0)) {
      this.#faults.refuse(id, ERROR.protocolError)
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
      this.#faults.reset(stream, ERROR.protocolError)
      return
    }
    stream.isRemoteEnded = true
    this.#events.ended(stream, headers)
  }
}
