/** The certificates of both edges: read at start, read again when the operator says so, and watched for their end. */
import { EdgeCertificate, validityProblem } from '../api/edge-certificate.ts'
import type { Config } from '../config/option-table.ts'
import { tlsSlice } from '../config/slices/tls.ts'
import { systemClock as clock } from '../lib/clock.ts'
import type { Log } from '../observe/log.ts'
import type { StartHooks } from './start.ts'

/** Undefined: the edge serves plain sockets. */
export interface Certificates {
  readonly grpc: EdgeCertificate | undefined
  readonly http: EdgeCertificate | undefined
}

/** INVALID_ARGUMENT, naming option and file, if a file cannot be used. */
export function openCertificates(config: Config, log: Log, { onReload }: Pick<StartHooks, 'onReload'>): Certificates {
  const { grpc, http, warnBeforeMs } = tlsSlice(config)
  const certificates = {
    grpc: grpc.certFile === '' ? undefined : new EdgeCertificate('grpc', grpc),
    http: http.certFile === '' ? undefined : new EdgeCertificate('http', http),
  }
  const all = Object.values(certificates).filter((each) => each !== undefined)
  const warn = (certificate: EdgeCertificate): void => {
    const problem = validityProblem(certificate.validity, clock.nowMicros() / 1000, warnBeforeMs)
    if (problem !== undefined) log.warn(problem, told(certificate))
  }
  for (const certificate of all) warn(certificate)
  const plain = plainBesideTls(config)
  if (plain !== undefined) log.warn(plain)
  if (all.length === 0) return certificates
  onReload(() => {
    for (const certificate of all) {
      try {
        certificate.renew()
        log.info('the certificate was read again; new connections get it', told(certificate))
      } catch (error) {
        log.error('the certificate could not be read again; the one before stays', { error, ...told(certificate) })
      }
      warn(certificate)
    }
  })
  return certificates
}

function told({ edge, files, validity }: EdgeCertificate) {
  return { edge, file: files.certFile, validUntil: new Date(validity.untilMs).toISOString() }
}

const LOOPBACK = /^(localhost|127\.[\d.]+|\[?::1\]?):\d+$/

/** Who encrypts one way in may take the other one for encrypted too. */
function plainBesideTls(config: Config): string | undefined {
  if (config.http === '') return undefined
  const isOpen = (edge: 'grpc' | 'http') => config[`${edge}-tls-cert`] === '' && !LOOPBACK.test(config[edge])
  if (config['grpc-tls-cert'] !== '' && isOpen('http')) {
    return `HTTP is served without TLS on ${config.http}, gRPC with it: give http-tls-cert and http-tls-key, bind http to loopback, or put a proxy before it`
  }
  return config['http-tls-cert'] !== '' && isOpen('grpc')
    ? `gRPC is served without TLS on ${config.grpc}, HTTP with it: give grpc-tls-cert and grpc-tls-key, or bind grpc to loopback`
    : undefined
}
