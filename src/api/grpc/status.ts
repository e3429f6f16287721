/**
 * The one table from error codes to gRPC status.
 *
 * The message is sent and the cause is not. A status travels in an HTTP/2 header, so the message is cut to what peers
 * accept (C-core's default for all headers together is 8 KB), percent-encoding included.
 */
import { status } from '@grpc/grpc-js'
import { asTwinstoreError, type ErrorCode, TwinstoreError } from '../../domain/errors.ts'
import { WireError } from '../../lib/wire.ts'

const STATUS: Readonly<Record<ErrorCode, status>> = {
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  NOT_FOUND: status.NOT_FOUND,
  ALREADY_EXISTS: status.ALREADY_EXISTS,
  FAILED_PRECONDITION: status.FAILED_PRECONDITION,
  RESOURCE_EXHAUSTED: status.RESOURCE_EXHAUSTED,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  CANCELLED: status.CANCELLED,
  ABORTED: status.ABORTED,
  UNAVAILABLE: status.UNAVAILABLE,
  DATA_LOSS: status.DATA_LOSS,
  INTERNAL: status.INTERNAL,
}

const ENCODED_MESSAGE_MAX = 6000

export interface CallStatus {
  readonly code: status
  readonly details: string
}

/** `OK`, `NOT_FOUND` and so on; a number that gRPC does not know as itself. */
export function statusName(code: number): string {
  return status[code] ?? String(code)
}

export function callStatus(error: TwinstoreError): CallStatus {
  return { code: STATUS[error.code], details: sendable(error.message) }
}

/** Any thrown thing as the error a client is told; bytes that are no message are the client's fault. */
export function requestError(error: unknown): TwinstoreError {
  if (error instanceof WireError) {
    return new TwinstoreError('INVALID_ARGUMENT', `the request is not a valid message: ${error.message}`)
  }
  return asTwinstoreError(error)
}

/** Whether operators want to hear of it; a client's own mistakes are not logged, lest a client fill the log. */
export function isOperatingFault(error: TwinstoreError): boolean {
  return error.code === 'INTERNAL' || error.code === 'DATA_LOSS' || error.code === 'UNAVAILABLE'
}

/** grpc-js percent-encodes the message with `encodeURI`, which throws for lone surrogates. */
function sendable(message: string): string {
  let text = message.slice(0, ENCODED_MESSAGE_MAX).toWellFormed()
  while (encodeURI(text).length > ENCODED_MESSAGE_MAX) {
    text = `${text.slice(0, Math.floor(text.length * 0.8)).toWellFormed()}...`
  }
  return text
}
