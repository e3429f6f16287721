/**
 * Who takes part in Feast's matrix, each with the same few things: `{ name, target, client, path, request(asked), check(asked) }`,
 * as `peers/open-peer.mjs` describes them. `asked` is `{ items, features }`.
 */
import { connect } from '../../dist/client/index.js'
import { decodeMessage, encodeMessage } from '../../dist/client/protocol.js'
import { startRedis } from '../../test/support/redis/redis-process.mjs'
import { answerFaults } from '../peers/answer-check.mjs'
import { openPeer } from '../peers/open-peer.mjs'
import { archived } from './archived.mjs'
import { matrixRows, serviceOf } from './matrix-data.mjs'
import { startStaticServer, startTwinstore } from './processes.mjs'
import { rawClient } from './raw-client.mjs'
import { temporaryFolder } from './resources.mjs'

const PATH = '/twinstore.v1.Serving/GetFeatures'
const NOT_EXPIRED = ['--cache-ttl', '1h']

/** By name. `prepareStatic(bytes)` sets what the static server answers. */
export async function openContenders(defer, { itemCount, peers }) {
  // First, because one that cannot be used is known in a moment.
  const opened = await Promise.all(peers.map((peer) => openPeer(defer, peer)))
  const redis = await startRedis()
  defer(() => redis.dispose())
  const server = await startTwinstore(defer, {
    definitions: 'definitions/matrix.ts',
    dataDir: temporaryFolder(defer),
    flags: ['--online', redis.url, ...NOT_EXPIRED],
  })
  await fill(defer, server.address, itemCount)
  const raw = rawClient(defer, server.address)
  const bare = await startStaticServer(defer)
  const bareClient = rawClient(defer, bare.address)
  const twinstore = openTwinstore('twinstore', 'CONSISTENCY_CACHED', raw, server.address)
  const fresh = openTwinstore('fresh', 'CONSISTENCY_FRESH', raw, server.address)
  return {
    contenders: [{ ...twinstore, name: 'static', target: bare.address }, twinstore, fresh, ...opened],
    prepareStatic: (answer) => bareClient.call('/bench.Static/Prepare', answer),
  }
}

async function fill(defer, address, itemCount) {
  const client = connect(address)
  defer(() => client.close())
  for (const { view, rows } of matrixRows(itemCount)) await client.writeFeatures(view, rows)
  await archived(client)
}

function openTwinstore(name, consistency, raw, target) {
  const knownLayouts = new Map()
  const request = ({ items, features }) =>
    encodeMessage('GetFeaturesRequest', {
      featureService: serviceOf(features),
      columns: [{ name: 'item', int64s: { val: items } }],
      consistency,
      knownLayout: knownLayouts.get(features)?.id ?? '0',
    })
  return {
    name,
    target,
    wire: `gRPC ${PATH}, ${consistency}`,
    client: 'lean',
    path: PATH,
    request,
    /** The first answer brings the layout; from then on it is left out, as with any client. */
    async check(asked) {
      if (!knownLayouts.has(asked.features)) {
        const { layout } = decodeMessage('GetFeaturesResponse', await raw.call(PATH, request(asked)))
        knownLayouts.set(asked.features, layout)
      }
      const bytes = await raw.call(PATH, request(asked))
      const { vectors } = decodeMessage('GetFeaturesResponse', bytes)
      const faults = answerFaults(columnsOf(knownLayouts.get(asked.features), vectors), asked)
      if (faults.length > 0) throw new Error(`${name} gave a wrong answer: ${faults.slice(0, 5).join('; ')}`)
      return bytes
    },
  }
}

/** `statuses` is empty where all are PRESENT; anything else is a fault here. */
function columnsOf({ columns }, vectors) {
  return columns.map(({ feature }, index) => ({
    name: feature,
    values: vectors.map(({ values }) => values[index].floatVal ?? null),
    statuses: vectors.map(({ statuses }) => (statuses.length === 0 ? 'PRESENT' : `status ${statuses[index]}`)),
  }))
}
