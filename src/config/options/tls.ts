/** The options of certificates: what is served over TLS, and whom it is served to. */
import type { OptionSpec } from '../option-value.ts'
import { DAY } from '../units.ts'

export const TLS_OPTIONS = {
  'grpc-tls-cert': {
    kind: 'text',
    default: '',
    placeholder: 'file',
    description: 'Certificate of the gRPC server, PEM, with those of its chain after it. Empty: no TLS.',
  },
  'grpc-tls-key': {
    kind: 'text',
    default: '',
    placeholder: 'file',
    description: 'Private key of the certificate, PEM.',
  },
  'grpc-tls-client-ca': {
    kind: 'text',
    default: '',
    placeholder: 'file',
    description: 'Authorities of client certificates, PEM: a client must then show one. Empty: clients need none.',
  },
  'http-tls-cert': {
    kind: 'text',
    default: '',
    placeholder: 'file',
    description: 'Certificate of the HTTP server, as grpc-tls-cert; may be the same file. Empty: no TLS.',
  },
  'http-tls-key': {
    kind: 'text',
    default: '',
    placeholder: 'file',
    description: 'Private key of it, PEM.',
  },
  'http-tls-client-ca': {
    kind: 'text',
    default: '',
    placeholder: 'file',
    description: 'Authorities of client certificates over HTTP, as grpc-tls-client-ca.',
  },
  'tls-expiry-warning': {
    kind: 'duration',
    default: 14 * DAY,
    min: 0,
    max: 365 * DAY,
    description:
      'How long before its end a certificate is warned of in the log, at start and when certificates are read again.',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
