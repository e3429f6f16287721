/**
 * What a model's input costs as TENSOR and as VALUES: 100 rows of 100 float features from L1, by the client library.
 *
 * A call is what a program does: `getFeatures` with entity rows as objects, until what it can use is there. `tensor` has the
 * `Float32Array` then. `values` stops at the plain row objects that the client gives; `filled` goes on and fills them into a
 * `Float32Array`, which is what a model takes. The client's time is in all three; it is this process. Before anything is
 * measured, the matrices of `tensor` and `filled` are compared, number by number.
 */
import { connect } from '../../dist/client/index.js'
import { archived } from '../lib/archived.mjs'
import { closedLoop } from '../lib/closed-loop.mjs'
import { compare } from '../lib/comparison.mjs'
import { compared } from '../lib/figure-names.mjs'
import { itemName, numbered, writeItems } from '../lib/item-rows.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { spread } from '../lib/spread.mjs'

const VIEW = 'model_input'
const ROWS = 100
const FEATURES = 100
/** Batches that take turns have no row in common. */
const BATCHES = 10
const SETTINGS = {
  full: { rounds: 5, seconds: 0.6, warmSeconds: 0.8 },
  quick: { rounds: 1, seconds: 0.15, warmSeconds: 0.02 },
}
/** One: what a caller waits. Sixteen: what one client process gets, with client and server both always at work. */
const LANES = [1, 16]
const FIGURES = ['p50_ms', 'p99_ms', 'calls_per_s', 'client_cpu_us', 'server_cpu_us']

export const title = 'TENSOR against VALUES, 100 rows of 100 float features, client time included'
export const figureNames = LANES.flatMap((lanes) =>
  ['values', 'filled'].flatMap((baseline) => compared(`${lanes}-calls.${baseline}.`, baseline, FIGURES)),
)
/** The processor time of so short a run may be less than one tick of the system's clock. */
export const figuresOfAnySign = /server_cpu_us/

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const flags = ['--cache-ttl', '1h', '--sync-on-start', 'never', ...(quick ? ['--archive-interval', '50ms'] : [])]
    const server = await startTwinstore(defer, {
      definitions: 'definitions/row-sizes.ts',
      dataDir: temporaryFolder(defer),
      flags,
    })
    const client = connect(server.address)
    defer(() => client.close())
    await writeItems(client, VIEW, ROWS * BATCHES, numbered(FEATURES))
    await archived(client)
    const reads = readers(client)
    await compareMatrices(reads)
    const figures = {}
    const rows = []
    const perLanes = []
    for (const lanes of LANES) {
      const rounds = await runLanes(lanes, reads, client, server, settings)
      perLanes.push(rounds)
      for (const baseline of ['values', 'filled']) {
        const comparison = compare(rounds, 'tensor', baseline)
        rows.push(...comparison.rows(`${lanes} ${lanes === 1 ? 'call' : 'calls'} at a time`, FIGURES))
        Object.assign(figures, comparison.figures(`${lanes}-calls.${baseline}.`))
      }
    }
    return { settings, figures, head: HEAD, rows, plots: [costPlot(perLanes[0])] }
  })
}

/** By contender, `read(turn)`: one batch, in the form that it is about. */
function readers(client) {
  const batches = Array.from({ length: BATCHES }, (_, batch) =>
    Array.from({ length: ROWS }, (_, offset) => ({ item: itemName(batch * ROWS + offset) })),
  )
  const get = (turn, format) =>
    client.getFeatures({ features: [`${VIEW}:*`], entities: batches[turn % BATCHES], format })
  return {
    tensor: async (turn) => (await get(turn, 'tensor')).data,
    values: (turn) => get(turn, 'values'),
    filled: async (turn) => matrix(await get(turn, 'values')),
  }
}

/** As somebody writes it who wants it fast: column names once, no array in between. */
function matrix({ layout, rows }) {
  const names = layout.columns.map(({ name }) => name)
  const data = new Float32Array(rows.length * names.length)
  let at = 0
  for (const { values } of rows) {
    for (const name of names) data[at++] = values[name] ?? Number.NaN
  }
  return data
}

async function compareMatrices(reads) {
  for (let turn = 0; turn < BATCHES; turn++) {
    const [tensor, filled] = [await reads.tensor(turn), await reads.filled(turn)]
    const same = tensor.length === ROWS * FEATURES && tensor.every((number, index) => number === filled[index])
    if (!same) throw new Error(`batch ${turn}: TENSOR and VALUES do not have the same numbers`)
  }
}

async function runLanes(concurrency, reads, client, server, settings) {
  const contender = (read, seconds) => async () => {
    const before = { own: process.cpuUsage(), server: server.cpuSeconds() }
    const send = (turn, done) => void read(turn).then(() => done(null), done)
    const { calls, p50_ms, p99_ms, calls_per_s } = await closedLoop({ send, concurrency, seconds })
    const own = process.cpuUsage(before.own)
    const server_cpu_us = ((server.cpuSeconds() - before.server) / calls) * 1e6
    return { p50_ms, p99_ms, calls_per_s, client_cpu_us: (own.user + own.system) / calls, server_cpu_us }
  }
  const contenders = (seconds) =>
    Object.fromEntries(Object.entries(reads).map(([name, read]) => [name, contender(read, seconds)]))
  await takeTurns(contenders(settings.warmSeconds), 1)
  const { misses } = (await client.status()).cache
  const rounds = await takeTurns(contenders(settings.seconds), settings.rounds)
  const missed = (await client.status()).cache.misses - misses
  if (missed > 0) throw new Error(`${missed} rows were not in L1, so this measured the store too`)
  return rounds
}

function costPlot(rounds) {
  const side = (name, figure) => ({
    name,
    points: ['tensor', 'values', 'filled'].map((contender) => {
      const { median, min, max } = spread(rounds.map((round) => round[contender][figure]))
      return [contender, median, min, max]
    }),
  })
  return {
    title: 'A model input of 100 rows of 100 floats',
    kind: 'bars',
    y: { label: 'processor time per call, µs' },
    series: [side('client', 'client_cpu_us'), side('server', 'server_cpu_us')],
  }
}

const HEAD = ['calls', 'format', 'p50 ms', 'p99 ms', 'calls/s', 'client CPU µs', 'server CPU µs']
