/**
 * The end of a connection whose calls may finish (RFC 9113, section 6.8): a GOAWAY that refuses nothing yet, and, when the peer has
 * answered a PING and so has seen it, one that names the last call that is served.
 */
import { writeGoaway, writePing } from './frames.ts'
import type { Output } from './output.ts'
import { ERROR, UINT31_MAX } from './protocol.ts'
import type { StreamTable } from './stream-table.ts'

/** Opaque; an acknowledgement has to bring it back. */
const DRAIN_PING = Buffer.from('twindrop', 'latin1')
const WORDS = 'the server takes no new calls on this connection'

export class GracefulEnd {
  readonly #output: Output
  readonly #table: StreamTable
  #beganMs: number | undefined

  constructor(output: Output, table: StreamTable) {
    this.#output = output
    this.#table = table
  }

  /** All calls there will be have ended. */
  get isDone(): boolean {
    return this.#table.isClosing && this.#table.open.size === 0
  }

  begin(nowMs: number): void {
    if (this.#beganMs !== undefined) return
    this.#beganMs = nowMs
    writeGoaway(this.#output, UINT31_MAX, ERROR.noError, WORDS)
    writePing(this.#output, 0, DRAIN_PING, 0)
  }

  pingAnswered(payload: Buffer): void {
    const isOfDrain = this.#beganMs !== undefined && DRAIN_PING.equals(payload)
    if (!isOfDrain || this.#table.isClosing) return
    this.#table.isClosing = true
    this.#table.lastServed = this.#table.last
    writeGoaway(this.#output, this.#table.last, ERROR.noError, WORDS)
  }

  isLate(graceMs: number, nowMs: number): boolean {
    return this.#beganMs !== undefined && nowMs - this.#beganMs > graceMs
  }
}
