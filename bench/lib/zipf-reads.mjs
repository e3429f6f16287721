/**
 * What reads at a given hit rate are measured with: a server whose L1 has room for a part of the rows only, over a Redis Cluster of three
 * primaries, the load generator, and the bare grpc-js server that answers with the same bytes.
 *
 * The hit rate comes of the keys asked for and of nothing else: by Zipf's law with an exponent that was found by trying it on a model
 * of L1 (a quarter of the keys has room: 0.67 for 50 %, 1.22 for 95 %), or one after the other, of which none is ever there. It
 * is counted by the server.
 *
 * L1 begins as it would be after hours: filled, by the server itself, with what the model holds after many draws. To fill it at the pace
 * of the load would take longer than the measurement.
 */
import { connect } from '../../dist/client/index.js'
import { decodeMessage } from '../../dist/client/protocol.js'
import { encodeWrite } from '../../dist/client/writes.js'
import { entityKey, rowKey } from '../../dist/domain/entity-key.js'
import { startCluster } from '../../test/support/redis/redis-cluster.mjs'
import { startLoad, withoutFailures } from '../load/load.mjs'
import { nextIndex } from '../load/order.mjs'
import { namedUsersRequest, wideRow } from './feature-data.mjs'
import { GET_FEATURES } from './hits.mjs'
import { descendantsOf, startStaticServer, startTwinstore } from './processes.mjs'
import { rawClient } from './raw-client.mjs'
import { openRedisSubject, PROJECT } from './redis-subject.mjs'
import { temporaryFolder, withResources } from './resources.mjs'

export const IN_TURN = { kind: 'inTurn' }
export const HALF = { kind: 'zipf', exponent: 0.67, seed: 7 }
export const MOST = { kind: 'zipf', exponent: 1.22, seed: 7 }

const WRITE_ROWS = 1000
/** Rows of a request that fills L1. */
const FILL_ROWS = 100
/** So many draws per entry bring the model near to what it is after any number. */
const DRAWS_PER_ENTRY = 12
const BATCH_SEED = 3

/** `keys` rows of 2 KB, and L1 for `entries` of them with a TTL of 60 s. `nodeFlags` are those of the server and of the load process. */
export async function openZipfReads(defer, { keys, entries, nodeFlags = [] }) {
  const cluster = await startCluster({ primaries: 3, replicas: 0 })
  defer(() => cluster.dispose())
  await seedRows(cluster, keys)
  const server = await startTwinstore(defer, {
    definitions: 'definitions/serving.ts',
    dataDir: temporaryFolder(defer),
    nodeFlags,
    flags: [
      ...['--online', cluster.url, '--project', PROJECT, '--sync-on-start', 'never'],
      ...['--cache-entries', String(entries), '--cache-ttl', '60s'],
    ],
  })
  const bare = await startStaticServer(defer)
  const sides = { twinstore: server, static: bare }
  const client = connect(server.address)
  defer(() => client.close())
  const raw = rawClient(defer, server.address)
  const baseline = rawClient(defer, bare.address)
  const load = await startLoad(defer, { nodeFlags })
  const redis = cluster.nodes.map(({ pid }) => pid)
  const { layoutId } = decodeMessage('GetFeaturesResponse', await raw.call(GET_FEATURES, namedUsersRequest(names([0]))))
  const requestOf = (indexes) => namedUsersRequest(names(indexes), layoutId)
  let answerBytesMin = 0
  let order = IN_TURN
  let requestCount = 0
  let asked = 0
  const nextOrder = () =>
    order.kind === 'inTurn' ? { ...order, from: asked % requestCount } : { ...order, drawSeed: asked + 1 }

  return {
    pids: { server: server.pid, load: load.pid, redis },

    /**
     * Has `run` ask for rows by `order`, `rows` of them in a request, of the first `among` keys; L1 holds then what it would after
     * hours of that.
     */
    async prepare(keyOrder, rows, among = keys) {
      const requests = rows === 1 ? eachKey(among, requestOf) : drawnBatches(keyOrder, among, rows, requestOf)
      answerBytesMin = await checkedBytes(raw, requests[0], rows)
      await baseline.call('/bench.Static/Prepare', await raw.call(GET_FEATURES, requests[0]))
      await load.prepare('reads', requests)
      order = rows === 1 ? keyOrder : IN_TURN
      requestCount = requests.length
      asked = 0
      for (const indexes of inSlices(keptByModel(keyOrder, among, entries), FILL_ROWS)) {
        await raw.call(GET_FEATURES, requestOf(indexes))
      }
    },

    /**
     * One load: what `load.run` gives, the server's processor time per call, the share of rows that were in L1, in percent, and the account
     * of the machine's processor time, with the groups `server`, `redis` and `load`. Each goes on where the last one stopped.
     */
    async run(side, settings) {
      const { address, cpuSeconds, pid } = sides[side]
      const watched = { server: [pid, ...descendantsOf(pid)], redis }
      const target = { target: address, path: GET_FEATURES, requests: 'reads', order: nextOrder(), answerBytesMin }
      const before = { cpuSeconds: cpuSeconds(), cache: (await client.status()).cache }
      const result = withoutFailures(await load.run({ ...target, watched, ...settings }))
      if (side === 'twinstore') asked += result.calls
      const { hits, misses } = (await client.status()).cache
      const hitCount = Number(hits - before.cache.hits)
      const missCount = Number(misses - before.cache.misses)
      return {
        ...result,
        serverCpuMicros: ((cpuSeconds() - before.cpuSeconds) / result.calls) * 1e6,
        hitPercent: (100 * hitCount) / (hitCount + missCount),
      }
    },
  }
}

