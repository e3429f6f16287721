/**
 * The one table from error codes to gRPC status.
 *
 * The message is sent and the cause is not. A status travels in an HTTP/2 header, so the message is cut to what peers
 * accept (C-core's default for all headers together is 8 KB), percent-encoding included.
 */
import { asTwinstoreError, type ErrorCode, TwinstoreError } from '../../domain/errors.ts'
import { type CallStatus, STATUS } from '../../grpc/status.ts'
import { WireError } from '../../lib/wire.ts'

const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: STATUS.invalidArgument,
  NOT_FOUND: STATUS.notFound,
  ALREADY_EXISTS: STATUS.alreadyExists,
  FAILED_PRECONDITION: STATUS.failedPrecondition,
  RESOURCE_EXHAUSTED: STATUS.resourceExhausted,
  DEADLINE_EXCEEDED: STATUS.deadlineExceeded,
  CANCELLED: STATUS.cancelled,
  ABORTED: STATUS.aborted,
  UNAVAILABLE: STATUS.unavailable,
  DATA_LOSS: STATUS.dataLoss,
  INTERNAL: STATUS.internal,
}

const ENCODED_MESSAGE_MAX = 6000

/** `OK`, `NOT_FOUND` and so on; a number that gRPC does not know as itself. */
export function statusName(code: number): string {
  const name = Object.entries(STATUS).find(([, each]) => each === code)?.[0]
  return name?.replace(/[A-Z]/g, '_$&').toUpperCase() ?? String(code)
}

export function callStatus(error: TwinstoreError): CallStatus {
  return { code: STATUS_OF[error.code], details: sendable(error.message) }
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
