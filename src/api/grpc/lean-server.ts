/** The gRPC edge on the project's own HTTP/2. */
import { TwinstoreError } from '../../domain/errors.ts'
import { listenError } from '../../domain/listen-error.ts'
import { createLeanServer } from '../../grpc/grpc-server.ts'
import type { Method } from '../../grpc/method.ts'
import type { CallStatus } from '../../grpc/status.ts'
import { withPort } from '../../lib/listen.ts'
import { answerMarginMs, deadlineExceeded } from '../deadline.ts'
import { BorrowedStatus, borrowedServices } from './borrowed-services.ts'
import { failureStatus } from './failure.ts'
import { addHealth } from './health.ts'
import { rawService, type ServiceName } from './protocol.ts'
import { addReflectionOnDemand } from './reflection-on-demand.ts'
import type { GrpcServer, GrpcServerOptions } from './server-parts.ts'
import { serviceMethods } from './service-methods.ts'
import { callStatus } from './status.ts'

export function createLeanGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { address, certificate, clock, limits, onEnded } = options
  const { lean } = limits
  const methods = new Map<string, Method>()
  for (const [service, ofService] of Object.entries(serviceMethods(options))) {
    const definition = rawService(service as ServiceName)
    for (const [name, method] of Object.entries(ofService)) methods.set(definition[name]!.path, method)
  }
  const health = addHealth(borrowedServices(methods))
  addReflectionOnDemand(methods)
  const incomingBytesMax = Math.max(lean.incomingBytesMax, limits.messageBytesMax)
  const incomingBytesTotalMax = Math.max(lean.incomingBytesTotalMax, incomingBytesMax)
  const heldBytesMax = Math.max(lean.queuedBytesTotalMax, lean.connection.queuedBytesMax)
  const server = createLeanServer({
    methods,
    limits: lean.connection,
    connectionsMax: lean.connectionsMax,
    incomingBytesTotalMax,
    heldBytesMax,
    poolBytesMax: lean.answerBuffersBytes,
    tls: certificate?.tls,
    onFault: options.onConnectionFault,
    calls: {
      messageBytesMax: limits.messageBytesMax,
      incomingBytesMax,
      nowMs: () => clock.monotonicMs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      answerMarginMs,
      statusOf: (error, path, abortReason) => statusOf(error, path, abortReason, options),
      abortReason: (kind) =>
        kind === 'deadline' ? deadlineExceeded() : new TwinstoreError('CANCELLED', 'the client cancelled the call'),
      onEnded,
    },
  })

  certificate?.onRenewed((tls) => server.renew(tls))

  return {
    async start() {
      if (options.connections !== undefined) {
        options.connections((connection) => server.accept(connection))
        health.setServing(true)
        return address
      }
      const bound = await server.listen(address).catch((error: Error) => {
        throw listenError('gRPC', 'grpc', address, error)
      })
      health.setServing(true)
      return withPort(address, bound)
    },
    drain(deadlineMs) {
      health.setServing(false)
      health.endWatches()
      return server.drain(deadlineMs)
    },
    close: () => server.close(),
    numbers: () => ({
      ...server.numbers(),
      connectionsMax: lean.connectionsMax,
      incomingBytesMax: incomingBytesTotalMax,
      heldBytesMax,
    }),
  }
}

function statusOf(error: unknown, path: string, abortReason: unknown, options: GrpcServerOptions): CallStatus {
  if (error instanceof BorrowedStatus) return { code: error.code, details: error.message }
  return callStatus(failureStatus(error, abortReason, path, options))
}
