/** What a start says of certificates, and of edges that have none. */
import { afterAll, expect, test } from 'vitest'
import { openCertificates } from '../../src/compose/certificates.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { CertificateFolder } from '../support/certificates.ts'

const DAY_MS = 86_400_000
const folder = new CertificateFolder()
folder.issue('long', { until: new Date(Date.now() + 15 * DAY_MS) })
folder.issue('short', { until: new Date(Date.now() + 13 * DAY_MS) })
afterAll(() => folder.remove())

function open(flags: Readonly<Record<string, string>>) {
  const logged: string[] = []
  const reloads: (() => void)[] = []
  const note = (level: string) => (message: string) => void logged.push(`${level}: ${message}`)
  const log = { error: note('error'), warn: note('warn'), info: note('info'), debug: note('debug') }
  const config = loadConfig({ flags, environment: {} })
  const certificates = openCertificates(config, log, { onReload: (reload) => reloads.push(reload) })
  return { logged, reloads, certificates }
}

function tls(edge: 'grpc' | 'http', name: string) {
  return { [`${edge}-tls-cert`]: folder.file(`${name}.pem`), [`${edge}-tls-key`]: folder.file(`${name}.key`) }
}

test('without TLS there is nothing to read again, and nothing to say', () => {
  const { logged, reloads, certificates } = open({ grpc: '0.0.0.0:1', http: '0.0.0.0:2' })
  expect([logged, reloads]).toEqual([[], []])
  expect(certificates).toEqual({ grpc: undefined, http: undefined })
})

test('an edge that others can reach is warned of when it is plain and the other one is not', () => {
  const warned = (flags: Readonly<Record<string, string>>) => open(flags).logged
  const grpc = tls('grpc', 'long')
  expect(warned({ ...grpc, http: '0.0.0.0:6566' })).toEqual([
    'warn: HTTP is served without TLS on 0.0.0.0:6566, gRPC with it: give http-tls-cert and http-tls-key, bind http to loopback, or put a proxy before it',
  ])
  expect(warned({ ...tls('http', 'long'), http: '0.0.0.0:6566', grpc: '[::]:1' })).toEqual([
    expect.stringMatching(/^warn: gRPC is served without TLS on \[::\]:1, HTTP with it/),
  ])
  expect(warned(grpc)).toEqual([])
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) expect(warned({ ...grpc, http: `${host}:1` })).toEqual([])
  expect(warned({ ...grpc, ...tls('http', 'long'), http: '0.0.0.0:1' })).toEqual([])
})

test('how long before its end a certificate is warned of is an option', () => {
  const logged = (name: string, warning?: string) =>
    open({ ...tls('grpc', name), ...(warning === undefined ? {} : { 'tls-expiry-warning': warning }) }).logged
  expect(logged('long')).toEqual([])
  expect(logged('short')).toEqual(['warn: the certificate is about to expire'])
  expect(logged('short', '12d')).toEqual([])
  expect(logged('long', '16d')).toEqual(['warn: the certificate is about to expire'])
})

test('each edge is read again by itself: a broken file of one does not keep the other from its new one', () => {
  folder.replace('grpc', 'long')
  folder.replace('http', 'long')
  const { logged, reloads, certificates } = open({
    ...tls('grpc', 'grpc'),
    ...tls('http', 'http'),
    http: '127.0.0.1:1',
  })
  const before = certificates.http!.validity.untilMs
  folder.put('grpc.pem', 'ca.cnf')
  folder.replace('http', 'short')
  reloads[0]!()
  expect(logged).toEqual([
    'error: the certificate could not be read again; the one before stays',
    'info: the certificate was read again; new connections get it',
    'warn: the certificate is about to expire',
  ])
  expect([certificates.grpc!.validity.untilMs, certificates.http!.validity.untilMs < before]).toEqual([before, true])
})
