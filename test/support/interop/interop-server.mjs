/** The interoperability test service on a port of its own, as it is built from `dist/`. */
import { loadConfig } from '../../../dist/config/load-config.js'
import { grpcLimits } from '../../../dist/config/slices/grpc.js'
import { createLeanServer } from '../../../dist/grpc/grpc-server.js'
import { interopMethods } from './interop-service.mjs'

/** Those of a server that is given no options. */
const LIMITS = grpcLimits(loadConfig({ flags: {}, environment: {} })).lean.connection

export async function startInteropServer(port = 0, { tls, limits = {}, connectionsMax = 20_000, totals = {} } = {}) {
  const ended = []
  const faults = []
  const server = createLeanServer({
    methods: interopMethods(),
    limits: { ...LIMITS, ...limits, times: { ...LIMITS.times, ...limits.times } },
    tls,
    connectionsMax,
    incomingBytesTotalMax: 256 * 2 ** 20,
    heldBytesMax: 512 * 2 ** 20,
    ...totals,
    poolBytesMax: 16 * 2 ** 20,
    calls: {
      messageBytesMax: 4 * 2 ** 20,
      nowMs: () => performance.now(),
      after(delayMs, callback) {
        const timer = setTimeout(callback, delayMs).unref()
        return { cancel: () => clearTimeout(timer) }
      },
      incomingBytesMax: 64 * 2 ** 20,
      answerMarginMs: () => 0,
      statusOf: (error) => ({ code: error.code ?? 13, details: error.message }),
      abortReason: (kind) => Object.assign(new Error(kind), { code: kind === 'deadline' ? 4 : 1 }),
      onEnded: (path, code) => ended.push({ path, code }),
    },
    onFault: (problem) => faults.push(problem),
  })
  return {
    port: await server.listen(`127.0.0.1:${port}`),
    ended,
    faults,
    numbers: () => server.numbers(),
    accept: (socket) => server.accept(socket),
    drain: (deadlineMs) => server.drain(deadlineMs),
    close: () => server.close(),
  }
}
