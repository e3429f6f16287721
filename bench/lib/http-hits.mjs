/**
 * What reads from L1 over HTTP are measured with: as `hits.mjs`, with a server that has rows of 2 KB in its cache, a bare fastify route
 * that answers with the same bytes, and requests as JSON.
 */
import { connect } from '../../dist/client/index.js'
import { startLoad, withoutFailures } from '../load/load.mjs'
import { archived } from './archived.mjs'
import { writeWideRows } from './feature-data.mjs'
import { fromL1 } from './from-l1.mjs'
import { startStaticHttpServer, startTwinstore } from './processes.mjs'
import { temporaryFolder } from './resources.mjs'

const GET_FEATURES = '/v1/get-features'
const FLAGS = ['--http', '127.0.0.1:0', '--cache-ttl', '1h', '--sync-on-start', 'never', '--archive-interval', '50ms']

/** The sides are `twinstore` and `static`. */
export async function openHttpHits(defer) {
  const server = await startTwinstore(defer, {
    definitions: 'definitions/serving.ts',
    dataDir: temporaryFolder(defer),
    flags: FLAGS,
  })
  const bare = await startStaticHttpServer(defer)
  const client = connect(server.address)
  defer(() => client.close())
  await writeWideRows(client)
  await archived(client)
  const load = await startLoad(defer)
  const sides = { twinstore: server, static: bare }

  return {
    /** Has the bodies that `requests()` gives asked for by `run` from now on, and the bare server answer as the real one does. */
    async ask(requests) {
      const bodies = requests()
      const answers = []
      for (const body of bodies) answers.push(await answerTo(server.httpAddress, body))
      const prepared = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: answers.at(-1) }
      await fetch(`http://${bare.httpAddress}/prepare`, prepared)
      await load.prepare('hits', bodies.map(Buffer.from))
      return { answerBytesMin: Math.min(...answers.map((answer) => Buffer.byteLength(answer))) }
    },

    /** As in `hits.mjs`. A connection for each request under way, as HTTP/1.1 needs. */
    async run(side, settings) {
      const { httpAddress, cpuSeconds } = sides[side]
      const before = cpuSeconds()
      const asked = { target: httpAddress, path: GET_FEATURES, requests: 'hits', client: 'http1' }
      const connections = settings.pace.inFlight
      const result = withoutFailures(await load.run({ ...asked, connections, ...settings }))
      return { ...result, serverCpuMicros: ((cpuSeconds() - before) / result.calls) * 1e6 }
    },

    fromL1: (label, work) => fromL1(client, label, work),
  }
}

/** An answer is looked at once: all values must be PRESENT, in as many rows as were asked for. */
async function answerTo(address, body) {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`http://${address}${GET_FEATURES}`, { method: 'POST', headers, body })
  const text = await response.text()
  const { rows } = JSON.parse(text)
  const isWhole = rows?.every(({ statuses }) => Object.keys(statuses).length === 0)
  if (!isWhole || rows.length !== JSON.parse(body).entities.user.length) {
    throw new Error(`an answer is not whole: ${text.slice(0, 300)}`)
  }
  return text
}
