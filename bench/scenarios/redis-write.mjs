/**
 * How many rows a second go into Redis, with their outbox entries: writes of 100 rows of 2 KB over three primaries.
 *
 * The baseline runs the store's own script with the same rows, encoded and grouped beforehand, one call per shard, all nodes in
 * parallel (`lib/bare-redis.mjs`). `store` is the online store's `write` of encoded rows under a write id. `service` is request
 * bytes in, response bytes out: with it come the checks, the encoding, the content hash and the upkeep of L1. Both are in this
 * process, as the baseline is. `grpc` is a server process with this one as its client, and its archiver beside it.
 *
 * Every write has a fresh write id and takes the place of rows that are there. Outboxes are emptied between rounds.
 */
import { createHash, randomUUID } from 'node:crypto'
import { connect } from '../../dist/client/index.js'
import { encodeWrite } from '../../dist/client/writes.js'
import { entityKey, rowKey } from '../../dist/domain/entity-key.js'
import { lengthField } from '../../dist/lib/wire.js'
import { byShard, shardKeys, valueKey } from '../../dist/online/redis/redis-keys.js'
import { WRITE_SCRIPT } from '../../dist/online/redis/scripts/write-script.js'
import { startCluster } from '../../test/support/redis/redis-cluster.mjs'
import { archived } from '../lib/archived.mjs'
import { openBareRedis } from '../lib/bare-redis.mjs'
import { closedLoop } from '../lib/closed-loop.mjs'
import { compare } from '../lib/comparison.mjs'
import { userName, wideRow } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { rawClient } from '../lib/raw-client.mjs'
import { openRedisSubject } from '../lib/redis-subject.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'

export const title = 'writes of 100 rows of 2 KB over three primaries, with their outbox entries'
export const figureNames = ['store', 'service', 'grpc'].flatMap((through) =>
  [1, 4, 16].flatMap((inFlight) =>
    compared(`${through}.${inFlight}-in-flight.`, 'bare', ['p50_ms', 'p99_ms', 'rows_per_s']),
  ),
)
const WRITE_FEATURES = '/twinstore.v1.Serving/WriteFeatures'
const WRITE_ID_FIELD = 5
const ROWS = 100
/** Different batches that take turns: with 16 in flight no two have rows in common. */
const BATCHES = 20
const IN_FLIGHT = [1, 4, 16]
const SETTINGS = {
  full: { rounds: 5, seconds: 0.5, warmSeconds: 0.3 },
  quick: { rounds: 1, seconds: 0.05, warmSeconds: 0.02 },
}
/** Where the bare client writes. */
const BARE_PROJECT = 'bare'
const STORE_ID = 'bare'
const NO_LIMIT = 1e12
const RECORD_LIFE_MS = 86_400_000
const WRITE_IDS_MAX = 62_500

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    // A rewrite of the append-only file would fall on whoever has the turn.
    const cluster = await startCluster({ primaries: 3, replicas: 0, args: ['--auto-aof-rewrite-percentage', 0] })
    defer(() => cluster.dispose())
    const subject = await openRedisSubject(defer, cluster)
    const bodies = requestBodies(subject.description)
    await subject.writes.writeFeatures(withWriteId(bodies[0]))
    const encoded = await encodedBatches(subject, bodies)
    const contenders = {
      bare: await openBare(defer, cluster, subject.shards.length, encoded),
      store: storeContender(subject, encoded),
      service: serviceContender(subject, bodies),
      grpc: await openGrpc(defer, cluster, bodies, quick),
    }
    const figures = {}
    const rows = []
    for (const concurrency of IN_FLIGHT) {
      const turns = (seconds) =>
        Object.fromEntries(
          Object.entries(contenders).map(([name, each]) => [name, () => round(each, concurrency, seconds)]),
        )
      await takeTurns(turns(settings.warmSeconds), 1)
      const rounds = await takeTurns(turns(settings.seconds), settings.rounds)
      for (const name of ['store', 'service', 'grpc']) {
        const comparison = compare(rounds, name, 'bare')
        rows.push(...comparison.rows(`${concurrency} in flight`, COLUMNS))
        Object.assign(figures, comparison.figures(`${name}.${concurrency}-in-flight.`))
      }
    }
    return { settings, figures, head: HEAD, rows }
  })
}

async function round({ send, empty }, concurrency, seconds) {
  const { calls_per_s, p50_ms, p99_ms } = await closedLoop({ send, concurrency, seconds })
  await empty()
  return { p50_ms, p99_ms, rows_per_s: calls_per_s * ROWS }
}

