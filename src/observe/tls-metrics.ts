/** When the certificates of the edges end. No samples where nothing is served over TLS. */
import type { Metrics } from './metrics.ts'

export interface CertificateEnd {
  readonly edge: string
  readonly untilMs: number
}

export function registerTlsMetrics(metrics: Metrics, read: () => readonly CertificateEnd[]): void {
  metrics.gauge({
    name: 'twinstore_tls_certificate_expiry_timestamp_seconds',
    help: 'When the certificate that new connections get expires, or the first of its chain that does',
    labels: ['edge'],
    read: () => read().map(({ edge, untilMs }) => ({ labels: { edge }, value: untilMs / 1000 })),
  })
}
