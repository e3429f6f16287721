/** A gRPC failure as the one error class, with the server's code and message. */
import { type ServiceError, status } from '@grpc/grpc-js'
import { ERROR_CODES, type ErrorCode, TwinstoreError } from '../domain/errors.ts'

export function callError(error: unknown, address: string): TwinstoreError {
  if (error instanceof TwinstoreError) return error
  const { code, details } = error as ServiceError
  const name = status[code] ?? 'UNKNOWN'
  if ((ERROR_CODES as readonly string[]).includes(name)) {
    return new TwinstoreError(name as ErrorCode, messageOf(name, details, address), { cause: error })
  }
  const message = error instanceof Error ? error.message : String(error)
  return new TwinstoreError('INTERNAL', `${name}: ${details ?? message}`, { cause: error })
}

/** grpc-js says of a server that is not there only what the socket said. */
function messageOf(name: string, details: string, address: string): string {
  return name === 'UNAVAILABLE' && details.startsWith('No connection established')
    ? `no Twinstore server answers at ${address} (${socketError(details)})`
    : details
}

/** What follows `Last error: Error: `, without what grpc-js says of the name's resolution. */
function socketError(details: string): string {
  return /Last error: (?:Error: )?(.+?)\.? Resolution note:/.exec(details)?.[1] ?? details
}
