/**
 * `GET /metrics` and `GET /health` over HTTP, for Prometheus and for load balancers.
 *
 * Nothing else is answered. Bounded: a few connections, small heads, no bodies, a limit on the time a request takes; and
 * however many ask at once, the numbers are gathered once for all of them.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { TwinstoreError } from '../domain/errors.ts'
import type { Clock } from '../lib/clock.ts'
import { listenOn, withPort } from '../lib/listen.ts'
import { singleFlight } from '../lib/single-flight.ts'
import { METRICS_CONTENT_TYPE } from './metrics.ts'

export interface MetricsEndpointOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string
  readonly text: () => Promise<string>
  /** Resolves when the server can do its work; rejects with what is wrong. */
  readonly health: () => Promise<unknown>
  /** `metrics-timeout`: how long gathering the numbers, or the answer about health, may take, milliseconds. */
  readonly timeoutMs: number
  readonly clock: Pick<Clock, 'after'>
}

export interface MetricsEndpoint {
  /** With the real port. */
  readonly address: string
  close(): Promise<void>
}

/** Two Prometheus servers, a load balancer and a person, with room to spare. */
const CONNECTIONS_MAX = 32
const HEAD_BYTES_MAX = 8 * 1024

/** FAILED_PRECONDITION if the address cannot be bound. */
export async function startMetricsEndpoint(options: MetricsEndpointOptions): Promise<MetricsEndpoint> {
  const { timeoutMs } = options
  const text = singleFlight(() => inTime(options.text(), options, 'the metrics were not gathered'))
  const health = singleFlight(() => inTime(options.health(), options, 'the stores did not answer'))
  const server = createServer(
    { maxHeaderSize: HEAD_BYTES_MAX, requestTimeout: timeoutMs, headersTimeout: timeoutMs, keepAliveTimeout: 5_000 },
    (request, response) => {
      answer(request, response, { text, health })
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  const port = await listenOn(server, options.address).catch((error: Error) => {
    const problem = `cannot listen on the metrics address ${options.address} (option metrics): ${error.message}`
    throw new TwinstoreError('FAILED_PRECONDITION', problem, { cause: error })
  })
  return {
    address: withPort(options.address, port),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

interface Sources {
  readonly text: () => Promise<string>
  readonly health: () => Promise<unknown>
}

function answer(request: IncomingMessage, response: ServerResponse, { text, health }: Sources): void {
  const path = request.url?.split('?', 1)[0]
  // A body, which neither path needs, is not read.
  request.resume()
  if (path !== '/metrics' && path !== '/health') {
    end(response, 404, 'there are /metrics and /health\n')
  } else if (request.method !== 'GET') {
    response.setHeader('Allow', 'GET')
    end(response, 405, `${path} takes GET only\n`)
  } else if (path === '/health') {
    health().then(
      () => end(response, 200, 'healthy\n'),
      (error: unknown) => end(response, 503, `${messageOf(error)}\n`),
    )
  } else {
    text().then(
      (body) => end(response, 200, body, METRICS_CONTENT_TYPE),
      (error: unknown) => end(response, 503, `${messageOf(error)}\n`),
    )
  }
}

function end(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function inTime<T>(work: Promise<T>, { clock, timeoutMs }: MetricsEndpointOptions, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(timeoutMs, () =>
      reject(new TwinstoreError('DEADLINE_EXCEEDED', `${what} within ${timeoutMs} ms (option metrics-timeout)`)),
    )
    work.then(resolve, reject).finally(() => timer.cancel())
  })
}
