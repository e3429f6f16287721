import type { Duplex } from 'node:stream'
import type { TlsOptions } from 'node:tls'
import type { LeanServerNumbers } from '../../../src/grpc/grpc-server.ts'

export interface InteropServer {
  readonly port: number
  readonly ended: { readonly path: string; readonly code: number }[]
  readonly faults: string[]
  numbers(): LeanServerNumbers
  accept(socket: Duplex): void
  drain(deadlineMs: number): Promise<boolean>
  close(): void
}

export function startInteropServer(
  port?: number,
  options?: {
    readonly tls?: TlsOptions
    readonly limits?: object
    readonly connectionsMax?: number
    readonly totals?: object
  },
): Promise<InteropServer>
