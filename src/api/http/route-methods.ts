/** Routes as fastify has them: scopes opened and closed, errors mapped, downloads sent at the reader's pace. */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../../lib/clock.ts'
import { nearestName } from '../../lib/nearest-name.ts'
import { CallScope, TIMEOUT_HEADER } from './call-scope.ts'
import { CLIENT_CLOSED, type EdgeAnswers, UNKNOWN_ROUTE, unsupportedBody } from './edge-answers.ts'
import type { Download } from './export-download.ts'
import type { DownloadRoute, HttpRequest, JsonRoute, Route } from './routes.ts'
import { requestError } from './status.ts'

export interface RouteContext {
  readonly clock: Clock
  readonly onEnded: (route: string, status: number, durationMs: number) => void
}

export function addRoutes(
  app: FastifyInstance,
  routes: readonly Route[],
  answers: EdgeAnswers,
  context: RouteContext,
): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setErrorHandler((error, request, reply) => answers.fail(error, request, reply))
  app.setNotFoundHandler({ preValidation: countedAs(UNKNOWN_ROUTE, context) }, (request, reply) =>
    refuseRoute(routes, request, reply, answers),
  )
  for (const route of routes) addRoute(app, route, answers, context)
}

/** A hook that has a request counted when it ends, under the path of its route. */
function countedAs(route: string, { clock, onEnded }: RouteContext) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const beganMs = clock.monotonicMs()
    let isCounted = false
    const ended = (status: number): void => {
      if (!isCounted) onEnded(route, status, clock.monotonicMs() - beganMs)
      isCounted = true
    }
    // A response whose connection was cut finishes too.
    const { socket } = request.raw
    reply.raw.once('finish', () => ended(socket.destroyed ? CLIENT_CLOSED : reply.raw.statusCode))
    reply.raw.once('close', () => ended(CLIENT_CLOSED))
    done()
  }
}

function addRoute(app: FastifyInstance, route: Route, answers: EdgeAnswers, context: RouteContext): void {
  const { path: url } = route
  const onRequest = countedAs(url, context)
  if (route.kind === 'health') {
    const handler = (_request: FastifyRequest, reply: FastifyReply) => health(route.ready, reply, answers)
    app.route({ method: ['GET', 'HEAD'], url, onRequest, handler })
    return
  }
  // To answer HEAD for an export it would have to be made.
  const method = route.kind === 'json' && route.method === 'GET' ? ['GET', 'HEAD'] : route.method
  app.route({
    method,
    url,
    onRequest,
    handler: (request, reply) => {
      if (refuse(request, reply, answers)) return
      if (route.kind === 'json') runJson(route, request, reply, answers, context)
      else void runDownload(route, request, reply, answers, context)
    },
  })
}

/** Answers in the same tick, without a promise, where the handler does. */
function runJson(
  route: JsonRoute,
  request: FastifyRequest,
  reply: FastifyReply,
  answers: EdgeAnswers,
  { clock }: RouteContext,
): void {
  const { leavesTimeToAnswer = false } = route
  const scope = new CallScope(reply.raw, request.headers[TIMEOUT_HEADER], clock, leavesTimeToAnswer)
  const succeed = (text: string): void => {
    scope.close()
    answers.json(reply, text)
  }
  const fail = (error: unknown): void => {
    scope.close()
    answers.fail(failure(error, scope), request, reply)
  }
  try {
    const answer = route.handle(handled(request), scope)
    if (typeof answer === 'string') succeed(answer)
    else answer.then(succeed, fail)
  } catch (error) {
    fail(error)
  }
}

/** Never rejects. */
async function runDownload(
  route: DownloadRoute,
  request: FastifyRequest,
  reply: FastifyReply,
  answers: EdgeAnswers,
  { clock }: RouteContext,
): Promise<void> {
  let scope: CallScope | undefined
  try {
    scope = new CallScope(reply.raw, request.headers[TIMEOUT_HEADER], clock, false)
    const download = await route.handle(handled(request), scope)
    if ('fault' in download) {
      scope.close()
      answers.fault(reply, download.fault)
    } else send(download, reply, scope, answers, (error) => answers.log(error, request))
  } catch (error) {
    scope?.close()
    answers.fail(scope === undefined ? error : failure(error, scope), request, reply)
  }
}

/** A download that fails on its way is cut: the reader has fewer bytes than were announced. */
function send(
  { status, headers, content }: Download,
  reply: FastifyReply,
  scope: CallScope,
  answers: EdgeAnswers,
  onFailure: (error: unknown) => void,
): void {
  // A buffer of one chunk: the next one is read while this one is on its way.
  const stream = Readable.from(untilAborted(content, scope.signal), { objectMode: false, highWaterMark: 1 })
  stream.once('error', (error) => onFailure(failure(error, scope)))
  stream.once('close', () => scope.close())
  answers.beginSending(reply)
  reply.code(status).headers(headers).send(stream)
}

async function* untilAborted(content: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    signal.throwIfAborted()
    yield chunk
  }
}

function handled(request: FastifyRequest): HttpRequest {
  const { headers, url } = request
  return {
    body: (request.body as Buffer | undefined) ?? Buffer.alloc(0),
    url,
    range: headers.range,
    ifRange: headers['if-range'] as string | undefined,
  }
}

/** Whatever fails after the scope was aborted fails because of it; a failure that says so itself may say more. */
function failure(error: unknown, { abortReason }: CallScope): unknown {
  if (abortReason === undefined) return error
  const own = requestError(error)
  const reason = requestError(abortReason)
  return own.code === reason.code ? own : reason
}

function health(ready: boolean, reply: FastifyReply, answers: EdgeAnswers): void {
  if (!ready || answers.serving) answers.json(reply, ready ? '{"status":"SERVING"}' : '{"status":"ALIVE"}')
  else answers.json(reply, '{"status":"NOT_SERVING"}', 503)
}

/** Whether the request was refused before its handler looked at it. */
function refuse(request: FastifyRequest, reply: FastifyReply, answers: EdgeAnswers): boolean {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (answers.draining) {
    answers.fault(reply, {
      status: 503,
      code: 'UNAVAILABLE',
      message: 'the server is stopping: connect again, or to another instance',
    })
    return true
  }
  if (encoding === 'identity') return false
  answers.fault(reply, unsupportedBody(`the body is encoded as ${JSON.stringify(encoding)}; send it as it is`))
  return true
}

function refuseRoute(
  routes: readonly Route[],
  request: FastifyRequest,
  reply: FastifyReply,
  answers: EdgeAnswers,
): void {
  const path = request.url.split('?', 1)[0]!
  const paths = [...new Set(routes.map((route) => route.path))]
  if (!paths.includes(path)) {
    const nearest = nearestName(path, paths)
    const hint = nearest === undefined ? `there are ${paths.join(', ')}` : `did you mean ${nearest}?`
    answers.fault(reply, {
      status: 404,
      code: 'NOT_FOUND',
      message: `unknown path ${JSON.stringify(path.slice(0, 100))}; ${hint}`,
    })
    return
  }
  const allow = allowed(routes.filter((route) => route.path === path))
  answers.fault(reply, {
    status: 405,
    code: 'INVALID_ARGUMENT',
    message: `${path} takes ${allow.replaceAll(', ', ' or ')}, not ${request.method}`,
    headers: { allow },
  })
}

function allowed(routes: readonly Route[]): string {
  const methods = routes.flatMap((route) =>
    route.method === 'GET' && route.kind !== 'download' ? ['GET', 'HEAD'] : [route.method],
  )
  return methods.join(', ')
}