/** One row is written as any other, and is every key's then: they differ in nothing that is measured. */
async function seedRows(cluster, keys) {
  await withResources(async (defer) => {
    const { store, writes, description } = await openRedisSubject(defer, cluster)
    const view = description.views.find(({ name }) => name === 'wide')
    await writes.writeFeatures(encodeWrite(view, [wideRow(0)], {}))
    const [row] = await store.readMany([keyOf(wideRow(0).user)])
    const users = names(Array.from({ length: keys }, (_, index) => index))
    for (const some of inSlices(users, WRITE_ROWS)) await store.seed(some.map((user) => ({ key: keyOf(user), row })))
  })
}

function keyOf(user) {
  return rowKey('wide', entityKey(['string'], [user]))
}

function names(indexes) {
  return indexes.map((index) => `user-${index}`)
}

function eachKey(keys, requestOf) {
  return Array.from({ length: keys }, (_, index) => requestOf([index]))
}

/** As many requests as bring four times as many rows as there are keys; they are asked one after the other. */
function drawnBatches(order, keys, rows, requestOf) {
  const next = nextIndex({ ...order, drawSeed: BATCH_SEED }, keys)
  return Array.from({ length: Math.ceil((4 * keys) / rows) }, () => requestOf(Array.from({ length: rows }, next)))
}

/** What an L1 of so many entries holds after many draws, the least recently used first. */
function keptByModel(order, keys, entries) {
  const next = nextIndex(order, keys)
  const kept = new Set()
  // Of keys that come in turn it ends with the last, so that the first comes next.
  const draws = Math.ceil((DRAWS_PER_ENTRY * entries) / keys) * keys
  for (let draw = 0; draw < draws; draw++) {
    const key = next()
    kept.delete(key)
    kept.add(key)
    if (kept.size > entries) kept.delete(kept.values().next().value)
  }
  return [...kept]
}

async function checkedBytes(raw, request, rows) {
  const answer = await raw.call(GET_FEATURES, request)
  const { vectors } = decodeMessage('GetFeaturesResponse', answer)
  if (vectors.length !== rows || vectors.some(({ statuses }) => statuses.length > 0)) {
    throw new Error('not every value is PRESENT')
  }
  return answer.length
}

function inSlices(list, length) {
  return Array.from({ length: Math.ceil(list.length / length) }, (_, index) =>
    list.slice(index * length, (index + 1) * length),
  )
}
