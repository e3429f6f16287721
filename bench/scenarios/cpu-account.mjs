/**
 * What the server's processor time goes into in the scenario of `seed`, by what the functions it is spent in are for; and what it would
 * be without the misses, and with nothing else.
 *
 * One row of 2 KB a request in a closed loop, 40,000 rows over three Redis primaries and 10,000 entries in L1: `seed` with 95 % of hits,
 * `hits` with keys that all are in L1, `misses` with keys of which none is. Each is V8's own profile of the server and of the load
 * generator within the measured time (`lib/cpu-profile.mjs`), by the files of the functions (`lib/profile-categories.mjs`), as microseconds
 * of a call: a category's share of the samples times the processor time of the thread that runs JavaScript. The other threads, which
 * collect garbage and compile, are a category of their own. `miss` is what the misses cost in a call of `seed`: what it took
 * beyond the hits among its calls. The profile itself is some hundredths of the time.
 *
 * What the profile calls outside of JavaScript is the kernel and libuv: looking which sockets have something, and reading it.
 */
import { join } from 'node:path'
import { profiling, readProfile, samplesByCategory } from '../lib/cpu-profile.mjs'
import { categoryOfLoad, categoryOfServer, LOAD_CATEGORIES, SERVER_CATEGORIES } from '../lib/profile-categories.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { single } from '../lib/single-figure.mjs'
import { IN_TURN, MOST, openZipfReads } from '../lib/zipf-reads.mjs'

export const title = 'where the processor time of the server goes, by what it does'
export const suite = 'long'
const CASES = ['hits', 'seed', 'misses']
const OTHER_THREADS = 'other threads'
const SIDES = [
  { name: 'server', categories: [...SERVER_CATEGORIES, OTHER_THREADS], categoryOf: categoryOfServer },
  { name: 'load', categories: [...LOAD_CATEGORIES, OTHER_THREADS], categoryOf: categoryOfLoad },
]
const figureOf = (...words) => words.map((word) => word.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')).join('.')
const COSTS = [...CASES, 'miss']
export const figureNames = [
  ...CASES.flatMap((name) => [`${name}.calls_per_s`, `${name}.hit_rate_percent`]),
  ...SIDES.flatMap((side) => {
    const costs = side.name === 'server' ? COSTS : CASES
    return costs.flatMap((name) => ['us', ...side.categories].map((what) => figureOf(name, side.name, what)))
  }),
]
/** Something that was not sampled, a hit rate of 0, and a difference. */
export const figuresOfAnySign = /\.(server|load)\.|^misses\.hit_rate_percent$/
const SETTINGS = {
  full: { seconds: 3, warmSeconds: 0.5, inFlight: 32, keys: 40_000, entries: 10_000 },
  quick: { seconds: 0.1, warmSeconds: 0.02, inFlight: 32, keys: 2000, entries: 500 },
}

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const folder = join(temporaryFolder(defer), 'profiles')
    const { pids, results } = await withResources((untilProfiled) => run(untilProfiled, settings, folder))
    const figures = {}
    for (const side of SIDES) {
      const profile = readProfile(folder, pids[side.name])
      for (const [name, result] of Object.entries(results)) {
        for (const [what, micros] of microsOfCall(profile, side, result.account)) {
          figures[figureOf(name, side.name, what)] = single(micros)
        }
      }
    }
    for (const [name, { perSecond, hitPercent }] of Object.entries(results)) {
      Object.assign(figures, {
        [`${name}.calls_per_s`]: single(perSecond),
        [`${name}.hit_rate_percent`]: single(hitPercent),
      })
    }
    Object.assign(figures, costsOfMisses(figures))
    return { settings, figures, head: HEAD, rows: table(figures), plots: plots(figures) }
  })
}

async function run(defer, { seconds, warmSeconds, inFlight, keys, entries }, folder) {
  const reads = await openZipfReads(defer, { keys, entries, nodeFlags: profiling(folder) })
  const load = { pace: { kind: 'closed', inFlight }, seconds, warmSeconds }
  const results = {}
  const orders = { hits: [MOST, entries / 2], seed: [MOST, keys], misses: [IN_TURN, keys] }
  for (const name of CASES) {
    const [order, among] = orders[name]
    await reads.prepare(order, 1, among)
    results[name] = await reads.run('twinstore', load)
  }
  return { pids: reads.pids, results }
}

/** By category, and `us` of all. */
function microsOfCall(profile, { name, categories, categoryOf }, account) {
  const calls = Math.max(1, account.calls)
  const { seconds, mainSeconds } = account[name]
  const counts = samplesByCategory(profile, account, categoryOf)
  const busy = categories.reduce((sum, category) => sum + (counts.get(category) ?? 0), 0)
  const ofThread = (category) => ((counts.get(category) ?? 0) / Math.max(1, busy)) * mainSeconds
  const inSeconds = (category) => (category === OTHER_THREADS ? seconds - mainSeconds : ofThread(category))
  return ['us', ...categories].map((what) => [what, ((what === 'us' ? seconds : inSeconds(what)) / calls) * 1e6])
}

function costsOfMisses(figures) {
  const hitShare = figures['seed.hit_rate_percent'].median / 100
  const [server] = SIDES
  const costs = ['us', ...server.categories].map((what) => {
    const ofCall = (name) => figures[figureOf(name, 'server', what)].median
    return [figureOf('miss', 'server', what), single(ofCall('seed') - hitShare * ofCall('hits'))]
  })
  return Object.fromEntries(costs)
}

function table(figures) {
  const line = (label, side, what, costs) => [label, what, ...costs.map((name) => figures[figureOf(name, side, what)])]
  return [
    ['calls per second', '', ...CASES.map((name) => figures[`${name}.calls_per_s`])],
    ['hits, percent', '', ...CASES.map((name) => figures[`${name}.hit_rate_percent`])],
    ...SIDES.flatMap(({ name, categories }) =>
      ['us', ...categories].map((what, index) =>
        line(index === 0 ? name : '', name, what, name === 'server' ? COSTS : CASES),
      ),
    ),
  ]
}

function plots(figures) {
  return SIDES.map(({ name: side, categories }) => ({
    title: side === 'server' ? 'Processor time of the server, by what it does' : 'Processor time of the load generator',
    kind: 'bars',
    y: { label: 'µs a call' },
    series: CASES.map((name) => ({
      name,
      points: categories.map((what) => [what, figures[figureOf(name, side, what)].median]),
    })),
  }))
}

const HEAD = ['process', 'µs a call', ...CASES, 'for misses in seed']
