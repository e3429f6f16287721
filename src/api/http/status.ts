/**
 * The one table from error codes to HTTP status, and what an error looks like.
 *
 * The statuses are those that google.rpc.Code documents for its codes of the same names, which gateways between gRPC and HTTP use
 * too. What HTTP itself has a status for (a path that is not there, a body that is too large) is an `HttpFault`: one of the same codes
 * with that status.
 */
import { STATUS_CODES } from 'node:http'
import { asTwinstoreError, type ErrorCode, TwinstoreError } from '../../domain/errors.ts'
import { WireError } from '../../lib/wire.ts'

const STATUS: Readonly<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  FAILED_PRECONDITION: 400,
  RESOURCE_EXHAUSTED: 429,
  DEADLINE_EXCEEDED: 504,
  CANCELLED: 499,
  ABORTED: 409,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  INTERNAL: 500,
}

/** Faults that are spelled out; a message has the first twenty. */
const FAULTS_SHOWN = 100

export interface HttpFault {
  readonly status: number
  readonly code: ErrorCode
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface ErrorAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export function errorAnswer(error: TwinstoreError): ErrorAnswer {
  const faults = error.faults.slice(0, FAULTS_SHOWN).map(({ at, problem }) => ({ at, problem }))
  const leftOut = error.faults.length - faults.length
  const more = { ...(faults.length > 0 ? { faults } : {}), ...(leftOut > 0 ? { faults_left_out: leftOut } : {}) }
  return {
    status: STATUS[error.code],
    headers: {},
    body: errorBody(error.code, error.message, more),
  }
}

export function faultAnswer({ status, code, message, headers = {} }: HttpFault): ErrorAnswer {
  return { status, headers, body: errorBody(code, message, {}) }
}

function errorBody(code: ErrorCode, message: string, more: object): string {
  return JSON.stringify({ error: { code, message, ...more } })
}

/** An answer for a connection whose request never came to be one. */
export function rawAnswer(fault: HttpFault): string {
  const { status, body } = faultAnswer(fault)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

/** Any thrown thing as the error a client is told; the cause is not. */
export function requestError(error: unknown): TwinstoreError {
  if (error instanceof WireError) {
    return new TwinstoreError('INTERNAL', `an answer could not be read: ${error.message}`, { cause: error })
  }
  return asTwinstoreError(error)
}

/** Whether operators want to hear of it; a client's own mistakes are not logged, lest a client fill the log. */
export function isOperatingFault(error: TwinstoreError): boolean {
  return error.code === 'INTERNAL' || error.code === 'DATA_LOSS' || error.code === 'UNAVAILABLE'
}
