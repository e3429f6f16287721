/** The client library and an edge over TLS: what is trusted, what is refused, and what both sides are told. */
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { EdgeCertificate, validityProblem } from '../../src/api/edge-certificate.ts'
import { connect, type TlsOptions, TwinstoreError } from '../../src/client/index.ts'
import { CertificateFolder } from '../support/certificates.ts'
import { type Edge, startEdge } from './grpc-fixture.ts'
import { startHttpEdge } from './http-edge-fixture.ts'

const DAY_MS = 86_400_000
const folder = new CertificateFolder()
folder.authority('other')
folder.issue('server')
folder.issue('elsewhere', { names: 'DNS:features.example' })
folder.issue('expired', { from: new Date('2024-01-01'), until: new Date('2024-02-01') })
folder.issue('tomorrow', { from: new Date(Date.now() + DAY_MS) })
folder.issue('client')
folder.issue('stranger', { by: 'other' })
const ca = folder.bytes('ca.pem')
const own = { ca, cert: folder.bytes('client.pem'), key: folder.bytes('client.key') }

afterAll(() => folder.remove())

let edges: Edge[] = []
afterEach(async () => {
  for (const edge of edges) await edge.close()
  edges = []
})

function certificateOf(name: string, clientCa = ''): EdgeCertificate {
  return new EdgeCertificate('grpc', {
    certFile: folder.file(`${name}.pem`),
    keyFile: folder.file(`${name}.key`),
    clientCaFile: clientCa === '' ? '' : folder.file(`${clientCa}.pem`),
  })
}

/** Plain without a certificate. */
async function serve(certificate?: EdgeCertificate): Promise<Edge> {
  const edge = await startEdge(certificate === undefined ? {} : { certificate })
  edges.push(edge)
  return edge
}

/** Asks once: `ok`, or the code and the message, without the address. */
async function ask({ address }: Edge, tls?: TlsOptions | true): Promise<string> {
  const client = connect(address, { attemptsMax: 1, ...(tls === undefined ? {} : { tls }) })
  try {
    await client.describe()
    return 'ok'
  } catch (error) {
    if (!(error instanceof TwinstoreError)) throw error
    return `${error.code} ${error.message.replaceAll(address, '<address>')}`
  } finally {
    client.close()
  }
}

