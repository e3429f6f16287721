/** The gRPC edge on the project's own HTTP/2. */
import { readFileSync } from 'node:fs'
import type { TlsOptions } from 'node:tls'
import { TwinstoreError } from '../../domain/errors.ts'
import { createLeanServer } from '../../grpc/grpc-server.ts'
import type { Method } from '../../grpc/method.ts'
import type { CallStatus } from '../../grpc/status.ts'
import { answerMarginMs, deadlineExceeded } from '../deadline.ts'
import { bindError, splitAddress, withPort } from './bind-address.ts'
import { BorrowedStatus, borrowedServices } from './borrowed-services.ts'
import { failureStatus } from './failure.ts'
import { addHealth } from './health.ts'
import { rawService, type ServiceName } from './protocol.ts'
import { addReflectionOnDemand } from './reflection-on-demand.ts'
import type { GrpcServer, GrpcServerOptions, LeanLimits } from './server-parts.ts'
import { serviceMethods } from './service-methods.ts'
import { callStatus } from './status.ts'

export function createLeanGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { address, clock, limits, onEnded } = options
  const { lean } = limits
  const methods = new Map<string, Method>()
  for (const [service, ofService] of Object.entries(serviceMethods(options))) {
    const definition = rawService(service as ServiceName)
    for (const [name, method] of Object.entries(ofService)) methods.set(definition[name]!.path, method)
  }
  const health = addHealth(borrowedServices(methods))
  addReflectionOnDemand(methods)
  const server = createLeanServer({
    methods,
    limits: lean.connection,
    connectionsMax: lean.connectionsMax,
    poolBytesMax: lean.answerBuffersBytes,
    tls: tlsOptions(lean.tls),
    onFault: options.onConnectionFault,
    calls: {
      messageBytesMax: limits.messageBytesMax,
      incomingBytesMax: Math.max(lean.incomingBytesMax, limits.messageBytesMax),
      nowMs: () => clock.monotonicMs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      answerMarginMs,
      statusOf: (error, path, abortReason) => statusOf(error, path, abortReason, options),
      abortReason: (kind) =>
        kind === 'deadline' ? deadlineExceeded() : new TwinstoreError('CANCELLED', 'the client cancelled the call'),
      onEnded,
    },
  })

  return {
    async start() {
      if (options.connections !== undefined) {
        options.connections((connection) => server.accept(connection))
        health.setServing(true)
        return address
      }
      const { host, port } = splitAddress(address)
      const bound = await server.listen(host, port).catch((error: Error) => {
        throw bindError(address, error)
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
  }
}

function statusOf(error: unknown, path: string, abortReason: unknown, options: GrpcServerOptions): CallStatus {
  if (error instanceof BorrowedStatus) return { code: error.code, details: error.message }
  return callStatus(failureStatus(error, abortReason, path, options))
}

function tlsOptions({ certFile, keyFile, clientCaFile }: LeanLimits['tls']): TlsOptions | undefined {
  if (certFile === '' && keyFile === '' && clientCaFile === '') return undefined
  if (certFile === '' || keyFile === '') {
    const problem = 'TLS needs a certificate and its key: give both grpc-tls-cert and grpc-tls-key, or neither'
    throw new TwinstoreError('INVALID_ARGUMENT', problem)
  }
  const files = {
    cert: pem('grpc-tls-cert', certFile),
    key: pem('grpc-tls-key', keyFile),
    minVersion: 'TLSv1.2',
  } as const
  if (clientCaFile === '') return files
  return { ...files, ca: pem('grpc-tls-client-ca', clientCaFile), requestCert: true, rejectUnauthorized: true }
}

function pem(option: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new TwinstoreError('INVALID_ARGUMENT', `option ${option}: ${(error as Error).message}`, { cause: error })
  }
}
