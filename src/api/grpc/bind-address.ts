/** An address that is listened on, and what is said if it cannot be. */
import { TwinstoreError } from '../../domain/errors.ts'

export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const split = address.lastIndexOf(':')
  return { host: address.slice(0, split).replace(/^\[|\]$/g, ''), port: Number(address.slice(split + 1)) }
}

export function withPort(address: string, port: number): string {
  return `${address.slice(0, address.lastIndexOf(':'))}:${port}`
}

export function bindError(address: string, error: Error): TwinstoreError {
  const problem = error.message.includes('EADDRINUSE')
    ? `the gRPC address ${address} is in use: stop the process that listens there or choose another address (option grpc)`
    : `cannot listen on the gRPC address ${address} (option grpc): ${error.message}`
  return new TwinstoreError('FAILED_PRECONDITION', problem, { cause: error })
}
