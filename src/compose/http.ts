/** The HTTP edge over the parts of a server. */
import type { HttpServer } from '../api/http/server.ts'
import type { Config } from '../config/option-table.ts'
import { httpSlice } from '../config/slices/edges.ts'
import { systemClock as clock } from '../lib/clock.ts'
import type { Handlers } from './handlers.ts'
import type { ServerParts } from './parts.ts'

/** Undefined: none is asked for. */
export async function buildHttpServer(
  config: Config,
  handlers: Handlers,
  parts: ServerParts,
): Promise<HttpServer | undefined> {
  if (config.http === '') return undefined
  // What it is made of takes a tenth of a second to load, which those who serve gRPC alone need not wait for.
  const { createHttpServer } = await import('../api/http/server.ts')
  const { definitions, serving, writes, worker, calls, certificates, log, repeated } = parts
  return createHttpServer({
    address: config.http,
    connections: worker && ((accept) => worker.connections('http', accept)),
    clock,
    definitions,
    serving,
    writes,
    ...handlers,
    ...httpSlice(config),
    certificate: certificates.http,
    onError: (error, route) =>
      repeated(`a request to ${route} failed: ${error.code}`, () =>
        log.error('an HTTP request failed', { route, error }),
      ),
    onConnectionFault: (problem) =>
      repeated('an HTTP connection was not made', () => log.info('an HTTP connection was not made', { problem })),
    onEnded: (route, status, durationMs) => calls.http.ended(route, status, durationMs),
  })
}
