/**
 * The certificate that an edge shows, and the authorities of those that it wants to see.
 *
 * The files are checked whenever they are read, at start and each time they are to be read again. Files with a fault change nothing: the edge
 * goes on with what it has.
 */
import type { X509Certificate } from 'node:crypto'
import { createSecureContext, type TlsOptions } from 'node:tls'
import { TwinstoreError } from '../domain/errors.ts'
import { certificatesOf, privateKeyOf, readPem } from '../lib/pem.ts'

export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
  /** Empty: clients need no certificate. */
  readonly clientCaFile: string
}

export class EdgeCertificate {
  /** Its options begin with this. */
  readonly edge: 'grpc' | 'http'
  readonly files: CertificateFiles
  #read: ReadCertificate
  #onRenewed: (tls: TlsOptions) => void = () => undefined

  /** INVALID_ARGUMENT, naming option and file, if there is anything wrong with them. */
  constructor(edge: 'grpc' | 'http', files: CertificateFiles) {
    this.edge = edge
    this.files = files
    this.#read = readCertificate(edge, files)
  }

  get tls(): TlsOptions {
    return this.#read.tls
  }

  /** From when, and until when, all of the chain is valid; milliseconds since 1970. */
  get validity(): Validity {
    return this.#read.validity
  }

  /** `listener` gets what new connections are to be made with. */
  onRenewed(listener: (tls: TlsOptions) => void): void {
    this.#onRenewed = listener
  }

  /** Reads the files again. Fails as the constructor does, and has then changed nothing. */
  renew(): void {
    const read = readCertificate(this.edge, this.files)
    this.#onRenewed(read.tls)
    this.#read = read
  }
}

export interface Validity {
  readonly fromMs: number
  readonly untilMs: number
}

/** What is to be said of a certificate at `nowMs`, if anything. */
export function validityProblem(
  { fromMs, untilMs }: Validity,
  nowMs: number,
  warnBeforeMs: number,
): string | undefined {
  if (nowMs >= untilMs) return 'the certificate has expired: clients refuse it'
  if (nowMs < fromMs) return 'the certificate is not valid yet: clients refuse it'
  return untilMs - nowMs <= warnBeforeMs ? 'the certificate is about to expire' : undefined
}

interface ReadCertificate {
  readonly tls: TlsOptions
  readonly validity: Validity
}

function readCertificate(
  edge: 'grpc' | 'http',
  { certFile, keyFile, clientCaFile }: CertificateFiles,
): ReadCertificate {
  const cert = read(`${edge}-tls-cert`, certFile, certificatesOf)
  const key = read(`${edge}-tls-key`, keyFile, privateKeyOf)
  if (!cert.value[0]!.checkPrivateKey(key.value)) {
    const problem = `option ${edge}-tls-key: ${keyFile} is not the key of the first certificate in ${certFile}`
    throw new TwinstoreError('INVALID_ARGUMENT', problem)
  }
  const shown = { cert: cert.bytes, key: key.bytes, minVersion: 'TLSv1.2' } as const
  const ca = clientCaFile === '' ? undefined : read(`${edge}-tls-client-ca`, clientCaFile, certificatesOf)
  const tls = ca === undefined ? shown : { ...shown, ca: ca.bytes, requestCert: true, rejectUnauthorized: true }
  try {
    createSecureContext(tls)
  } catch (cause) {
    // A key that is too short, for example.
    const problem = `option ${edge}-tls-cert: ${certFile} cannot be used: ${(cause as Error).message}`
    throw new TwinstoreError('INVALID_ARGUMENT', problem, { cause })
  }
  return { tls, validity: validityOf(cert.value) }
}

function read<T>(option: string, file: string, parse: (pem: Buffer) => T) {
  try {
    return readPem(file, parse)
  } catch (error) {
    throw new TwinstoreError('INVALID_ARGUMENT', `option ${option}: ${(error as Error).message}`, { cause: error })
  }
}

function validityOf(chain: readonly X509Certificate[]): Validity {
  return {
    fromMs: Math.max(...chain.map(({ validFrom }) => Date.parse(validFrom))),
    untilMs: Math.min(...chain.map(({ validTo }) => Date.parse(validTo))),
  }
}
