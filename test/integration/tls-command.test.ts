/** TLS as an operator has it: a server in a process of its own, certificates in files, commands with flags. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withClient } from '../../src/cli/connection.ts'
import type { ServerFlags } from '../../src/cli/server-address.ts'
import { CertificateFolder } from '../support/certificates.ts'
import { runCommand } from '../support/cli-process.ts'
import { until } from '../support/redis/until.mjs'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const DEFINITIONS = new URL('../fixtures/ledger', import.meta.url).pathname
const SOON_MS = 20_000
const WRITE = ['write', 'ledger', 'account=1', 'attempt=7', 'amount=1.5', 'note=x', 'settled=true']
const GET = ['get', 'balances', 'account=1', '--json']

const folder = new CertificateFolder()
folder.authority('other')
for (const name of ['server', 'renewed', 'client']) folder.issue(name)
folder.issue('elsewhere', { names: 'DNS:features.example' })
folder.issue('expired', { from: new Date('2024-01-01'), until: new Date('2024-02-01') })
folder.replace('shown', 'server')
const [ca, other, cert, key] = ['ca.pem', 'other.pem', 'client.pem', 'client.key'].map((name) => folder.file(name)) as [
  string,
  string,
  string,
  string,
]

let dir: string
let server: ServerProcess
let workers: ServerProcess
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-tls-'))
  const shown = (edge: string) => [
    ...[`--${edge}-tls-cert`, folder.file('shown.pem'), `--${edge}-tls-key`, folder.file('shown.key')],
    ...[`--${edge}-tls-client-ca`, ca],
  ]
  const flags = ['--http', '127.0.0.1:0', ...shown('grpc'), ...shown('http')]
  const start = (name: string, ...more: readonly string[]) =>
    startServerProcess({ dataDir: join(dir, name), definitions: DEFINITIONS, flags: [...flags, ...more] })
  ;[server, workers] = await Promise.all([
    start('alone', '--metrics', '127.0.0.1:0'),
    start('workers', '--workers', '2'),
  ])
})
afterAll(async () => {
  await Promise.all([server.stop(), workers.stop()])
  rmSync(dir, { recursive: true })
  folder.remove()
})

const tls = { '--tls-ca': ca, '--tls-cert': cert, '--tls-key': key }
const own: ServerFlags = { tlsCa: ca, tlsCert: cert, tlsKey: key }

function flagsOf(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).flat()
}

/** What `twinstore status` does with these flags, without a process of its own. */
function status(flags: ServerFlags) {
  return withClient({ address: server.address, timeout: '10s', ...flags }, (client) => client.status())
}

test('commands ask over mutual TLS, with flags', async () => {
  for (const words of [WRITE, GET]) {
    const ended = await runCommand([...words, '--address', server.address, ...flagsOf(tls)], dir)
    expect(ended).toMatchObject({ exitCode: 0, stderr: '' })
  }
})

