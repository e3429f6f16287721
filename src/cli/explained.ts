/** Failures to reach a server, with what to do about them in terms of the command's flags. */
import { ConnectError, type ConnectFaultKind } from '../client/connect-fault.ts'
import { TwinstoreError } from '../domain/errors.ts'

const START = 'start a server with `twinstore serve`, or name another with --address'

const ADVICE: Readonly<Record<ConnectFaultKind, string>> = {
  absent: START,
  'server-plain':
    'leave out the flags --tls..., or let the server have a certificate (--grpc-tls-cert, --grpc-tls-key)',
  'server-silent':
    'if it serves over TLS, give --tls, or --tls-ca with its authority; or name another server with --address',
  untrusted: 'give the authority of the certificate with --tls-ca',
  invalid: 'give the server another (at SIGHUP it reads its certificate again), or set the clocks of both right',
  'other-name':
    'name the server with --address as the certificate does, or give the name to expect with --tls-server-name',
  'certificate-wanted': 'give one with --tls-cert and --tls-key',
  'certificate-refused': 'give one of an authority that the server trusts with --tls-cert and --tls-key',
  'no-tls': 'it may want a certificate: give one with --tls-cert and --tls-key',
}

export function explained(error: unknown): unknown {
  if (!(error instanceof TwinstoreError) || error.code !== 'UNAVAILABLE') return error
  const fault = error instanceof ConnectError ? error.fault : undefined
  const message = `${fault?.problem ?? error.message}\n${ADVICE[fault?.kind ?? 'absent']}`
  return new TwinstoreError('UNAVAILABLE', message, { cause: error })
}