describe('what a client trusts', () => {
  test('a server of the authority that is given, as bytes or as text', async () => {
    const edge = await serve(certificateOf('server'))
    expect(await ask(edge, { ca })).toBe('ok')
    expect(await ask(edge, { ca: String(ca) })).toBe('ok')
    expect(edge.connectionFaults).toEqual([])
  })

  test.each<[string, string, TlsOptions | true, RegExp]>([
    [
      'an authority that nobody knows',
      'server',
      true,
      /has a certificate that is not trusted \(.+\): give .* tls\.ca$/,
    ],
    ['another authority', 'server', { ca: folder.bytes('other.pem') }, /is not trusted .* as tls\.ca$/],
    ['an expired certificate', 'expired', { ca }, /is not valid now \(certificate has expired\): .*SIGHUP/],
    ['one of tomorrow', 'tomorrow', { ca }, /is not valid now \(certificate is not yet valid\)/],
    ['another name', 'elsewhere', { ca }, /for other names \(.*127\.0\.0\.1 is not .*\): .* tls\.serverName$/],
    ['a name that was not expected', 'server', { ca, serverName: 'a.example' }, /for other names \(.*DNS:localhost/],
  ])('not %s', async (_, name, tls, problem) => {
    const told = await ask(await serve(certificateOf(name)), tls)
    expect(told).toMatch(/^UNAVAILABLE the server at <address> /)
    expect(told).toMatch(problem)
  })

  test('a name that is expected instead of the address', async () => {
    expect(await ask(await serve(certificateOf('elsewhere')), { ca, serverName: 'features.example' })).toBe('ok')
  })
})

describe('mutual TLS', () => {
  test('a client of the authority is served', async () => {
    expect(await ask(await serve(certificateOf('server', 'ca')), own)).toBe('ok')
  })

  test('one without a certificate is told so, and the server tells who was not served', async () => {
    const edge = await serve(certificateOf('server', 'ca'))
    expect(await ask(edge, { ca })).toMatch(/wants a certificate of the client .*: give tls\.cert and tls\.key$/)
    expect(edge.connectionFaults).toEqual(['no TLS with a client: peer did not return a certificate'])
  })

  test('one of another authority is refused, and the server says why', async () => {
    const edge = await serve(certificateOf('server', 'ca'))
    const stranger = { ca, cert: folder.bytes('stranger.pem'), key: folder.bytes('stranger.key') }
    expect(await ask(edge, stranger)).toMatch(
      /when it had the certificate of this client .*: give tls\.cert and tls\.key/,
    )
    expect(edge.connectionFaults).toEqual([
      expect.stringMatching(/^the certificate of a client was refused: UNABLE_TO/),
    ])
  })
})

describe('one side with TLS and the other without', () => {
  test('a client that asks for TLS is told that the server has none', async () => {
    expect(await ask(await serve(), { ca })).toBe(
      'UNAVAILABLE the server at <address> answered without TLS (wrong version number): leave out tls, or let the server have a certificate (grpc-tls-cert, grpc-tls-key)',
    )
  })

  test('a client without TLS is told that the server may want it, and so is the operator', async () => {
    const edge = await serve(certificateOf('server'))
    expect(await ask(edge)).toMatch(/did not answer in HTTP\/2 \(.+\): if it serves over TLS, connect with tls$/)
    expect(edge.connectionFaults).toEqual(['a client spoke without TLS'])
  })

  test('who only looks whether the port is open is not reported', async () => {
    const edge = await serve(certificateOf('server'))
    const socket = connectSocket(Number(edge.address.split(':')[1]), '127.0.0.1', () => socket.end())
    await new Promise((resolve) => socket.once('close', resolve))
    expect(await ask(edge, { ca })).toBe('ok')
    expect(edge.connectionFaults).toEqual([])
  })
})

test.each<[string, TlsOptions, RegExp]>([
  ['no PEM', { ca: 'ca.pem' }, /tls\.ca: no certificate in PEM is in it \(-----BEGIN CERTIFICATE-----\)$/],
  ['a key for an authority', { ca: folder.bytes('ca.key') }, /tls\.ca: no certificate .*, but a PRIVATE KEY$/],
  ['a damaged authority', { ca: String(ca).replace('MII', '!!!') }, /tls\.ca: certificate 1 of 1 in it is damaged$/],
  ['a certificate alone', { cert: own.cert }, /tls\.cert: is given without its private key$/],
  ['a key alone', { key: own.key }, /tls\.key: is given without its certificate$/],
  ['a certificate for a key', { cert: own.cert, key: own.cert }, /tls\.key: no private key .*, but a CERTIFICATE$/],
  ['the key of another', { ...own, key: folder.bytes('server.key') }, /tls\.key: is not the key of the certificate$/],
  ['no name', { serverName: '' }, /tls\.serverName: is empty/],
])('connect refuses %s', (_, tls, problem) => {
  expect(() => connect('127.0.0.1:1', { tls })).toThrow(problem)
  expect(() => connect('127.0.0.1:1', { tls })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})

test('all faults of what is given are told at once', () => {
  const faultsOf = (tls: TlsOptions) => {
    try {
      return connect('127.0.0.1:1', { tls })
    } catch (error) {
      return (error as TwinstoreError).faults.map(({ at }) => at)
    }
  }
  expect(faultsOf({ ca: 'x', cert: 'y', serverName: '' })).toEqual(['tls.cert', 'tls.ca', 'tls.serverName'])
})

describe('certificates that are read again', () => {
  test('new connections get the new one, and those there are go on', async () => {
    folder.issue('renewed')
    folder.issue('shown')
    const certificate = certificateOf('shown')
    const edge = await serve(certificate)
    const client = connect(edge.address, { tls: { ca } })
    await client.describe()
    const before = await shownBy(edge)
    folder.replace('shown', 'renewed')
    certificate.renew()
    expect([before, await shownBy(edge)]).toEqual(['shown', 'renewed'])
    await client.describe()
    client.close()
  })

  test('a client authority that is taken away is not trusted by what comes after', async () => {
    folder.authority('former')
    folder.issue('employee', { by: 'former' })
    folder.replace('authorities', 'former')
    const certificate = certificateOf('server', 'authorities')
    const edge = await serve(certificate)
    const employee = { ca, cert: folder.bytes('employee.pem'), key: folder.bytes('employee.key') }
    expect(await ask(edge, employee)).toBe('ok')
    folder.replace('authorities', 'ca')
    certificate.renew()
    expect(await ask(edge, employee)).toMatch(/tls\.cert/)
    expect(await ask(edge, own)).toBe('ok')
  })

  test('files that cannot be used are named, and change nothing', async () => {
    folder.replace('changed', 'server')
    const certificate = certificateOf('changed')
    const edge = await serve(certificate)
    folder.put('changed.pem', 'client.pem')
    expect(() => certificate.renew()).toThrow(/^option grpc-tls-key: \S+changed\.key is not the key of .*changed\.pem$/)
    folder.put('changed.pem', 'ca.cnf')
    expect(() => certificate.renew()).toThrow(/^option grpc-tls-cert: \S+changed\.pem: no certificate in PEM is in it/)
    folder.put('changed.pem', 'server.pem')
    folder.put('changed.key', 'ca.cnf')
    expect(() => certificate.renew()).toThrow(/^option grpc-tls-key: \S+changed\.key: no private key in PEM is in it/)
    expect(() => certificateOf('absent')).toThrow(/^option grpc-tls-cert: \S+absent\.pem: there is no such file$/)
    expect(() => certificateOf('server', 'absent')).toThrow(/^option grpc-tls-client-ca: \S+absent\.pem/)
    expect(await shownBy(edge)).toBe('server')
  })
})

/** The name in the certificate that a new connection gets. */
function shownBy({ address }: Edge): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls(
      { host: '127.0.0.1', port: Number(address.split(':')[1]), ca, ALPNProtocols: ['h2'] },
      () => {
        resolve(String(socket.getPeerCertificate().subject.CN))
        socket.destroy()
      },
    )
    socket.once('error', reject)
  })
}

