/** gRPC over one HTTP/2 connection: streams become calls of the methods that are served. */
import { type ConnectionEvents, type ConnectionLimits, Http2Connection } from '../http2/connection.ts'
import type { HeaderList } from '../http2/hpack/header-list.ts'
import type { BufferPool } from '../http2/output.ts'
import type { Http2Stream } from '../http2/stream.ts'
import { callHead, ENCODINGS } from './call-head.ts'
import type { CallHost } from './call-host.ts'
import { NO_METADATA } from './metadata.ts'
import type { Method } from './method.ts'
import { ServerCall } from './server-call.ts'
import { type CallStatus, httpStatus, STATUS, trailersOnly } from './status.ts'

export type CallSurroundings = Omit<CallHost, 'connection' | 'flushSoon' | 'incomingBytes'>

export interface GrpcConnectionOptions {
  readonly methods: ReadonlyMap<string, Method>
  readonly limits: ConnectionLimits
  readonly pool: BufferPool
  readonly calls: CallSurroundings
  readonly flushSoon: () => void
}

export function createGrpcConnection(options: GrpcConnectionOptions): Http2Connection {
  const { methods, calls } = options
  const host = { ...calls, incomingBytes: 0, flushSoon: options.flushSoon } as {
    -readonly [Key in keyof CallHost]: CallHost[Key]
  }
  const events: ConnectionEvents = {
    opened: (stream, headers, isEnded) => open(host, methods, stream, headers, isEnded),
    data: (stream, bytes, from, to) => callOf(stream).data(bytes, from, to),
    ended: (stream) => callOf(stream).requestEnded(),
    aborted: (stream) => callOf(stream).aborted(),
    drained: (stream) => callOf(stream).drained(),
  }
  const connection = new Http2Connection(options.limits, events, options.pool, calls.nowMs())
  host.connection = connection
  return connection
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
