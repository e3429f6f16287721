/** What the gRPC edge is made of and what it does, whatever carries it. */
import type { Duplex } from 'node:stream'
import type { LeanServerNumbers } from '../../grpc/grpc-server.ts'
import type { ConnectionLimits } from '../../http2/connection.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ServingService } from '../../serving/serving-service.ts'
import type { WriteService } from '../../writing/write-service.ts'
import type { AdminHandlers } from '../admin-handlers.ts'
import type { EdgeCertificate } from '../edge-certificate.ts'
import type { OfflineHandlers } from '../offline-handlers.ts'
import type { CallReports } from './failure.ts'

/** What carries gRPC (option `transport`). */
export type Transport = 'lean' | 'grpc-js'

export interface GrpcLimits {
  /** The largest request message, bytes (option `grpc-message-bytes-max`). */
  readonly messageBytesMax: number
  /** Calls at once on one connection (option `grpc-streams-max`). */
  readonly streamsMax: number
  /** Requests of one StreamFeatures call that are under way at once (option `stream-window`). */
  readonly streamWindow: number
  /** How long a connection may be silent before it is pinged, and how long a ping may take, milliseconds. */
  readonly keepaliveTimeMs: number
  readonly keepaliveTimeoutMs: number
  /** The rest is of the lean transport. */
  readonly lean: LeanLimits
}

export interface LeanLimits {
  readonly connection: ConnectionLimits
  /** Connections at once (option `grpc-connections-max`). */
  readonly connectionsMax: number
  /** Bytes of a connection's requests that are still coming (option `grpc-incoming-bytes-max`). */
  readonly incomingBytesMax: number
  /** The same of all connections (option `grpc-incoming-bytes-total-max`). */
  readonly incomingBytesTotalMax: number
  /** Bytes that wait for the clients of all connections to read (option `http2-queued-bytes-total-max`). */
  readonly queuedBytesTotalMax: number
  /** Bytes of answer buffers that wait to be used again (option `answer-buffers-bytes`). */
  readonly answerBuffersBytes: number
}

export interface GrpcServerOptions extends CallReports {
  readonly transport: Transport
  /** `host:port`; port 0 takes a free one. */
  readonly address: string
  /** Given where another process listens on the address: called once, with what takes the connections it hands over. */
  readonly connections?: ((accept: (connection: Duplex) => void) => void) | undefined
  readonly serving: ServingService
  readonly writes: WriteService
  readonly offline: OfflineHandlers
  readonly admin: AdminHandlers
  readonly limits: GrpcLimits
  /** Undefined: plain sockets. */
  readonly certificate?: EdgeCertificate | undefined
  readonly clock: Clock
  /**
   * A connection was ended, or not made, because its peer broke a rule or a limit; `reason` is one of few. Of grpc-js only handshakes
   * that failed.
   */
  readonly onConnectionFault: (problem: string, reason: string) => void
}

export interface GrpcServer {
  /** Binds and serves; resolves to the address with the real port. FAILED_PRECONDITION if it cannot be bound. */
  start(): Promise<string>
  /**
   * Reports NOT_SERVING, takes no new calls and waits for those under way; after `deadlineMs` they are ended by
   * force. Resolves to whether all ended by themselves.
   */
  drain(deadlineMs: number): Promise<boolean>
  /** Ends at once. */
  close(): void
  /** What the lean transport holds; undefined with another. */
  numbers(): TransportNumbers | undefined
}

/** The bytes are those of the options that bound them for all connections together. */
export interface TransportNumbers extends LeanServerNumbers {
  readonly connectionsMax: number
  readonly incomingBytesMax: number
  readonly heldBytesMax: number
}