test('a drain ends connections over TLS, and no handshake is begun after it', async () => {
  const edge = await serve(certificateOf('server'))
  const client = connect(edge.address, { attemptsMax: 1, tls: { ca } })
  await client.describe()
  expect(await edge.server.drain(DAY_MS)).toBe(true)
  await expect(client.describe()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  client.close()
})

test('over HTTP too: connections without a request, and half a handshake, do not hold a drain', async () => {
  const certificate = new EdgeCertificate('http', {
    certFile: folder.file('server.pem'),
    keyFile: folder.file('server.key'),
    clientCaFile: '',
  })
  const edge = await startHttpEdge({ options: { certificate } })
  const port = Number(edge.address.split(':')[1])
  const half = connectSocket(port, '127.0.0.1')
  half.on('error', () => undefined)
  const [idle, late] = [connectTls({ host: '127.0.0.1', port, ca }), connectTls({ host: '127.0.0.1', port, ca })]
  // A ticket for the next session comes when the server is through with the handshake; the client is before.
  await Promise.all([once(half, 'connect'), once(idle, 'session'), once(late, 'secureConnect')])
  const closed = [half, idle, late].map((socket) => once(socket, 'close'))
  expect(await edge.server.drain(DAY_MS)).toBe(true)
  await Promise.all(closed)
})

test('the end of a certificate is told in time', () => {
  const validity = { fromMs: 10 * DAY_MS, untilMs: 100 * DAY_MS }
  const told = (day: number) => validityProblem(validity, day * DAY_MS, 14 * DAY_MS)
  expect([9, 10, 85, 86, 99, 100].map(told)).toEqual([
    'the certificate is not valid yet: clients refuse it',
    undefined,
    undefined,
    'the certificate is about to expire',
    'the certificate is about to expire',
    'the certificate has expired: clients refuse it',
  ])
})

test('of a chain the first that ends counts', () => {
  folder.issue('short', { until: new Date(Date.now() + 1000 * 60) })
  folder.put('chain.pem', 'server.pem', 'short.pem')
  folder.put('chain.key', 'server.key')
  const ends = [certificateOf('chain'), certificateOf('server'), certificateOf('short')].map(
    (each) => each.validity.untilMs,
  )
  expect(ends[0]).toBe(ends[2])
  expect(ends[0]).toBeLessThan(ends[1]!)
})
