/** The gRPC edge: every service on one port, its limits, and a drain that ends in bounded time. */
import { createLeanGrpcServer } from './lean-server.ts'
import type { GrpcServer, GrpcServerOptions } from './server-parts.ts'

export type { GrpcLimits, GrpcServer, GrpcServerOptions, Transport } from './server-parts.ts'

export async function createGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  if (options.transport === 'lean') return createLeanGrpcServer(options)
  // A server that does without it is spared its 6 MB.
  const { createGrpcJsServer } = await import('./grpc-js-server.ts')
  return createGrpcJsServer(options)
}
