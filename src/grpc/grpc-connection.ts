/** gRPC over one HTTP/2 connection: streams become calls of the methods that are served. */
import {
  type ConnectionEvents,
  type ConnectionLimits,
  Http2Connection,
  type SharedMemory,
} from '../http2/connection.ts'
import type { HeaderList } from '../http2/hpack/header-list.ts'
import type { Http2Stream } from '../http2/stream.ts'
import { createSlots, type Slots } from '../lib/slots.ts'
import { callHead, ENCODINGS } from './call-head.ts'
import type { AbortKind, CallHost } from './call-host.ts'
import type { IncomingBudget } from './incoming-budget.ts'
import { NO_METADATA } from './metadata.ts'
import type { Method } from './method.ts'
import { ServerCall } from './server-call.ts'
import { type CallStatus, httpStatus, STATUS, trailersOnly } from './status.ts'

/** What calls need of the server, whatever their connection. */
export type CallSurroundings = Omit<CallHost, 'connection' | 'flushSoon' | 'incomingBytes' | 'waits' | 'inTurn'> & {
  /** Of all connections. */
  readonly turns: Slots
}

/** The same for all connections of a server. */
export interface GrpcConnectionOptions {
  readonly methods: ReadonlyMap<string, Method>
  readonly limits: ConnectionLimits
  readonly shared: SharedMemory
  readonly calls: CallSurroundings
}

/** One object is all that a connection without calls has of gRPC. */
export class GrpcConnection implements ConnectionEvents, CallHost {
  readonly connection: Http2Connection
  incomingBytes = 0
  /** Sends output that no event of the socket made. */
  shell: { flushSoon(): void } | undefined
  #turns: Slots | undefined
  /** The request that has begun last. */
  #begun: { count(): void } | undefined
  readonly #methods: ReadonlyMap<string, Method>
  readonly #calls: CallSurroundings

  constructor({ methods, limits, shared, calls }: GrpcConnectionOptions, nowMs: number) {
    this.#methods = methods
    this.#calls = calls
    this.connection = new Http2Connection(limits, this, shared, nowMs)
  }

  opened(stream: Http2Stream, headers: HeaderList, isEnded: boolean): void {
    open(this, this.#methods, stream, headers, isEnded)
  }

  data(stream: Http2Stream, bytes: Buffer, from: number, to: number): void {
    callOf(stream).data(bytes, from, to)
  }

  ended(stream: Http2Stream): void {
    callOf(stream).requestEnded()
  }

  aborted(stream: Http2Stream): void {
    callOf(stream).aborted()
  }

  drained(stream: Http2Stream): void {
    callOf(stream).drained()
  }

  received(): void {
    this.#begun?.count()
    this.#begun = undefined
  }

  waits(request: { count(): void }): void {
    this.#begun?.count()
    this.#begun = request
  }

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#turns ??= createSlots(1)
    return this.#turns.run(() => this.#calls.turns.run(work))
  }

  flushSoon(): void {
    this.shell?.flushSoon()
  }

  get messageBytesMax(): number {
    return this.#calls.messageBytesMax
  }

  get incomingBytesMax(): number {
    return this.#calls.incomingBytesMax
  }

  get incoming(): IncomingBudget {
    return this.#calls.incoming
  }

  nowMs(): number {
    return this.#calls.nowMs()
  }

  after(delayMs: number, callback: () => void): { cancel(): void } {
    return this.#calls.after(delayMs, callback)
  }

  statusOf(error: unknown, path: string, abortReason: unknown): CallStatus {
    return this.#calls.statusOf(error, path, abortReason)
  }

  answerMarginMs(leftMs: number): number {
    return this.#calls.answerMarginMs(leftMs)
  }

  abortReason(kind: AbortKind): unknown {
    return this.#calls.abortReason(kind)
  }

  onEnded(path: string, code: number, durationMs: number): void {
    this.#calls.onEnded(path, code, durationMs)
  }
}

/** What the stream of a call has to tell it. */
interface StreamCall {
  data(bytes: Buffer, from: number, to: number): void
  requestEnded(): void
  aborted(): void
  drained(): void
}

function callOf(stream: Http2Stream): StreamCall {
  return stream.call as StreamCall
}

function open(
  host: CallHost,
  methods: ReadonlyMap<string, Method>,
  stream: Http2Stream,
  headers: HeaderList,
  isEnded: boolean,
): void {
  const head = callHead(headers)
  const method = methods.get(head.path)
  if (head.refusal === undefined && method !== undefined) {
    const call = new ServerCall(host, stream, head, method)
    stream.call = call
    call.open(isEnded)
    return
  }
  const details = `there is no method ${head.path}: gRPC reflection lists those there are`
  const refusal = head.refusal ?? { status: { code: STATUS.unimplemented, details } }
  const refused = refusedCall(host, stream, head.path, refusal)
  stream.call = refused
  // What is no gRPC call is answered when it has come whole; a gRPC client may wait for a status before it says more.
  if (isEnded || 'status' in refusal) refused.requestEnded()
}

function refusedCall(
  host: CallHost,
  stream: Http2Stream,
  path: string,
  refusal: { readonly http: string } | { readonly status: CallStatus },
): StreamCall {
  const { connection } = host
  connection.workEnded(stream)
  return {
    data: (_bytes, from, to) => connection.take(stream, to - from),
    requestEnded() {
      if (stream.isClosed) return
      if ('http' in refusal) {
        connection.sender.headers(stream, httpStatus(refusal.http), false)
        connection.sender.data(stream, NOT_GRPC)
        connection.sender.end(stream, undefined)
        return
      }
      const { status } = refusal
      const more = status.code === STATUS.unimplemented ? ['grpc-accept-encoding', ENCODINGS.join(',')] : []
      connection.sender.headers(stream, trailersOnly(status, NO_METADATA, more), true)
      host.onEnded(path, status.code, 0)
    },
    aborted: () => undefined,
    drained: () => undefined,
  }
}

const NOT_GRPC = Buffer.from('this address serves gRPC: POST with content-type application/grpc\n', 'utf8')
