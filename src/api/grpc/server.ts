/** The gRPC edge: every service on one port, its limits, and a drain that ends in bounded time. */
import { createGrpcJsServer } from './grpc-js-server.ts'
import { createLeanGrpcServer } from './lean-server.ts'
import type { GrpcServer, GrpcServerOptions } from './server-parts.ts'

export type { GrpcLimits, GrpcServer, GrpcServerOptions, Transport } from './server-parts.ts'

export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  return options.transport === 'lean' ? createLeanGrpcServer(options) : createGrpcJsServer(options)
}
