/** What the lean transport holds for clients, and how many of them it told off. Nothing with another transport. */
import type { Metrics } from './metrics.ts'

export interface TransportNumbers {
  readonly connections: number
  readonly connectionsMax: number
  readonly incomingBytes: number
  readonly incomingBytesMax: number
  readonly heldBytes: number
  readonly heldBytesMax: number
  /** Connections that were ended for a fault of the client, by the option or the error of HTTP/2. */
  readonly faults: ReadonlyMap<string, number>
}

export function registerTransportMetrics(metrics: Metrics, read: () => TransportNumbers | undefined): void {
  const gauge = (name: string, help: string, take: (numbers: TransportNumbers) => number): void =>
    metrics.gauge({
      name,
      help,
      labels: [],
      read: () => {
        const numbers = read()
        return numbers === undefined ? [] : [{ value: take(numbers) }]
      },
    })
  gauge('twinstore_grpc_connections', 'Connections of gRPC clients', ({ connections }) => connections)
  gauge('twinstore_grpc_connections_max', 'Option grpc-connections-max', ({ connectionsMax }) => connectionsMax)
  gauge(
    'twinstore_grpc_incoming_bytes',
    'What has come of requests that are not whole, of all connections, their headers and 2 KiB for each',
    ({ incomingBytes }) => incomingBytes,
  )
  gauge(
    'twinstore_grpc_incoming_bytes_max',
    'Option grpc-incoming-bytes-total-max; beyond it requests that do not go on fail',
    ({ incomingBytesMax }) => incomingBytesMax,
  )
  gauge(
    'twinstore_grpc_queued_bytes',
    'Answers that wait for clients to read, of all connections',
    ({ heldBytes }) => heldBytes,
  )
  gauge(
    'twinstore_grpc_queued_bytes_max',
    'Option http2-queued-bytes-total-max; beyond it clients that do not read are disconnected',
    ({ heldBytesMax }) => heldBytesMax,
  )
  metrics.counter({
    name: 'twinstore_grpc_connection_faults_total',
    help: 'Connections that were ended for what their client did, by the option or the HTTP/2 error that says what',
    labels: ['reason'],
    read: () => [...(read()?.faults ?? [])].map(([reason, value]) => ({ labels: { reason }, value })),
  })
}