test('or with what the environment says, and trusting whom Node trusts', async () => {
  const variables = { TWINSTORE_ADDRESS: server.address, TWINSTORE_TLS_CERT: cert, TWINSTORE_TLS_KEY: key }
  // Where the environment names authorities for all clients of grpc-js, Node's do not count.
  const trusting = { ...variables, TWINSTORE_TLS: 'on', NODE_EXTRA_CA_CERTS: ca, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: '' }
  const plan = ['plan', '--definitions', DEFINITIONS, '--address', server.address, '--json']
  const ended = await Promise.all([
    runCommand(['status'], dir, { ...variables, TWINSTORE_TLS_CA: ca }),
    runCommand(plan, dir, trusting),
  ])
  expect(ended.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(ended.map(() => [0, '']))
})

test('a command that comes without TLS says what is missing', async () => {
  const ended = await runCommand(['status', '--address', server.address], dir)
  expect(ended).toMatchObject({ exitCode: 5, stdout: '' })
  expect(ended.stderr).toMatch(/did not answer in HTTP\/2 \(.+\)\nif it serves over TLS, give --tls, or --tls-ca/)
})

test.each<[string, ServerFlags, string, RegExp]>([
  [
    'another authority',
    { ...own, tlsCa: other },
    'UNAVAILABLE',
    /is not trusted \(.+\)\ngive the authority .* --tls-ca$/,
  ],
  ['another name', { ...own, tlsServerName: 'a.example' }, 'UNAVAILABLE', /for other names .*\n.* --tls-server-name$/],
  ['no certificate', { tlsCa: ca }, 'UNAVAILABLE', /wants a certificate .*\ngive one with --tls-cert and --tls-key$/],
  ['no file', { tlsCa: 'none.pem' }, 'INVALID_ARGUMENT', /^--tls-ca none\.pem: there is no such file$/],
  ['no PEM', { tlsCa: key }, 'INVALID_ARGUMENT', /--tls-ca \S+client\.key: no certificate in PEM is in it/],
  [
    'half a pair',
    { tlsCert: cert },
    'INVALID_ARGUMENT',
    /--tls-cert \S+client\.pem: is given without its private key$/,
  ],
  ['no address', { address: 'here' }, 'INVALID_ARGUMENT', /--address: "here" is not host:port/],
])('%s: told with flags and files', async (_, flags, code, problem) => {
  await expect(status(flags)).rejects.toMatchObject({ code, message: expect.stringMatching(problem) })
})

test('HTTP is served over TLS to those it knows', async () => {
  const known = { cert: folder.bytes('client.pem'), key: folder.bytes('client.key') }
  expect(await health(server, known)).toBe('200 {"status":"SERVING"}\n')
  expect(await health(workers, known)).toBe('200 {"status":"SERVING"}\n')
  await expect(health(server, {})).rejects.toThrow(/certificate required/)
  await expect(fetch(`http://${server.httpAddress}/healthz`)).rejects.toThrow()
  await until('the log says so', SOON_MS, () => server.stderr().includes('a client spoke without TLS'))
})

test('a certificate about to expire is told at start, and when it does', async () => {
  expect(server.stderr()).toMatch(/"level":"warn".*"edge":"grpc","file":"\S+shown.pem","validUntil":.*about to expire/)
  expect(server.stderr()).toMatch(/"level":"warn".*"edge":"http".*about to expire/)
  const [, ends] = /notAfter=(.*)/.exec(openssl('x509', '-in', folder.file('shown.pem'), '-noout', '-enddate'))!
  expect(await gauge('grpc')).toBe(Date.parse(ends!) / 1000)
  expect(await gauge('http')).toBe(await gauge('grpc'))
})

test('SIGHUP: new connections get the new certificate, of every worker', async () => {
  folder.replace('shown', 'expired')
  hangUp(server)
  await until('it is read', SOON_MS, () => server.stderr().includes('the certificate has expired: clients refuse it'))
  expect(await gauge('grpc')).toBe(Date.parse('2024-02-01') / 1000)
  await expect(status(own)).rejects.toThrow(
    /is not valid now \(certificate has expired\)\ngive the server another \(at SIGHUP/,
  )
  folder.replace('shown', 'renewed')
  for (const each of [server, workers]) hangUp(each)
  for (const each of [server, workers]) {
    await until('all show it', SOON_MS, async () => (await shownBy(each)).every((name) => name === 'renewed'))
  }
  expect(await status(own)).toMatchObject({ problems: [] })
})

test('SIGHUP with a file that is broken: the error names it, and the certificate before stays', async () => {
  folder.put('shown.key', 'ca.cnf')
  for (const each of [server, workers]) hangUp(each)
  for (const [each, times] of [
    [server, 2],
    [workers, 4],
  ] as const) {
    const told = /"level":"error".*option \w+-tls-key: \S+shown\.key: no private key in PEM.*the one before stays/g
    await until('every edge tells', SOON_MS, () => each.stderr().match(told)?.length === times)
    expect(new Set(await shownBy(each))).toEqual(new Set(['renewed']))
  }
  expect(await status(own)).toMatchObject({ problems: [] })
})

test('a server whose certificate cannot be used does not start', async () => {
  const flags = ['--grpc-tls-cert', folder.file('server.pem'), '--grpc-tls-key', folder.file('client.key')]
  const ended = await runCommand(['serve', '--data-dir', join(dir, 'none'), ...flags], dir)
  expect(ended).toMatchObject({ exitCode: 2, stdout: '' })
  expect(ended.stderr).toMatch(
    /^error: option grpc-tls-key: \S+client\.key is not the key of the first certificate in /,
  )
})

function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8' })
}

function hangUp({ process: child }: ServerProcess): void {
  child.kill('SIGHUP')
}

async function gauge(edge: string): Promise<number> {
  const text = await (await fetch(`http://${server.metricsAddress}/metrics`)).text()
  const name = `twinstore_tls_certificate_expiry_timestamp_seconds{edge="${edge}"} `
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(name))!
      .slice(name.length),
  )
}

function health({ httpAddress }: ServerProcess, identity: { cert?: Buffer; key?: Buffer }): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { ca: folder.bytes('ca.pem'), agent: false, ...identity }
    request(`https://${httpAddress}/healthz`, options, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      answer.on('end', () => resolve(`${answer.statusCode} ${text}`))
    })
      .once('error', reject)
      .end()
  })
}

/** The names in the certificates that new connections get, from both edges and as many workers as there are. */
function shownBy({ address, httpAddress }: ServerProcess): Promise<string[]> {
  return Promise.all([address, address, httpAddress!, httpAddress!].map(nameShown))
}

function nameShown(address: string): Promise<string> {
  const [host, port] = address.split(':') as [string, string]
  return new Promise((resolve, reject) => {
    const options = { host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] }
    const socket = connectTls(options, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.once('error', reject)
  })
}
