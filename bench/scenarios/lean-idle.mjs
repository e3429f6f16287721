/**
 * What connections cost that nobody uses, and what TLS costs those that are used: a server on the lean transport beside one on grpc-js with
 * the same number of idle connections, which have had no call yet, then one each, then four of other kinds each; and the lean one over
 * TLS beside itself on plain sockets.
 *
 * TLS is asked by Node's HTTP/2 client, on both sides, being the one of the load generator's clients that has it.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from '../../dist/client/index.js'
import { archived } from '../lib/archived.mjs'
import { compare } from '../lib/comparison.mjs'
import { usersRequest, writeWideRows } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { GET_FEATURES, openHits } from '../lib/hits.mjs'
import { MORE_CALLS, ONE_CALL, openIdleConnections } from '../lib/idle-connections.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { startLoad, withoutFailures } from '../load/load.mjs'

export const title = 'connections without calls, and TLS'
export const suite = 'long'
const MEMORY = ['grown_mib', 'rss_mib', 'kib_per_connection']
const SPEED = ['calls_per_s', 'server_cpu_us']
/** After which calls on each connection. */
const STAGES = { silent: [], idle: ONE_CALL, 'idle-calls': MORE_CALLS }
const LABELS = { silent: 'no call', idle: 'one call each', 'idle-calls': 'five calls each' }
export const figureNames = [
  ...Object.keys(STAGES).flatMap((stage) => compared(`${stage}.`, 'grpc-js', MEMORY)),
  ...compared('tls.', 'plain', SPEED),
]
/** A few connections may cost less than what a server's heap gives back meanwhile. */
export const figuresOfAnySign = /grown_mib|kib_per_connection|server_cpu_us/
const SETTINGS = {
  full: { connections: 10_000, idleRounds: 3, rounds: 5, seconds: 0.7, warmSeconds: 0.5, inFlight: 32, users: 1000 },
  quick: { connections: 200, idleRounds: 1, rounds: 1, seconds: 0.1, warmSeconds: 0.05, inFlight: 8, users: 20 },
}
const DEFINITIONS = 'definitions/serving.ts'
const FLAGS = ['--cache-ttl', '1h', '--sync-on-start', 'never', '--archive-interval', '50ms']
const KIB_PER_MIB = 1024

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  const idle = await takeTurns(
    { lean: () => idleRound('lean', settings), 'grpc-js': () => idleRound('grpc-js', settings) },
    settings.idleRounds,
  )
  const memory = Object.keys(STAGES).map((stage) => ({
    stage,
    ...compare(
      idle.map((round) => ({ lean: round.lean[stage], 'grpc-js': round['grpc-js'][stage] })),
      'lean',
      'grpc-js',
    ),
  }))
  const speed = compare(await tlsRounds(settings), 'tls', 'plain')
  const blank = Array(SPEED.length).fill('')
  return {
    settings,
    figures: Object.assign({}, ...memory.map(({ stage, figures }) => figures(`${stage}.`)), speed.figures('tls.')),
    head: ['', 'server', 'MiB for them', 'RSS in sum, MiB', 'KiB each', 'calls/s', 'server CPU µs'],
    rows: [
      ...memory.flatMap(({ stage, rows }) =>
        rows(`${settings.connections} idle connections, ${LABELS[stage]}`, MEMORY).map((row) => [...row, ...blank]),
      ),
      ...speed.rows('1 row of 2 KB', SPEED).map(([label, side, ...rest]) => [label, side, '', '', '', ...rest]),
    ],
  }
}

/** A server of its own each time: what it has taken from the system it may keep. */
async function idleRound(transport, { connections }) {
  return await withResources(async (defer) => {
    const dataDir = temporaryFolder(defer)
    const flags = [...FLAGS, '--transport', transport]
    const server = await startTwinstore(defer, { definitions: DEFINITIONS, dataDir, flags })
    // One of them first: what the first call alone makes the server load is no connection's cost.
    const first = await openIdleConnections(defer, server.address, 1)
    await first.call([...ONE_CALL, ...MORE_CALLS])
    const before = server.rssMib()
    const idle = await openIdleConnections(defer, server.address, connections)
    const stages = {}
    for (const [stage, calls] of Object.entries(STAGES)) {
      await idle.call(calls)
      const rss = server.rssMib()
      const grown = rss - before
      stages[stage] = { grown_mib: grown, rss_mib: rss, kib_per_connection: (grown * KIB_PER_MIB) / connections }
    }
    return stages
  })
}

async function tlsRounds({ rounds, seconds, warmSeconds, inFlight, users }) {
  return await withResources(async (defer) => {
    const lean = [...FLAGS, '--transport', 'lean']
    const fill = (client) => writeWideRows(client, users)
    const hits = await openHits(defer, { definitions: DEFINITIONS, flags: ['--transport', 'lean'], fill })
    const requests = (layout) => Array.from({ length: users }, (_, index) => usersRequest(index, 1, layout))
    const { answerBytesMin } = await hits.ask(requests)
    const list = await hits.prepared(requests)
    const tls = await startFilledOverTls(defer, lean, fill)
    const load = await startLoad(defer)
    await load.prepare('hits', list)
    const sides = { tls: { server: tls.server, tls: { ca: tls.ca } }, plain: { server: hits.sides.twinstore } }
    const round =
      ({ server, tls }) =>
      async () => {
        const before = server.cpuSeconds()
        const result = withoutFailures(
          await load.run({
            target: server.address,
            tls,
            client: 'node-http2',
            path: GET_FEATURES,
            requests: 'hits',
            pace: { kind: 'closed', inFlight },
            seconds,
            warmSeconds,
            answerBytesMin,
          }),
        )
        return { calls_per_s: result.perSecond, server_cpu_us: ((server.cpuSeconds() - before) / result.calls) * 1e6 }
      }
    const contenders = { tls: round(sides.tls), plain: round(sides.plain) }
    // Rows come into the L1 of the one over TLS by being asked for.
    await takeTurns(contenders, 1)
    return await takeTurns(contenders, rounds)
  })
}

/** Filled over plain sockets, as the client library of this project has them, and started again with a certificate. */
async function startFilledOverTls(defer, flags, fill) {
  const dataDir = temporaryFolder(defer)
  const plain = await startTwinstore(defer, { definitions: DEFINITIONS, dataDir, flags })
  const client = connect(plain.address)
  await fill(client)
  await archived(client)
  client.close()
  await plain.stop()
  const folder = temporaryFolder(defer)
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  makeCertificate(cert, key)
  const secure = [...flags, '--grpc-tls-cert', cert, '--grpc-tls-key', key]
  return {
    server: await startTwinstore(defer, { definitions: DEFINITIONS, dataDir, flags: secure }),
    ca: readFileSync(cert),
  }
}

/** Of the usual kind: P-256, signed by itself. */
function makeCertificate(cert, key) {
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const name = ['-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', ['req', '-x509', ...kind, ...name, '-keyout', key, '-out', cert], { stdio: 'ignore' })
}
