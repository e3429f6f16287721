/**
 * What the load generator takes for itself: the same calls through its own client, that of grpc-js and that of Node's HTTP/2, against
 * the bare grpc-js server.
 *
 * Shows that the lean client does not flatter a server: what the server spends on a call is nearly the same, whoever asks; what
 * differs is how much of the machine is left for it. See docs/decisions/021.
 */
import { startStaticServer } from '../lib/processes.mjs'
import { rawClient } from '../lib/raw-client.mjs'
import { withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { spread } from '../lib/spread.mjs'
import { startLoad, withoutFailures } from '../load/load.mjs'

export const title = 'clients of the load generator against a bare grpc-js server'
export const suite = 'long'
const CLIENTS = ['lean', 'node-http2', 'grpc-js']
const SIZES = [
  { name: '2kb', label: 'answers of 2 KB', bytes: 2000 },
  { name: '200kb', label: 'answers of 200 KB', bytes: 200_000 },
]
const FIGURES = ['client_cpu_us', 'server_cpu_us', 'calls_per_s']
export const figureNames = SIZES.flatMap(({ name }) =>
  CLIENTS.flatMap((client) => FIGURES.map((figure) => `${name}.${client}.${figure}`)),
)
const SETTINGS = {
  full: { rounds: 5, seconds: 0.7, warmSeconds: 0.3, inFlight: 16 },
  quick: { rounds: 1, seconds: 0.1, warmSeconds: 0.02, inFlight: 16 },
}
const PATH = '/twinstore.v1.Serving/GetFeatures'
const REQUEST_BYTES = 60

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const server = await startStaticServer(defer)
    const prepare = rawClient(defer, server.address)
    const load = await startLoad(defer)
    await load.prepare('same', [Buffer.alloc(REQUEST_BYTES, 1)])
    const figures = {}
    const rows = []
    for (const { name, label, bytes } of SIZES) {
      await prepare.call('/bench.Static/Prepare', Buffer.alloc(bytes, 1))
      const contenders = CLIENTS.map((client) => [client, () => round(load, server, client, bytes, settings)])
      const rounds = await takeTurns(Object.fromEntries(contenders), settings.rounds)
      for (const client of CLIENTS) {
        const spreads = FIGURES.map((figure) => spread(rounds.map((each) => each[client][figure])))
        for (const [index, figure] of FIGURES.entries()) figures[`${name}.${client}.${figure}`] = spreads[index]
        rows.push([client === CLIENTS[0] ? label : '', client, ...spreads])
      }
    }
    const head = ['answers', 'client', 'client CPU µs per call', 'server CPU µs per call', 'calls/s']
    return { settings, figures, head, rows }
  })
}

async function round(load, server, client, bytes, { seconds, warmSeconds, inFlight }) {
  const before = server.cpuSeconds()
  const pace = { kind: 'closed', inFlight }
  const settings = { target: server.address, path: PATH, requests: 'same', answerBytesMin: bytes }
  const result = withoutFailures(await load.run({ ...settings, client, pace, seconds, warmSeconds }))
  return {
    client_cpu_us: (result.cpuSeconds / (result.perSecond * seconds)) * 1e6,
    server_cpu_us: ((server.cpuSeconds() - before) / result.calls) * 1e6,
    calls_per_s: result.perSecond,
  }
}
