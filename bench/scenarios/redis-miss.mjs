/**
 * How many rows a second come out of Redis when none is in L1: batches of 100 rows of 2 KB over three primaries.
 *
 * The baseline fetches the same keys, one MGET per shard, all nodes in parallel (`lib/bare-redis.mjs`), and does nothing with them.
 * `store` is the online store's `readMany`: grouping by shard, the trust in the node that answers, the check of every row for
 * damage. `serving` is request bytes in, response bytes out: with it come keys, single-flight, the fill of L1 and the
 * assembly of 200 KB of answer. Both are in this process, as the baseline is. `grpc` is a server process with this one as its client:
 * two more processes for two cores, and the bytes are copied through another socket.
 *
 * L1 is smaller than the rows, which are asked for in the same order over and over: the least recently used row leaves just
 * before it is asked for again. The run fails if one row came from L1, or was spared by single-flight.
 */

import { connect } from '../../dist/client/index.js'
import { decodeMessage } from '../../dist/client/protocol.js'
import { encodeWrite } from '../../dist/client/writes.js'
import { entityKey, rowKey } from '../../dist/domain/entity-key.js'
import { PooledRoom } from '../../dist/grpc/pooled-room.js'
import { AnswerBuffers } from '../../dist/lib/answer-buffers.js'
import { byShard, valueKey } from '../../dist/online/redis/redis-keys.js'
import { startCluster } from '../../test/support/redis/redis-cluster.mjs'
import { archived } from '../lib/archived.mjs'
import { openBareRedis } from '../lib/bare-redis.mjs'
import { closedLoop } from '../lib/closed-loop.mjs'
import { compare } from '../lib/comparison.mjs'
import { USERS, userName, usersRequest, wideRow, writeWideRows } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { rawClient } from '../lib/raw-client.mjs'
import { openRedisSubject } from '../lib/redis-subject.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { spread } from '../lib/spread.mjs'

export const title = 'batches of 100 rows of 2 KB over three primaries, none of them in L1'
export const figureNames = [
  ...['store', 'serving', 'grpc'].flatMap((through) =>
    [1, 4, 16].flatMap((inFlight) =>
      compared(`${through}.${inFlight}-in-flight.`, 'bare', ['p50_ms', 'p99_ms', 'rows_per_s']),
    ),
  ),
  'coalesced.reads_per_row',
]
const GET_FEATURES = '/twinstore.v1.Serving/GetFeatures'
const ROWS = 100
const BATCHES = USERS / ROWS
/** Half of the rows. */
const CACHE_BYTES = '4MiB'
const IN_FLIGHT = [1, 4, 16]
const CALLERS = 64
/** The default of option `answer-buffers-bytes`. */
const ANSWER_BUFFERS_BYTES = 16 * 2 ** 20
const SETTINGS = {
  full: { rounds: 3, seconds: 0.6, warmSeconds: 0.3 },
  quick: { rounds: 1, seconds: 0.05, warmSeconds: 0.02 },
}

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const cluster = await startCluster({ primaries: 3, replicas: 0 })
    defer(() => cluster.dispose())
    const subject = await openRedisSubject(defer, cluster, { 'cache-bytes': CACHE_BYTES })
    await fill(subject)
    const grpc = await openGrpc(defer, cluster, quick)
    const contenders = {
      bare: await bareSender(defer, cluster, subject.shards),
      store: storeSender(subject.store),
      serving: await servingSender(subject.serving),
      grpc: grpc.send,
    }
    const figures = {}
    const rows = []
    for (const concurrency of IN_FLIGHT) {
      const before = { serving: subject.serving.stats(), grpc: await grpc.stats() }
      const turns = (seconds) =>
        Object.fromEntries(
          Object.entries(contenders).map(([name, send]) => [name, () => round(send, concurrency, seconds)]),
        )
      await takeTurns(turns(settings.warmSeconds), 1)
      const rounds = await takeTurns(turns(settings.seconds), settings.rounds)
      refuseSpared('serving', before.serving, subject.serving.stats())
      refuseSpared('grpc', before.grpc, await grpc.stats())
      for (const name of ['store', 'serving', 'grpc']) {
        const comparison = compare(rounds, name, 'bare')
        rows.push(...comparison.rows(`${concurrency} in flight`, COLUMNS))
        Object.assign(figures, comparison.figures(`${name}.${concurrency}-in-flight.`))
      }
    }
    figures['coalesced.reads_per_row'] = spread([await readsPerRow(subject.serving)])
    rows.push([`${CALLERS} callers of the same rows: reads of each`, 'serving', figures['coalesced.reads_per_row']])
    return { settings, figures, head: HEAD, rows }
  })
}

async function round(send, concurrency, seconds) {
  const { calls_per_s, p50_ms, p99_ms } = await closedLoop({ send, concurrency, seconds })
  return { p50_ms, p99_ms, rows_per_s: calls_per_s * ROWS }
}

