/** What a call needs of the server and of its connection. */
import type { Http2Connection } from '../http2/connection.ts'
import type { IncomingBudget } from './incoming-budget.ts'
import type { CallStatus } from './status.ts'

export interface CallHost {
  readonly connection: Http2Connection
  /** The largest message of a request, bytes, after decompression. */
  readonly messageBytesMax: number
  /** Of all calls of the connection: what has come of requests that no method has yet, bytes. */
  readonly incomingBytesMax: number
  incomingBytes: number
  /** The same of all connections, but for what is whole at once. */
  readonly incoming: IncomingBudget
  /** A request has begun: it is to be counted when something else comes before its end. */
  waits(request: { count(): void }): void
  /** Runs what may take much memory for a while: for a connection one piece of work after the other, for the server a few at once. */
  inTurn<T>(work: () => Promise<T>): Promise<T>
  /** Monotonic, milliseconds. */
  nowMs(): number
  after(delayMs: number, callback: () => void): { cancel(): void }
  /** The status for what a method threw or rejected with; `abortReason` is undefined if the call was not aborted. */
  statusOf(error: unknown, path: string, abortReason: unknown): CallStatus
  /** How long before its deadline a method gives up that leaves time to answer. */
  answerMarginMs(leftMs: number): number
  /** Why calls are aborted, as the methods and `statusOf` see it. */
  abortReason(kind: AbortKind): unknown
  onEnded(path: string, code: number, durationMs: number): void
  /** There is output, made outside of `receive`. */
  flushSoon(): void
}

export type AbortKind = 'cancelled' | 'deadline'
