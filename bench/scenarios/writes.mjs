/**
 * How many rows a second go into Redis, with their outbox entries: writes of 100 rows of 2 KB over three primaries.
 *
 * The baseline runs the store's own script with the same rows, encoded and grouped beforehand, one call per shard, all nodes in
 * parallel (`lib/bare-redis.mjs`). `service` is request bytes in, response bytes out, in this process as the baseline is: with it come the
 * checks, the encoding, the content hash and the upkeep of L1; every write has a fresh write id. `online` and `both` are a server process with
 * the load generator as its client and its archiver beside it; `both` is acknowledged when the history has the rows too, so it has
 * the time of a commit in it.
 *
 * Every write takes the place of rows that are there. In the end every row that the server acknowledged is read back: from the
 * history, as often as it was acknowledged, and each user's newest one from the online store. One that is missing fails the run.
 */
import { createHash, randomUUID } from 'node:crypto'
import { connect } from '../../dist/client/index.js'
import { encodeWrite } from '../../dist/client/writes.js'
import { entityKey, rowKey } from '../../dist/domain/entity-key.js'
import { lengthField } from '../../dist/lib/wire.js'
import { byShard, shardKeys, valueKey } from '../../dist/online/redis/redis-keys.js'
import { WRITE_SCRIPT } from '../../dist/online/redis/scripts/write-script.js'
import { startCluster } from '../../test/support/redis/redis-cluster.mjs'
import { acknowledgedRows, refuseLostRows } from '../lib/acknowledged-rows.mjs'
import { archived } from '../lib/archived.mjs'
import { openBareRedis } from '../lib/bare-redis.mjs'
import { closedLoop } from '../lib/closed-loop.mjs'
import { compare } from '../lib/comparison.mjs'
import { userName, wideRow } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { openRedisSubject } from '../lib/redis-subject.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { single } from '../lib/single-figure.mjs'
import { startLoad, withoutFailures } from '../load/load.mjs'
import { newHistogram } from '../load/tally.mjs'

export const title = 'writes of 100 rows of 2 KB over three primaries, with their outbox entries'
const IN_FLIGHT = [1, 4, 16]
/** With how many in flight each is measured. What waits for a commit shares it with all others that do. */
const SUBJECTS = { service: IN_FLIGHT, online: IN_FLIGHT, both: [16] }
const FIGURES = ['p50_ms', 'p99_ms', 'rows_per_s', 'cpu_us_per_row']
export const figureNames = [
  ...Object.entries(SUBJECTS).flatMap(([through, counts]) =>
    counts.flatMap((inFlight) => compared(`${through}.${inFlight}-in-flight.`, 'bare', FIGURES)),
  ),
  'rows_read_back',
]
const WRITE_FEATURES = '/twinstore.v1.Serving/WriteFeatures'
const WRITE_ID_FIELD = 5
const ROWS = 100
/** Different batches that take turns: with 16 in flight no two have rows in common. */
const BATCHES = 20
const SETTINGS = {
  full: { rounds: 4, seconds: 0.3, warmSeconds: 0.15, archiveInterval: '250ms' },
  quick: { rounds: 1, seconds: 0.05, warmSeconds: 0, archiveInterval: '50ms' },
}
/** Where the bare client writes. */
const BARE_PROJECT = 'bare'
const STORE_ID = 'bare'
const NO_LIMIT = 1e12
const RECORD_LIFE_MS = 86_400_000
const WRITE_IDS_MAX = 62_500
const NANOS_PER_MS = 1e6
/** What the percentiles of the report are of. */
const SHOWN_IN_FLIGHT = 16

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
    const server = await openServer(defer, cluster, settings)
    const contenders = {
      bare: await openBare(defer, cluster, subject.shards.length, encoded),
      service: serviceContender(subject, bodies),
      online: server.online,
      both: server.both,
    }
    const figures = {}
    const rows = []
    for (const concurrency of IN_FLIGHT) {
      const subjects = Object.keys(SUBJECTS).filter((name) => SUBJECTS[name].includes(concurrency))
      const turns = (seconds) =>
        Object.fromEntries(['bare', ...subjects].map((name) => [name, () => contenders[name](concurrency, seconds)]))
      if (settings.warmSeconds > 0) await takeTurns(turns(settings.warmSeconds), 1)
      const rounds = await takeTurns(turns(settings.seconds), settings.rounds)
      for (const name of subjects) {
        const comparison = compare(rounds, name, 'bare')
        rows.push(...comparison.rows(`${concurrency} in flight`, FIGURES))
        Object.assign(figures, comparison.figures(`${name}.${concurrency}-in-flight.`))
      }
    }
    figures.rows_read_back = single(await server.refuseLostRows())
    rows.push(['read back', 'all', figures.rows_read_back])
    const { histograms } = server
    return { settings, figures, head: HEAD, rows, histograms, plots: plots(figures, histograms) }
  })
}

