/**
 * A header block under way: HEADERS and the CONTINUATION frames that follow it, with nothing between them (RFC 9113, section 4.3).
 *
 * Bounded in bytes and in frames: a block that never ends (CVE-2024-27316 and its siblings) costs the sender little and would
 * cost us memory, or processor time with frames of no bytes.
 */
import { ConnectionFault, ERROR } from './protocol.ts'

export interface HeaderBlockLimits {
  readonly blockBytesMax: number
  readonly continuationsMax: number
}

export interface WholeBlock {
  readonly stream: number
  readonly endsStream: boolean
  readonly bytes: Buffer
}

export class HeaderBlockGatherer {
  readonly #limits: HeaderBlockLimits
  #stream = 0
  #endsStream = false
  #parts: Buffer[] = []
  #bytes = 0

  constructor(limits: HeaderBlockLimits) {
    this.#limits = limits
  }

  /** The stream whose block is under way; 0 if none is. */
  get stream(): number {
    return this.#stream
  }

  begin(stream: number, endsStream: boolean, part: Buffer): void {
    this.#stream = stream
    this.#endsStream = endsStream
    this.#add(part)
  }

  /** The whole block if `isLast`. */
  goOn(part: Buffer, isLast: boolean): WholeBlock | undefined {
    this.#add(part)
    if (!isLast) return undefined
    const whole = { stream: this.#stream, endsStream: this.#endsStream, bytes: Buffer.concat(this.#parts) }
    this.#stream = 0
    this.#parts = []
    this.#bytes = 0
    return whole
  }

  #add(part: Buffer): void {
    // Copied, lest a block in many small frames hold on to as many chunks.
    this.#parts.push(Buffer.from(part))
    this.#bytes += part.length
    const { blockBytesMax, continuationsMax } = this.#limits
    if (this.#bytes > blockBytesMax) {
      throw calm(`a header block of more than ${blockBytesMax} bytes`, 'http2-header-block-bytes-max')
    }
    if (this.#parts.length > continuationsMax + 1) {
      throw calm(`a header block in more than ${continuationsMax} CONTINUATION frames`, 'http2-continuations-max')
    }
  }
}

function calm(problem: string, option: string): ConnectionFault {
  return new ConnectionFault(ERROR.enhanceYourCalm, problem, option)
}
