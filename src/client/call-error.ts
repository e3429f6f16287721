/** A gRPC failure as the one error class, with the server's code and message. */
import { type ServiceError, status } from '@grpc/grpc-js'
import { ERROR_CODES, type ErrorCode, TwinstoreError } from '../domain/errors.ts'
import { ConnectError, connectFault } from './connect-fault.ts'
import type { Security } from './tls.ts'

/** The server that was called, and how. */
export interface Called {
  readonly address: string
  readonly security: Security
}

export function callError(error: unknown, called: Called): TwinstoreError {
  if (error instanceof TwinstoreError) return error
  const { code, details } = error as ServiceError
  const name = status[code] ?? 'UNKNOWN'
  const fault = name === 'UNAVAILABLE' ? connectFault(details, called.address, called.security) : undefined
  if (fault !== undefined) return new ConnectError(fault, error)
  if ((ERROR_CODES as readonly string[]).includes(name)) {
    return new TwinstoreError(name as ErrorCode, details, { cause: error })
  }
  const message = error instanceof Error ? error.message : String(error)
  return new TwinstoreError('INTERNAL', `${name}: ${details ?? message}`, { cause: error })
}