/** One round of writes from this process. */
function roundHere({ send, empty }) {
  return async (concurrency, seconds) => {
    const before = process.cpuUsage()
    const { calls, calls_per_s, p50_ms, p99_ms } = await closedLoop({ send, concurrency, seconds })
    const { user, system } = process.cpuUsage(before)
    await empty()
    return { p50_ms, p99_ms, rows_per_s: calls_per_s * ROWS, cpu_us_per_row: (user + system) / (calls * ROWS) }
  }
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
  return roundHere({
    send(turn, done) {
      const id = randomUUID()
      Promise.all(grouped[turn % BATCHES].map((group) => write(group, id))).then(() => done(null), done)
    },
    empty: () => Promise.all(shards.map(({ outbox }, shard) => clients[shard].del(outbox))),
  })
}

function serviceContender({ writes, store }, bodies) {
  return roundHere({
    send: (turn, done) => void writes.writeFeatures(withWriteId(bodies[turn % BATCHES])).then(() => done(null), done),
    empty: () => emptyOutbox(store),
  })
}

async function emptyOutbox(store) {
  for (let shard = 0; shard < store.shardCount; shard++) {
    await store.trimOutbox(shard, await store.lastPosition(shard))
  }
}

async function openServer(defer, cluster, { archiveInterval }) {
  const server = await startTwinstore(defer, {
    definitions: 'definitions/serving.ts',
    dataDir: temporaryFolder(defer),
    flags: ['--online', cluster.url, '--sync-on-start', 'never', '--archive-interval', archiveInterval],
  })
  const client = connect(server.address)
  defer(() => client.close())
  const load = await startLoad(defer)
  const description = await client.describe()
  const histograms = {}
  const lists = []
  async function contender(name, ack) {
    const rows = acknowledgedRows(description, { batches: BATCHES, rowCount: ROWS, ack })
    lists.push(rows)
    await load.prepare(name, rows.requests)
    return async (inFlight, seconds) => {
      const cpuBefore = server.cpuSeconds()
      const startedMs = performance.now()
      const result = withoutFailures(
        await load.run({
          target: server.address,
          path: WRITE_FEATURES,
          requests: name,
          pace: { kind: 'closed', inFlight },
          seconds,
        }),
      )
      const elapsedSeconds = (performance.now() - startedMs) / 1000
      const cpuSeconds = server.cpuSeconds() - cpuBefore
      rows.note(result.calls)
      const { actual } = result
      if (inFlight === SHOWN_IN_FLIGHT) {
        histograms[name] ??= newHistogram()
        histograms[name].add(actual)
      }
      await archived(client)
      return {
        p50_ms: actual.getValueAtPercentile(50) / NANOS_PER_MS,
        p99_ms: actual.getValueAtPercentile(99) / NANOS_PER_MS,
        rows_per_s: (result.calls * ROWS) / elapsedSeconds,
        cpu_us_per_row: (cpuSeconds * 1e6) / (result.calls * ROWS),
      }
    }
  }
  return {
    online: await contender('online', 'ONLINE'),
    both: await contender('both', 'BOTH'),
    histograms,
    refuseLostRows: () => refuseLostRows(client, lists),
  }
}

function plots(figures, histograms) {
  const points = (counts, figure) => counts.map((count) => pointOf(count, figures[figure(`${count}-in-flight`)]))
  return [
    {
      title: 'Rows written a second, by writes in flight',
      kind: 'lines',
      x: { label: 'writes of 100 rows in flight', log: true },
      y: { label: 'rows/s' },
      series: [
        { name: 'bare script', points: points(IN_FLIGHT, (of) => `service.${of}.bare_rows_per_s`) },
        ...Object.entries(SUBJECTS).map(([name, counts]) => ({
          name,
          points: points(counts, (of) => `${name}.${of}.rows_per_s`),
        })),
      ],
    },
    {
      title: `Latency of writes of 100 rows, ${SHOWN_IN_FLIGHT} in flight`,
      kind: 'percentiles',
      series: Object.entries(histograms).map(([name, histogram]) => ({ name, histogram })),
    },
  ]
}

function pointOf(x, { median, min, max }) {
  return [x, median, min, max]
}

const HEAD = ['writes', 'through', 'p50 ms', 'p99 ms', 'rows/s', 'client or server CPU µs/row']
