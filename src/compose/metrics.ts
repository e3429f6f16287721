/** What of a server's parts is measured, and where it is to be had. */
import type { GrpcServer } from '../api/grpc/server.ts'
import { statusName } from '../api/grpc/status.ts'
import type { Config } from '../config/option-table.ts'
import { packageVersion } from '../config/package-version.ts'
import { systemClock as clock } from '../lib/clock.ts'
import { splitAddress, withPort } from '../lib/listen.ts'
import { EventLoopDelays } from '../observe/event-loop.ts'
import { createMetrics, type Metrics } from '../observe/metrics.ts'
import { startMetricsEndpoint } from '../observe/metrics-endpoint.ts'
import { registerParityMetrics } from '../observe/parity-metrics.ts'
import { registerS3Metrics } from '../observe/s3-metrics.ts'
import { registerServerMetrics } from '../observe/server-metrics.ts'
import { registerStatisticsMetrics } from '../observe/statistics-metrics.ts'
import { registerSyncMetrics } from '../observe/sync-metrics.ts'
import { registerTableMetrics } from '../observe/table-metrics.ts'
import { registerTlsMetrics } from '../observe/tls-metrics.ts'
import { registerTransportMetrics } from '../observe/transport-metrics.ts'
import type { ServerParts } from './parts.ts'

/** Every part's numbers; registering costs nothing until somebody scrapes. */
export function buildMetrics(config: Config, parts: ServerParts, server: GrpcServer): Metrics {
  const { definitions, online, offline, serving, archiver, calls, log } = parts
  const metrics = createMetrics((name, error) => log.warn('a metric could not be read', { name, error }))
  const startedMs = clock.monotonicMs()
  registerServerMetrics(metrics, {
    version: packageVersion(),
    fingerprint: () => definitions.current.registry.fingerprint,
    uptimeSeconds: () => (clock.monotonicMs() - startedMs) / 1000,
    serving: () => serving.stats(),
    outboxDepth: () => online.outboxDepth(),
    archiver: () => archiver.status(),
    limits: {
      cacheBytes: config['cache-bytes'],
      outboxRows: config['outbox-rows-max'],
      outboxBytes: config['outbox-bytes-max'],
    },
  })
  calls.grpc.register(metrics, statusName)
  calls.http.register(metrics, String)
  registerTransportMetrics(metrics, () => server.numbers())
  registerParityMetrics(metrics, () => parts.parity.numbers())
  registerS3Metrics(metrics, parts.s3)
  registerStatisticsMetrics(metrics, () => parts.statistics.last())
  const { grpc, http } = parts.certificates
  const certificates = [grpc, http].filter((each) => each !== undefined)
  registerTlsMetrics(metrics, () => certificates.map(({ edge, validity }) => ({ edge, untilMs: validity.untilMs })))
  const views = () => [...definitions.current.registry.views.values()]
  registerTableMetrics(metrics, () => Promise.all(views().map((view) => offline.status(view))))
  registerSyncMetrics(metrics, { counts: () => parts.syncer.counts(), states: parts.syncStates })
  return metrics
}

/** Of several workers, each has its own numbers and so its own port: worker 1 the one that is given, the others those after it. */
export async function serveMetrics(
  config: Config,
  { online, offline, worker }: ServerParts,
  metrics: Metrics,
  onClose: (close: () => Promise<unknown>) => void,
): Promise<string | undefined> {
  if (config.metrics === '') return undefined
  metrics.process()
  const delays = new EventLoopDelays(clock)
  delays.register(metrics)
  onClose(async () => delays.stop())
  const endpoint = await startMetricsEndpoint({
    address: addressOfWorker(config.metrics, worker?.number ?? 1),
    text: () => metrics.text(),
    health: () => Promise.all([online.health(), offline.health()]),
    timeoutMs: config['metrics-timeout'],
    clock,
  })
  onClose(() => endpoint.close())
  return endpoint.address
}

function addressOfWorker(address: string, number: number): string {
  const { port } = splitAddress(address)
  return port === 0 ? address : withPort(address, port + number - 1)
}
