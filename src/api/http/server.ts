/** The HTTP edge: every route on one address, its limits, and a drain that ends in bounded time. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import fastify, { type FastifyInstance } from 'fastify'
import type { TwinstoreError } from '../../domain/errors.ts'
import { listenError } from '../../domain/listen-error.ts'
import type { Clock } from '../../lib/clock.ts'
import { listenOn, withPort } from '../../lib/listen.ts'
import { tellHandshakeProblems } from '../../lib/tls-handshake.ts'
import type { EdgeCertificate } from '../edge-certificate.ts'
import { Connections } from './connections.ts'
import { clientErrorAnswer, EdgeAnswers } from './edge-answers.ts'
import { addRoutes } from './route-methods.ts'
import { httpRoutes, type RouteParts } from './routes.ts'

export interface HttpLimits {
  /** Option `http-body-bytes-max`. */
  readonly bodyBytesMax: number
  /** Option `http-head-bytes-max`. */
  readonly headBytesMax: number
  /** Option `http-connections-max`. */
  readonly connectionsMax: number
  /** How long the head of a request, and the whole of it, may take to arrive, milliseconds. */
  readonly headTimeoutMs: number
  readonly requestTimeoutMs: number
  /** How long a connection may wait for its next request, milliseconds. */
  readonly keepAliveMs: number
  /** How long a reader may take nothing of an answer, milliseconds. */
  readonly stallTimeoutMs: number
}

export interface HttpServerOptions extends RouteParts {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string
  /** Given where another process listens on the address: called once, with what takes the connections it hands over. */
  readonly connections?: ((accept: (connection: Duplex) => void) => void) | undefined
  readonly limits: HttpLimits
  /** Undefined: plain sockets. */
  readonly certificate?: EdgeCertificate | undefined
  readonly clock: Clock
  /** Told of faults that operators should see, with the route. Causes go here and nowhere else. */
  readonly onError: (error: TwinstoreError, route: string) => void
  /** Told of every request that ended: its route, the HTTP status, and how long it took. */
  readonly onEnded: (route: string, status: number, durationMs: number) => void
  /** A connection was not made, because its peer did not keep to TLS. */
  readonly onConnectionFault: (problem: string) => void
}

export interface HttpServer {
  /** Binds and serves; resolves to the address with the real port. FAILED_PRECONDITION if it cannot be bound. */
  start(): Promise<string>
  /**
   * Reports NOT_SERVING, takes no new requests and waits for those under way; after `deadlineMs` they are cut. Resolves to whether all ended
   * by themselves.
   */
  drain(deadlineMs: number): Promise<boolean>
  /** Ends at once. */
  close(): void
}

/** How late a slow request may be noticed, as a share of the time it has. */
const CHECKS_PER_TIMEOUT = 4
const CHECK_MS_MIN = 50

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { clock, limits } = options
  const answers = new EdgeAnswers(options)
  const app = fastify({
    serverFactory: (handler: RequestListener) => bareServer(handler, options),
    bodyLimit: limits.bodyBytesMax,
    exposeHeadRoutes: false,
    // Errors that come before a route is known, such as a path that cannot be decoded.
    frameworkErrors: (error, request, reply) => answers.fail(error, request, reply),
    clientErrorHandler: (error, socket) => {
      if (socket.writable) socket.end(clientErrorAnswer(error, limits))
      else socket.destroy()
    },
  }) as unknown as FastifyInstance
  const connections = new Connections(app.server, limits.connectionsMax)
  addRoutes(app, httpRoutes(options), answers, options)

  return {
    async start() {
      await app.ready()
      if (options.connections !== undefined) {
        // Node begins to look for slow requests when a server begins to listen, which this one does not do itself.
        app.server.emit('listening')
        options.connections((connection) => app.server.emit('connection', connection))
        answers.serving = true
        return options.address
      }
      const port = await listenOn(app.server, options.address).catch((error: Error) => {
        throw listenError('HTTP', 'http', options.address, error)
      })
      answers.serving = true
      return withPort(options.address, port)
    },
    drain(deadlineMs) {
      answers.serving = false
      answers.draining = true
      return connections.drain(deadlineMs, clock)
    },
    close() {
      connections.cut()
    },
  }
}

function bareServer(
  handler: RequestListener,
  { limits, certificate, onConnectionFault }: Pick<HttpServerOptions, 'limits' | 'certificate' | 'onConnectionFault'>,
): Server {
  const { headTimeoutMs, requestTimeoutMs } = limits
  const settings = {
    maxHeaderSize: limits.headBytesMax,
    headersTimeout: Math.min(headTimeoutMs, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.max(
      CHECK_MS_MIN,
      Math.floor(Math.min(headTimeoutMs, requestTimeoutMs) / CHECKS_PER_TIMEOUT),
    ),
    noDelay: true,
  }
  if (certificate === undefined) return createServer(settings, handler)
  const server: TlsServer = createTlsServer(
    { ...settings, ...certificate.tls, handshakeTimeout: headTimeoutMs },
    handler,
  )
  // Node would hand these to whoever answers requests that are none; there is nothing yet to answer through.
  tellHandshakeProblems(server.removeAllListeners('tlsClientError'), onConnectionFault)
  certificate.onRenewed((tls) => server.setSecureContext(tls))
  return server
}
