/** The gRPC edge on grpc-js: the reference, and what is there to fall back on. */
import type { Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Server as TlsServer } from 'node:tls'
import {
  logVerbosity,
  Server,
  ServerCredentials,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { listenError } from '../../domain/listen-error.ts'
import { createListener } from '../../grpc/listener.ts'
import type { Clock } from '../../lib/clock.ts'
import { listenOn, withPort } from '../../lib/listen.ts'
import { grpcJsHandler, type MethodContext } from './grpc-js-methods.ts'
import { addHealth } from './health.ts'
import { rawService, type ServiceName } from './protocol.ts'
import { addReflection } from './reflection.ts'
import type { GrpcLimits, GrpcServer, GrpcServerOptions } from './server-parts.ts'
import { serviceMethods } from './service-methods.ts'

export function createGrpcJsServer(options: GrpcServerOptions): GrpcServer {
  const { address, clock, limits } = options
  const context: MethodContext = { clock, onError: options.onError, onEnded: options.onEnded }
  // grpc-js prints to stderr what it also tells us; the log is ours.
  setLogVerbosity(logVerbosity.NONE)
  const server = new Server(serverOptions(limits))
  for (const [service, methods] of Object.entries(serviceMethods(options))) {
    const handlers = Object.entries(methods).map(([name, method]) => [name, grpcJsHandler(method, context)] as const)
    server.addService(rawService(service as ServiceName), Object.fromEntries(handlers) as UntypedServiceImplementation)
  }
  const health = addHealth(server)
  addReflection(server)
  const refuse = (connection: Duplex): void => void connection.destroy()
  let accept = refuse
  const secure = secureListener(options, (connection) => accept(connection))

  return {
    async start() {
      if (options.connections !== undefined || secure !== undefined) {
        const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
        accept = (connection) => injector.injectConnection(connection)
      }
      if (options.connections !== undefined) {
        // A TLS server makes of a connection that another process accepted what it makes of its own.
        options.connections((connection) => {
          if (secure === undefined) accept(connection)
          else secure.emit('connection', connection)
        })
        health.setServing(true)
        return address
      }
      const port = await (secure === undefined ? bind(server, address) : listenOn(secure, address)).catch(
        (error: Error) => {
          throw listenError('gRPC', 'grpc', address, error)
        },
      )
      health.setServing(true)
      return withPort(address, port)
    },
    drain(deadlineMs) {
      secure?.close()
      accept = refuse
      health.setServing(false)
      health.endWatches()
      return shutDown(server, deadlineMs, clock)
    },
    close() {
      secure?.close()
      server.forceShutdown()
    },
    numbers: () => undefined,
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

/**
 * Handshakes are not left to grpc-js: so certificates can be read again, and refused clients are reported, as over the lean transport.
 * Undefined for plain sockets.
 */
function secureListener(options: GrpcServerOptions, accept: (connection: Duplex) => void): NetServer | undefined {
  const { certificate, limits, onConnectionFault } = options
  if (certificate === undefined) return undefined
  const { connection, connectionsMax } = limits.lean
  const parts = { tls: certificate.tls, handshakeMs: connection.times.handshakeMs, connectionsMax }
  const listener = createListener({ ...parts, onFault: onConnectionFault }, accept)
  certificate.onRenewed((tls) => (listener as TlsServer).setSecureContext(tls))
  return listener
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port)
      else reject(error)
    })
  })
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
