/** Where the certificates of the edges are. */
import type { Config } from '../option-table.ts'

export function tlsSlice(config: Config) {
  return {
    grpc: {
      certFile: config['grpc-tls-cert'],
      keyFile: config['grpc-tls-key'],
      clientCaFile: config['grpc-tls-client-ca'],
    },
    http: {
      certFile: config['http-tls-cert'],
      keyFile: config['http-tls-key'],
      clientCaFile: config['http-tls-client-ca'],
    },
    warnBeforeMs: config['tls-expiry-warning'],
  }
}

/** Whether anything is served over TLS, so that there are certificates to read again. */
export function servesTls(config: Config): boolean {
  return config['grpc-tls-cert'] !== '' || config['http-tls-cert'] !== ''
}