/** How often each of 100 rows is read when many ask for all of them at once and none is in L1. */
async function readsPerRow(serving) {
  serving.invalidate('all')
  const before = serving.stats().fetchedKeys
  await Promise.all(Array.from({ length: CALLERS }, () => serving.getFeatures(usersRequest(0, ROWS))))
  return (serving.stats().fetchedKeys - before) / ROWS
}

async function fill({ writes, description }) {
  const view = description.views.find(({ name }) => name === 'wide')
  for (let first = 0; first < USERS; first += ROWS) {
    const rows = Array.from({ length: ROWS }, (_, offset) => wideRow(first + offset))
    await writes.writeFeatures(encodeWrite(view, rows, {}))
  }
}

function keyBatches() {
  return Array.from({ length: BATCHES }, (_, batch) =>
    Array.from({ length: ROWS }, (_, offset) =>
      rowKey('wide', entityKey(['string'], [userName(batch * ROWS + offset)])),
    ),
  )
}

async function bareSender(defer, cluster, shards) {
  const clients = await openBareRedis(defer, cluster, shards)
  // Grouped beforehand: the baseline does not even hash.
  const grouped = keyBatches().map((keys) =>
    [...byShard(keys, shards.length)].map(([shard, indexes]) => [
      shard,
      indexes.map((index) => valueKey(shards[shard], keys[index])),
    ]),
  )
  const fetch = (keys) => Promise.all(keys.map(([shard, names]) => clients[shard].mgetBuffer(names)))
  const found = (await fetch(grouped[0])).flat()
  if (found.length !== ROWS || found.includes(null)) throw new Error('the bare client does not find the rows')
  const nextKeys = inTurn(grouped)
  return (_turn, done) => void fetch(nextKeys()).then(() => done(null), done)
}

function storeSender(store) {
  const nextKeys = inTurn(keyBatches())
  return (_turn, done) => {
    store.readMany(nextKeys()).then((rows) => {
      const bad = rows.find((row) => !Buffer.isBuffer(row))
      done(bad === undefined ? null : (bad ?? new Error('a row is missing')))
    }, done)
  }
}

/** Answers are written where the gRPC edge has them written, and their buffers used again once they are sent: here, at once. */
async function servingSender(serving) {
  const nextRequest = inTurn(await preparedRequests((request) => serving.getFeatures(request)))
  const buffers = new AnswerBuffers(ANSWER_BUFFERS_BYTES)
  return (_turn, done) => {
    const room = new PooledRoom(buffers)
    const { signal } = new AbortController()
    serving.getFeatures(nextRequest(), { signal, roomFor: (bytes) => room.roomFor(bytes) }).then((answer) => {
      const fault = shortAnswer(answer)
      buffers.giveBack(room.bufferOf(answer))
      done(fault)
    }, done)
  }
}

async function openGrpc(defer, cluster, quick) {
  const server = await startTwinstore(defer, {
    definitions: 'definitions/serving.ts',
    dataDir: temporaryFolder(defer),
    flags: [
      ...['--online', cluster.url, '--cache-bytes', CACHE_BYTES, '--sync-on-start', 'never'],
      ...(quick ? ['--archive-interval', '50ms'] : []),
    ],
  })
  const client = connect(server.address)
  defer(() => client.close())
  await writeWideRows(client)
  await archived(client)
  const raw = rawClient(defer, server.address)
  const nextRequest = inTurn(await preparedRequests((request) => raw.call(GET_FEATURES, request)))
  return {
    send: (_turn, done) => raw.send(GET_FEATURES, nextRequest(), (error, answer) => done(error ?? shortAnswer(answer))),
    stats: async () => (await client.status()).cache,
  }
}

/** Round for round on from where the last one stopped: what it asked for in the end is still in L1. */
function inTurn(list) {
  let turn = 0
  return () => list[turn++ % list.length]
}

/** Requests with a known layout, each one's answer looked at once: every value must be PRESENT. */
async function preparedRequests(call) {
  const { layoutId } = decodeMessage('GetFeaturesResponse', await call(usersRequest(0, ROWS)))
  const requests = Array.from({ length: BATCHES }, (_, batch) => usersRequest(batch * ROWS, ROWS, layoutId))
  for (const request of requests) {
    const { vectors } = decodeMessage('GetFeaturesResponse', await call(request))
    if (vectors.length !== ROWS || vectors.some(({ statuses }) => statuses.length > 0)) {
      throw new Error('not every value is PRESENT')
    }
  }
  return requests
}

/** An answer without its rows is a small one; decoding each would be measured. */
function shortAnswer(answer) {
  return answer.length > ROWS * 1900 ? null : new Error(`an answer of ${answer.length} bytes cannot have every row`)
}

function refuseSpared(name, before, after) {
  if (after.hits > before.hits) throw new Error(`${name}: some rows came from L1, so this measured less than a miss`)
  if (after.joinedKeys > before.joinedKeys) throw new Error(`${name}: some rows were read for another request`)
}

const HEAD = ['batches', 'through', 'p50 ms', 'p99 ms', 'rows/s']
const COLUMNS = ['p50_ms', 'p99_ms', 'rows_per_s']
