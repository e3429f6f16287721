/** How a client trusts its server over TLS, and shows who it is itself. */
import { type ChannelCredentials, credentials } from '@grpc/grpc-js'
import { type Fault, faultsError, TwinstoreError } from '../domain/errors.ts'
import { certificatesOf, type Pem, privateKeyOf } from '../lib/pem.ts'

export interface TlsOptions {
  /**
   * The authorities of which the server's certificate may be, PEM. Not given: those in the file that the environment names for grpc-js
   * (`GRPC_DEFAULT_SSL_ROOTS_FILE_PATH`), or else those that Node trusts (`NODE_EXTRA_CA_CERTS` adds to them).
   */
  readonly ca?: Pem
  /** The client's certificate with those of its chain, PEM, for servers that want one (`grpc-tls-client-ca`); needs `key`. */
  readonly cert?: Pem
  /** The private key of `cert`, PEM, without a passphrase. */
  readonly key?: Pem
  /** The name or IP address that the server's certificate must be for. Not given: the host of the address. */
  readonly serverName?: string
}

/** What is between a client and its server; `mutual`: the client shows a certificate too. */
export type Security = 'plain' | 'tls' | 'mutual'

export interface ChannelSecurity {
  readonly security: Security
  readonly credentials: ChannelCredentials
  /** Of the channel. */
  readonly options: { readonly 'grpc.ssl_target_name_override'?: string }
}

/** INVALID_ARGUMENT with every fault of `tls`, by its member, if it cannot be used. */
export function channelSecurity(tls: TlsOptions | boolean = false): ChannelSecurity {
  if (tls === false) return { security: 'plain', credentials: credentials.createInsecure(), options: {} }
  const { ca, cert, key, serverName } = tls === true ? ({} as TlsOptions) : tls
  const faults = [...pairFaults(cert, key), ...pemFaults('ca', ca, certificatesOf)]
  if (serverName === '') faults.push({ at: 'tls.serverName', problem: 'is empty: leave it out, or give a name' })
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'no TLS is possible with what is given:', faults)
  return {
    security: cert === undefined ? 'tls' : 'mutual',
    credentials: sslCredentials(bytesOf(ca), bytesOf(key), bytesOf(cert)),
    options: serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName },
  }
}

function sslCredentials(ca: Buffer | null, key: Buffer | null, cert: Buffer | null): ChannelCredentials {
  try {
    return credentials.createSsl(ca, key, cert)
  } catch (cause) {
    // A key that is too short, for example.
    const problem = `no TLS is possible with what is given: ${(cause as Error).message}`
    throw new TwinstoreError('INVALID_ARGUMENT', problem, { cause })
  }
}

function pairFaults(cert: Pem | undefined, key: Pem | undefined): Fault[] {
  if (cert !== undefined && key === undefined) return [{ at: 'tls.cert', problem: 'is given without its private key' }]
  if (cert === undefined && key !== undefined) return [{ at: 'tls.key', problem: 'is given without its certificate' }]
  const faults = [...pemFaults('cert', cert, certificatesOf), ...pemFaults('key', key, privateKeyOf)]
  if (cert === undefined || key === undefined || faults.length > 0) return faults
  return certificatesOf(cert)[0]!.checkPrivateKey(privateKeyOf(key))
    ? []
    : [{ at: 'tls.key', problem: 'is not the key of the certificate' }]
}

function pemFaults(member: keyof TlsOptions, pem: Pem | undefined, parse: (pem: Pem) => unknown): Fault[] {
  try {
    if (pem !== undefined) parse(pem)
    return []
  } catch (error) {
    return [{ at: `tls.${member}`, problem: (error as Error).message }]
  }
}

function bytesOf(pem: Pem | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem as Buffer)
}
