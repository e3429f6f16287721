/**
 * Feast's own benchmark matrix: 1 to 100 rows of 50 features, and one row of 50 to 250, asked for one at a time; its corners also
 * with eight requests at a time, and at a fixed pace.
 *
 * Layout and services are those of Feast's benchmark (`lib/matrix-data.mjs`). `twinstore` answers from L1; `fresh` is the same
 * server asked with FRESH, so that every row comes from Redis, as it does in a server without a cache. The baseline, `static`,
 * answers with the bytes of one of Twinstore's answers. With `--peer`, servers that speak Feast's gRPC or HTTP and have the same
 * rows take part (`peers/README.md`): same machine, same load, in turns.
 *
 * All answers are compared with the seeded values before and after. While it is measured, an answer much shorter than the shortest
 * right one is a failure, and one failure ends the run.
 */
import { openContenders } from '../lib/matrix-contenders.mjs'
import { CELLS, ITEMS, itemLists } from '../lib/matrix-data.mjs'
import { MatrixResults, matrixFigureNames } from '../lib/matrix-results.mjs'
import { withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { spread } from '../lib/spread.mjs'
import { startLoad, withoutFailures } from '../load/load.mjs'

export const title = "Feast's matrix of rows and features"
/** `measure` also gets `peers`: the parsed addresses of `--peer`. */
export const takesPeers = true

const NANOS_PER_MS = 1e6
const SEED = 1
const DEADLINE_MS = 10_000
const ROUND_SECONDS_MAX = 10
/** Times of the day in an answer may have fewer digits than a moment ago. */
const SHORT_SHARE = 0.95
const IN_FLIGHT = 8
/** HTTP/1.1 needs one for each request under way; gRPC has one, as an application has. */
const HTTP_CONNECTIONS = 8
const CORNERS = ['1x50', '100x50', '1x250']
/** Of the calls per second that the slowest contender answers when it is asked one thing after the other. */
const PACE_SHARE = 0.5
/** `openCallsMin`: a round at a fixed pace is long enough for as many; fewer say nothing of a percentile. */
const SETTINGS = {
  full: { items: ITEMS, lists: 10, rounds: 3, seconds: 0.08, cornerSeconds: 0.25, openCallsMin: 20, warmSeconds: 1 },
  /** A peer may take 50 ms for an answer. */
  withPeers: { items: ITEMS, lists: 10, rounds: 3, seconds: 0.2, cornerSeconds: 0.4, openCallsMin: 20, warmSeconds: 2 },
  quick: { items: 100, lists: 2, rounds: 1, seconds: 0.02, cornerSeconds: 0.04, openCallsMin: 1, warmSeconds: 0.02 },
}

/** The shapes of load that a cell is measured with. */
const shapesOf = ({ name }) => (CORNERS.includes(name) ? ['', '8-in-flight.', 'open.'] : [''])

export const figureNames = CELLS.flatMap((cell) => shapesOf(cell).flatMap((shape) => matrixFigureNames(cell, shape)))

export async function measure({ quick, peers = [] }) {
  const settings = quick ? SETTINGS.quick : peers.length > 0 ? SETTINGS.withPeers : SETTINGS.full
  return await withResources(async (defer) => {
    const { contenders, prepareStatic } = await openContenders(defer, { itemCount: settings.items, peers })
    const load = await startLoad(defer)
    const results = new MatrixResults(contenders.map(({ name }) => name))
    for (const cell of CELLS) {
      const prepared = await prepare(cell, { contenders, prepareStatic, load, settings })
      const run = (shape, rounds) => {
        const turns = contenders.map(({ name }) => [name, () => round(load, prepared[name], shape)])
        return takeTurns(Object.fromEntries(turns), rounds)
      }
      if (cell === CELLS[0]) await run(closed(1, settings.warmSeconds), 1)
      let perSecond
      for (const shape of shapesOf(cell)) {
        const rounds = await run(loadOf(shape, settings, perSecond), settings.rounds)
        results.add(cell, shape, rounds)
        if (shape === '') perSecond = PACE_SHARE * slowest(rounds)
      }
      await checkAll(cell, contenders, settings)
    }
    const wires = Object.fromEntries(contenders.map(({ name, wire }) => [name, wire]))
    return { settings: { ...settings, wires }, ...results.report() }
  })
}

function loadOf(shape, { seconds, cornerSeconds, openCallsMin }, perSecond) {
  if (shape === '') return closed(1, seconds)
  if (shape === '8-in-flight.') return closed(IN_FLIGHT, cornerSeconds)
  return open(perSecond, Math.max(cornerSeconds, openCallsMin / perSecond))
}

/** Calls per second of the slowest contender, in its median round. */
function slowest(rounds) {
  return Math.min(
    ...Object.keys(rounds[0]).map((name) => spread(rounds.map((round) => round[name].calls_per_s)).median),
  )
}

/** Every request is asked once and its answer compared; that also fills L1. */
async function prepare(cell, { contenders, prepareStatic, load, settings }) {
  const prepared = {}
  const answers = await checkAll(cell, contenders, settings)
  await prepareStatic(answers.twinstore[0])
  for (const { name, target, path, client, request } of contenders) {
    await load.prepare(name, askedFor(cell, settings).map(request))
    const shortest = Math.min(...(answers[name] ?? answers.twinstore.slice(0, 1)).map(({ length }) => length))
    const answerBytesMin = Math.floor(shortest * SHORT_SHARE)
    prepared[name] = { target, path, client, requests: name, answerBytesMin, deadlineMs: DEADLINE_MS }
  }
  return prepared
}

/** By contender, the right answers to all of a cell's requests. */
async function checkAll(cell, contenders, settings) {
  const answers = {}
  for (const { name, check } of contenders.filter(({ name }) => name !== 'static')) {
    answers[name] = []
    for (const asked of askedFor(cell, settings)) answers[name].push(await check(asked))
  }
  return answers
}

function askedFor({ rows, features }, { items, lists }) {
  return itemLists({ lists, length: rows, items, seed: SEED }).map((list) => ({ items: list, features }))
}

const closed = (inFlight, seconds) => ({ pace: { kind: 'closed', inFlight }, seconds, httpConnections: inFlight })
const open = (perSecond, seconds) => ({
  pace: { kind: 'open', perSecond, arrivals: 'poisson', seed: SEED },
  seconds,
  httpConnections: HTTP_CONNECTIONS,
})

/** One round. One in which nothing was answered in time has no figures: it is taken again, and longer. */
async function round(load, prepared, { pace, seconds, httpConnections }) {
  const connections = prepared.client === 'http1' ? httpConnections : 1
  const settings = { ...prepared, connections, pace, seconds, warmSeconds: seconds / 4 }
  const { perSecond, completed, intended } = answered(prepared, await load.run(settings))
  if (perSecond === 0 || completed === 0) {
    if (seconds > ROUND_SECONDS_MAX) throw new Error(`${prepared.target} answers nothing within ${seconds} s`)
    return await round(load, prepared, { pace, seconds: seconds * 2, httpConnections })
  }
  const percentile = (of) => intended.getValueAtPercentile(of) / NANOS_PER_MS
  return { p50_ms: percentile(50), p99_ms: percentile(99), calls_per_s: perSecond, histogram: intended }
}

function answered({ target, path }, result) {
  try {
    return withoutFailures(result)
  } catch (error) {
    throw new Error(`${target}${path}: ${error.message}`, { cause: error })
  }
}
