/**
 * What reads from L1 are measured with: a server that has rows in its cache (of 2 KB and the pairs of the flights, unless others are
 * given), the bare grpc-js server that answers with the same bytes, and the process of the load generator, which does exactly the same to both.
 */
import { connect } from '../../dist/client/index.js'
import { decodeMessage } from '../../dist/client/protocol.js'
import { startLoad, withoutFailures } from '../load/load.mjs'
import { archived } from './archived.mjs'
import { writeAirportStatus, writeDailyRows, writeWideRows } from './feature-data.mjs'
import { fromL1 } from './from-l1.mjs'
import { startStaticServer, startTwinstore } from './processes.mjs'
import { rawClient } from './raw-client.mjs'
import { temporaryFolder } from './resources.mjs'

export const GET_FEATURES = '/twinstore.v1.Serving/GetFeatures'
/** Rows are written, which takes less time than a sync of the flights; nothing leaves L1 meanwhile. */
const FLAGS = ['--cache-ttl', '1h', '--sync-on-start', 'never', '--archive-interval', '50ms']

/**
 * The sides are `twinstore` and `static`, and one more for each of `variants`: flags by name. `fill(client)` writes the rows that are
 * asked for.
 */
export async function openHits(
  defer,
  { definitions = 'definitions/serving.ts', fill = fillServing, flags = [], variants = {} } = {},
) {
  const opened = async (more) => {
    const dataDir = temporaryFolder(defer)
    const server = await startTwinstore(defer, { definitions, dataDir, flags: [...FLAGS, ...flags, ...more] })
    const client = connect(server.address)
    defer(() => client.close())
    await fill(client)
    await archived(client)
    return { server, client, raw: rawClient(defer, server.address) }
  }
  const main = await opened([])
  const others = new Map()
  for (const [name, more] of Object.entries(variants)) others.set(name, await opened(more))
  const { client, raw: subject } = main
  const bare = await startStaticServer(defer)
  const baseline = rawClient(defer, bare.address)
  const load = await startLoad(defer)
  const servers = [...others].map(([name, { server }]) => [name, server])
  const sides = { twinstore: main.server, static: bare, ...Object.fromEntries(servers) }
  const clients = { twinstore: client, ...Object.fromEntries([...others].map(([name, { client }]) => [name, client])) }

  return {
    sides,

    /** Of the library, by side. */
    clients,

    /** Other requests than those of `ask`, for `run` to be told their name. */
    prepare: load.prepare,

    /** Requests whose answers are known to be whole; `requests(knownLayout)` makes them, as for `ask`. */
    prepared: async (requests) => (await prepared(subject, requests)).list,

    /**
     * Has the requests asked for by `run` from now on, and the bare server answer as the real one does. `requests(knownLayout)` makes
     * them: with their layout left out of the answers, as a client does after its first.
     */
    async ask(requests) {
      const { list, answers } = await prepared(subject, requests)
      await baseline.call('/bench.Static/Prepare', answers.at(-1))
      // Once each, so that every variant has the rows in its L1.
      for (const { raw } of others.values()) for (const request of list) await raw.call(GET_FEATURES, request)
      await load.prepare('hits', list)
      return { answerBytesMin: Math.min(...answers.map((answer) => answer.length)) }
    },

    /** One load on one side: what `load.run` gives, and `serverCpuMicros`, the processor time of the server's threads per call. */
    async run(side, settings) {
      const { address, cpuSeconds } = sides[side]
      const before = cpuSeconds()
      const result = withoutFailures(
        await load.run({ target: address, path: GET_FEATURES, requests: 'hits', ...settings }),
      )
      return { ...result, serverCpuMicros: ((cpuSeconds() - before) / result.calls) * 1e6 }
    },

    fromL1: (label, work) => fromL1(client, label, work),
  }
}

async function fillServing(client) {
  await writeDailyRows(client)
  await writeAirportStatus(client)
  await writeWideRows(client)
}

/** Every answer is looked at once: all values must be PRESENT. */
async function prepared(subject, requests) {
  const first = decodeMessage('GetFeaturesResponse', await subject.call(GET_FEATURES, requests()[0]))
  const list = requests(first.layoutId)
  const answers = []
  for (const request of list) {
    const answer = await subject.call(GET_FEATURES, request)
    const { vectors } = decodeMessage('GetFeaturesResponse', answer)
    if (vectors.some(({ statuses }) => statuses.length > 0)) throw new Error('not every value is PRESENT')
    answers.push(answer)
  }
  return { list, answers }
}
