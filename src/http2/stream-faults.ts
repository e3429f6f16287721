/** What a peer that breaks a rule of one stream costs: that stream, and one of the resets that its connection may make. */
import type { ConnectionEvents } from './connection-limits.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { ErrorNumber } from './protocol.ts'
import type { Http2Stream } from './stream.ts'
import type { StreamTable } from './stream-table.ts'

export class StreamFaults {
  readonly #guard: FloodGuard
  readonly #table: StreamTable
  readonly #events: ConnectionEvents

  constructor(guard: FloodGuard, table: StreamTable, events: ConnectionEvents) {
    this.#guard = guard
    this.#table = table
    this.#events = events
  }

  /** The stream is not opened at all. */
  refuse(id: number, code: ErrorNumber): void {
    this.#guard.reset()
    this.#table.refuse(id, code)
  }

  reset(stream: Http2Stream, code: ErrorNumber): void {
    this.#guard.reset()
    this.#table.reset(stream, code)
    this.#events.aborted(stream, code)
  }
}