/** Requests without their write id: a field that is appended to each one sent. */
function requestBodies({ views }) {
  const view = views.find(({ name }) => name === 'wide')
  return Array.from({ length: BATCHES }, (_, batch) => {
    const rows = Array.from({ length: ROWS }, (_, offset) => wideRow(batch * ROWS + offset))
    return encodeWrite(view, rows, { writeId: '' })
  })
}

function withWriteId(body) {
  return Buffer.concat([body, lengthField(WRITE_ID_FIELD, Buffer.from(randomUUID()))])
}

/** The rows of each batch as the write service encodes them. */
async function encodedBatches({ writes, store }, bodies) {
  const batches = []
  for (const [batch, body] of bodies.entries()) {
    await writes.writeFeatures(withWriteId(body))
    const keys = Array.from({ length: ROWS }, (_, offset) =>
      rowKey('wide', entityKey(['string'], [userName(batch * ROWS + offset)])),
    )
    const rows = await store.readMany(keys)
    batches.push(keys.map((key, index) => ({ key, row: rows[index] })))
  }
  return batches
}

async function openBare(defer, cluster, shardCount, batches) {
  const shards = shardKeys(BARE_PROJECT, shardCount)
  const clients = await openBareRedis(defer, cluster, shards)
  const sha1 = createHash('sha1').update(WRITE_SCRIPT).digest('hex')
  for (const [shard, { state }] of shards.entries()) {
    await clients[shard].script('LOAD', WRITE_SCRIPT)
    await clients[shard].hset(state, 'id', STORE_ID)
  }
  const grouped = batches.map((rows) => {
    const shardsOfRows = byShard(
      rows.map(({ key }) => key),
      shardCount,
    )
    return [...shardsOfRows].map(([shard, indexes]) => [shard, indexes.map((index) => rows[index])])
  })
  const write = async ([shard, rows], id) => {
    const { state, outbox, ids, recordPrefix, valuePrefix } = shards[shard]
    const names = rows.map(({ key }) => valueKey(shards[shard], key))
    const reply = await clients[shard].evalsha(
      sha1,
      ...[4 + names.length, state, outbox, `${recordPrefix}${id}`, ids, ...names],
      ...[STORE_ID, NO_LIMIT, NO_LIMIT, 'hash', RECORD_LIFE_MS, WRITE_IDS_MAX, id, recordPrefix, valuePrefix.length],
      'all',
      ...rows.map(({ row }) => row),
    )
    if (reply[0] !== 'OK') throw new Error(`the script replied ${reply}`)
  }
  return {
    send(turn, done) {
      const id = randomUUID()
      Promise.all(grouped[turn % BATCHES].map((group) => write(group, id))).then(() => done(null), done)
    },
    empty: () => Promise.all(shards.map(({ outbox }, shard) => clients[shard].del(outbox))),
  }
}

function storeContender(subject, batches) {
  return {
    send(turn, done) {
      const options = { writeId: randomUUID(), contentHash: 'hash' }
      subject.store.write(batches[turn % BATCHES], options).then(() => done(null), done)
    },
    empty: () => emptyOutbox(subject.store),
  }
}

function serviceContender({ writes, store }, bodies) {
  return {
    send: (turn, done) => void writes.writeFeatures(withWriteId(bodies[turn % BATCHES])).then(() => done(null), done),
    empty: () => emptyOutbox(store),
  }
}

async function emptyOutbox(store) {
  for (let shard = 0; shard < store.shardCount; shard++) {
    await store.trimOutbox(shard, await store.lastPosition(shard))
  }
}

async function openGrpc(defer, cluster, bodies, quick) {
  const server = await startTwinstore(defer, {
    definitions: 'definitions/serving.ts',
    dataDir: temporaryFolder(defer),
    flags: ['--online', cluster.url, '--sync-on-start', 'never', ...(quick ? ['--archive-interval', '50ms'] : [])],
  })
  const client = connect(server.address)
  defer(() => client.close())
  const raw = rawClient(defer, server.address)
  return {
    send: (turn, done) => raw.send(WRITE_FEATURES, withWriteId(bodies[turn % BATCHES]), done),
    empty: () => archived(client),
  }
}

const HEAD = ['writes', 'through', 'p50 ms', 'p99 ms', 'rows/s']
const COLUMNS = ['p50_ms', 'p99_ms', 'rows_per_s']
