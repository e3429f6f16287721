/**
 * Why no connection to a server came about.
 *
 * grpc-js has only what the socket or OpenSSL said, in a text. Here that becomes a kind, so that everybody can be told what to do in
 * terms of what they can set: members of `connect`'s options, or flags of a command.
 */
import { TwinstoreError } from '../domain/errors.ts'
import type { Security } from './tls.ts'

export type ConnectFaultKind =
  | 'absent'
  | 'server-plain'
  | 'server-silent'
  | 'untrusted'
  | 'invalid'
  | 'other-name'
  | 'certificate-wanted'
  | 'certificate-refused'
  | 'no-tls'

export interface ConnectFault {
  readonly kind: ConnectFaultKind
  /** With the address, and what the socket said; what to do is not in it. */
  readonly problem: string
}

/** What to do, in the terms of the client library. Nothing can be said of who is not there. */
const REMEDIES: Readonly<Record<Exclude<ConnectFaultKind, 'absent'>, string>> = {
  'server-plain': 'leave out tls, or let the server have a certificate (grpc-tls-cert, grpc-tls-key)',
  'server-silent': 'if it serves over TLS, connect with tls',
  untrusted: 'give the authority of the certificate as tls.ca',
  invalid: 'give the server another (at SIGHUP it reads its certificate again), or set the clocks of both right',
  'other-name': 'connect by a name of the certificate, or give the one to expect as tls.serverName',
  'certificate-wanted': 'give tls.cert and tls.key',
  'certificate-refused': 'give tls.cert and tls.key of an authority that the server trusts',
  'no-tls': 'it may want a certificate: give tls.cert and tls.key',
}

/** What grpc-js says of a connection that ended before a word of HTTP/2 came. */
const CLOSED = /^(Failed to connect|(read|write) E[A-Z]+|Protocol error)/

/** The first that fits; `what` follows "the server at <address>". */
const TLS_FAULTS: readonly { readonly said: RegExp; readonly kind: ConnectFaultKind; readonly what: string }[] = [
  { said: /wrong version number|packet length too long/, kind: 'server-plain', what: 'answered without TLS' },
  { said: /has expired|not yet valid/, kind: 'invalid', what: 'has a certificate that is not valid now' },
  { said: /^Hostname|ALTNAME_INVALID/, kind: 'other-name', what: 'has a certificate for other names' },
  {
    said: /self-signed|self signed|unable to (verify|get) |purpose/,
    kind: 'untrusted',
    what: 'has a certificate that is not trusted',
  },
  { said: /certificate required/, kind: 'certificate-wanted', what: 'wants a certificate of the client' },
  {
    said: /alert (unknown ca|(bad|unsupported) certificate|certificate (expired|revoked|unknown))/,
    kind: 'certificate-refused',
    what: 'does not take the certificate of this client',
  },
]

/** `details` are those of a call that failed with UNAVAILABLE; undefined if that was not for want of a connection. */
export function connectFault(details: string, address: string, security: Security): ConnectFault | undefined {
  if (!details.startsWith('No connection established')) return undefined
  const said = socketError(details)
  const of = (kind: ConnectFaultKind, what: string): ConnectFault => ({
    kind,
    problem: `the server at ${address} ${what} (${said})`,
  })
  if (security !== 'plain') {
    const known = TLS_FAULTS.find((each) => each.said.test(said))
    if (known !== undefined) return of(known.kind, known.what)
    // With TLS 1.3 a server looks at the certificate when the client is through with the handshake, and may only close.
    if (CLOSED.test(said)) {
      return security === 'mutual'
        ? of('certificate-refused', 'closed the connection when it had the certificate of this client')
        : of('no-tls', 'closed the connection')
    }
    if (/SSL|TLS/.test(said)) return of('no-tls', 'and this client did not come to terms over TLS')
  } else if (CLOSED.test(said)) return of('server-silent', 'did not answer in HTTP/2')
  return { kind: 'absent', problem: `no Twinstore server answers at ${address} (${said})` }
}

/** UNAVAILABLE, because there is no connection. */
export class ConnectError extends TwinstoreError {
  readonly fault: ConnectFault

  constructor(fault: ConnectFault, cause: unknown) {
    const remedy = fault.kind === 'absent' ? '' : `: ${REMEDIES[fault.kind]}`
    super('UNAVAILABLE', fault.problem + remedy, { cause })
    this.fault = fault
  }
}

/** What follows `Last error: Error: `, without what grpc-js says of the name's resolution, and where in OpenSSL it was. */
function socketError(details: string): string {
  const last = /Last error: (?:Error(?: \[\w+\])?: )?([\s\S]+?)\.?\s*Resolution note:/.exec(details)?.[1] ?? details
  const openssl = /error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(last)?.[1]
  return openssl ?? last.replace(/ \(\d{4}-[^)]*\)$/, '').trim()
}
