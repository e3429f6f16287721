/** The gRPC edge: every service on one port, its limits, and a drain that ends in bounded time. */
import type { Duplex } from 'node:stream'
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ServingService } from '../../serving/serving-service.ts'
import type { WriteService } from '../../writing/write-service.ts'
import type { AdminHandlers } from '../admin-handlers.ts'
import type { OfflineHandlers } from '../offline-handlers.ts'
import { adminMethods } from './admin-methods.ts'
import { AnswerBuffers } from './answer-buffers.ts'
import { compactMethod } from './compact-method.ts'
import { framedAnswers } from './framed-answer.ts'
import { addHealth } from './health.ts'
import type { MethodContext } from './methods.ts'
import { offlineMethods } from './offline-methods.ts'
import { rawService } from './protocol.ts'
import { addReflection } from './reflection.ts'
import { servingMethods } from './serving-methods.ts'

export interface GrpcLimits {
  /** The largest request message, bytes (option `grpc-message-bytes-max`). */
  readonly messageBytesMax: number
  /** Calls at once on one connection (option `grpc-streams-max`). */
  readonly streamsMax: number
  /** Requests of one StreamFeatures call that are under way at once (option `stream-window`). */
  readonly streamWindow: number
  /** Bytes of answer buffers that wait to be used again (option `answer-buffers-bytes`). */
  readonly answerBuffersBytes: number
  /** How long a connection may be silent before it is pinged, and how long a ping may take, milliseconds. */
  readonly keepaliveTimeMs: number
  readonly keepaliveTimeoutMs: number
}

export interface GrpcServerOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string
  /** Given where another process listens on the address: called once, with what takes the connections it hands over. */
  readonly connections?: ((accept: (connection: Duplex) => void) => void) | undefined
  readonly serving: ServingService
  readonly writes: WriteService
  readonly offline: OfflineHandlers
  readonly admin: AdminHandlers
  readonly limits: GrpcLimits
  readonly clock: Clock
  readonly onError: MethodContext['onError']
  readonly onEnded: MethodContext['onEnded']
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
}

export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { clock, limits } = options
  const buffers = new AnswerBuffers(limits.answerBuffersBytes)
  const context: MethodContext = { clock, buffers, onError: options.onError, onEnded: options.onEnded }
  // grpc-js prints to stderr what it also tells us; the log is ours.
  setLogVerbosity(logVerbosity.NONE)
  const serving = rawService('Serving')
  const interceptors = [framedAnswers([serving.GetFeatures!.path, serving.StreamFeatures!.path])]
  const server = new Server({ ...serverOptions(limits), interceptors })
  server.addService(serving, servingMethods(options.serving, options.writes, limits.streamWindow, context))
  server.addService(rawService('Offline'), offlineMethods(options.offline, context))
  server.addService(rawService('Admin'), {
    ...adminMethods(options.admin, context),
    ...compactMethod(options.admin, context),
  })
  const health = addHealth(server)
  addReflection(server)
  let draining = false

  return {
    async start() {
      if (options.connections !== undefined) {
        const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
        options.connections((connection) => {
          if (draining) connection.destroy()
          else injector.injectConnection(connection)
        })
        health.setServing(true)
        return options.address
      }
      const port = await bind(server, options.address)
      health.setServing(true)
      return `${options.address.slice(0, options.address.lastIndexOf(':'))}:${port}`
    },
    drain(deadlineMs) {
      draining = true
      health.setServing(false)
      health.endWatches()
      return shutDown(server, deadlineMs, clock)
    },
    close() {
      server.forceShutdown()
    },
  }
}

/** Channelz stays on, as it is by default: without it `forceShutdown` does not know the connections it has to end. */
function serverOptions(limits: GrpcLimits): ConstructorParameters<typeof Server>[0] {
  return {
    'grpc.max_receive_message_length': namedLimit(limits.messageBytesMax, 'grpc-message-bytes-max'),
    'grpc.max_concurrent_streams': limits.streamsMax,
    'grpc.keepalive_time_ms': limits.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
  }
}

/**
 * A number that prints with the name of its option. grpc-js refuses a large message itself, before any of our code, with
 * `Received message larger than max (<size> vs <limit>)`: the limit's own text is the only way to name the option there.
 */
function namedLimit(bytes: number, option: string): number {
  const limit = {
    [Symbol.toPrimitive]: (hint: string) => (hint === 'string' ? `${bytes} bytes, option ${option}` : bytes),
  }
  return limit as unknown as number
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port)
      else reject(bindError(address, error))
    })
  })
}

function bindError(address: string, error: Error): TwinstoreError {
  const problem = error.message.includes('EADDRINUSE')
    ? `the gRPC address ${address} is in use: stop the process that listens there or choose another address (option grpc)`
    : `cannot listen on the gRPC address ${address} (option grpc): ${error.message}`
  return new TwinstoreError('FAILED_PRECONDITION', problem, { cause: error })
}

function shutDown(server: Server, deadlineMs: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.after(deadlineMs, () => {
      server.forceShutdown()
      resolve(false)
    })
    server.tryShutdown(() => {
      timer.cancel()
      resolve(true)
    })
  })
}
