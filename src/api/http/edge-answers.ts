/** How the edge answers: JSON text, errors as JSON, and what HTTP itself has to refuse; whether it takes requests at all. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { TwinstoreError } from '../../domain/errors.ts'
import {
  type ErrorAnswer,
  errorAnswer,
  faultAnswer,
  type HttpFault,
  isOperatingFault,
  rawAnswer,
  requestError,
} from './status.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

export interface EdgeAnswersOptions {
  readonly limits: { readonly bodyBytesMax: number; readonly stallTimeoutMs: number }
  readonly onError: (error: TwinstoreError, route: string) => void
}

export class EdgeAnswers {
  serving = false
  draining = false
  readonly #options: EdgeAnswersOptions

  constructor(options: EdgeAnswersOptions) {
    this.#options = options
  }

  /** With a line end, for people whose prompt comes after it. */
  json(reply: FastifyReply, text: string, status = 200): void {
    this.beginSending(reply)
    reply
      .code(status)
      .header('content-type', JSON_TYPE)
      .send(Buffer.from(`${text}\n`))
  }

  fault(reply: FastifyReply, fault: HttpFault): void {
    this.#send(reply, faultAnswer(fault))
  }

  /** Any failure; what fastify itself refuses is known by its code. */
  fail(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const fault = this.#frameworkFault(error as FastifyError, request)
    if (fault !== undefined) {
      this.fault(reply, fault)
      return
    }
    this.log(error, request)
    this.#send(reply, errorAnswer(requestError(error)))
  }

  log(error: unknown, request: FastifyRequest): void {
    const told = requestError(error)
    if (isOperatingFault(told)) this.#options.onError(told, request.routeOptions.url ?? UNKNOWN_ROUTE)
  }

  /** A reader that takes nothing for a while loses its connection; a draining server keeps none for another request. */
  beginSending(reply: FastifyReply): void {
    reply.raw.socket?.setTimeout(this.#options.limits.stallTimeoutMs)
    if (this.draining) reply.header('connection', 'close')
  }

  #send(reply: FastifyReply, { status, headers, body }: ErrorAnswer): void {
    reply.headers(headers)
    this.json(reply, body, status)
  }

  #frameworkFault(error: FastifyError, request: FastifyRequest): HttpFault | undefined {
    const { bodyBytesMax } = this.#options.limits
    switch (error.code) {
      case 'FST_ERR_CTP_BODY_TOO_LARGE':
        return {
          status: 413,
          code: 'RESOURCE_EXHAUSTED',
          message: `the body is larger than ${bodyBytesMax} bytes (option http-body-bytes-max); send it in several requests`,
        }
      case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
        return unsupportedBody(
          `a body must be JSON, this one is ${JSON.stringify(request.headers['content-type'] ?? 'of no type')}; send the header Content-Type: application/json`,
        )
      case 'FST_ERR_BAD_URL':
        return { status: 400, code: 'INVALID_ARGUMENT', message: 'the path is not one: its percent-encoding is broken' }
      case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
        return { status: 400, code: 'INVALID_ARGUMENT', message: 'the body is not as long as its Content-Length says' }
      case 'ECONNRESET':
        return { status: CLIENT_CLOSED, code: 'CANCELLED', message: 'the client closed the connection' }
      default:
        return undefined
    }
  }
}

/** What nginx logs for a client that closed its connection; it is counted, and nobody is there to read it. */
export const CLIENT_CLOSED = 499

export function unsupportedBody(message: string): HttpFault {
  return { status: 415, code: 'INVALID_ARGUMENT', message }
}

/** What logs and metrics have instead of a path that is not there: names are bounded in number, whatever is asked for. */
export const UNKNOWN_ROUTE = 'unknown'

/** What a connection gets whose bytes are no request, or too many, or too late. */
export function clientErrorAnswer(
  error: NodeJS.ErrnoException,
  limits: { readonly headBytesMax: number; readonly requestTimeoutMs: number; readonly headTimeoutMs: number },
): string {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return rawAnswer({
        status: 431,
        code: 'RESOURCE_EXHAUSTED',
        message: `the head of the request is larger than ${limits.headBytesMax} bytes (option http-head-bytes-max)`,
      })
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return rawAnswer({
        status: 408,
        code: 'DEADLINE_EXCEEDED',
        message: `the request had not arrived in time: its head has ${limits.headTimeoutMs} ms (option http-head-timeout), all of it ${limits.requestTimeoutMs} ms (option http-request-timeout)`,
      })
    default:
      return rawAnswer({ status: 400, code: 'INVALID_ARGUMENT', message: 'the bytes are not an HTTP/1.1 request' })
  }
}
