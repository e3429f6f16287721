/** The gRPC edge over the parts of a server. */
import { createGrpcServer, type GrpcServer } from '../api/grpc/server.ts'
import type { Config } from '../config/option-table.ts'
import { grpcLimits } from '../config/slices/grpc.ts'
import { systemClock as clock } from '../lib/clock.ts'
import type { Handlers } from './handlers.ts'
import type { ServerParts } from './parts.ts'

export async function buildGrpcServer(config: Config, handlers: Handlers, parts: ServerParts): Promise<GrpcServer> {
  const { serving, writes, worker, calls, certificates, log, repeated } = parts
  return await createGrpcServer({
    transport: config.transport,
    address: config.grpc,
    connections: worker && ((accept) => worker.connections('grpc', accept)),
    clock,
    serving,
    writes,
    ...handlers,
    limits: grpcLimits(config),
    certificate: certificates.grpc,
    onError: (error, method) =>
      repeated(`a call of ${method} failed: ${error.code}`, () => log.error('a call failed', { error })),
    onConnectionFault: (problem, reason) =>
      repeated(`a gRPC connection was ended: ${reason}`, () => log.info('a gRPC connection was ended', { problem })),
    onEnded: (method, code, durationMs) => calls.grpc.ended(method, code, durationMs),
  })
}
