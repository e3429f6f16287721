/**
 * The account of `cpu-account` with Linux' perf, which tells the kernel apart by what it was asked for, and Redis too: processor time of a
 * call, of all threads, in microseconds.
 *
 *     node bench/perf-account.mjs [--seconds 2] [--in-flight 32] [--only seed]        after `npm run build`
 *
 * perf needs rights (root, or kernel.perf_event_paranoid of 1 and less) and names from Node, which then writes files to /tmp; they are
 * removed. To get it: apt-get install linux-perf.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PERF_CATEGORIES, samplesOf } from './lib/perf-samples.mjs'
import { categoryOfLoad, categoryOfServer, LOAD_CATEGORIES, SERVER_CATEGORIES } from './lib/profile-categories.mjs'
import { temporaryFolder, withResources } from './lib/resources.mjs'
import { single } from './lib/single-figure.mjs'
import { printTable } from './lib/table.mjs'
import { IN_TURN, MOST, openZipfReads } from './lib/zipf-reads.mjs'

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    'in-flight': { type: 'string', default: '32' },
    only: { type: 'string', default: '' },
  },
})
const [KEYS, ENTRIES] = [40_000, 10_000]
const CASES = Object.entries({ hits: [MOST, ENTRIES / 2], seed: [MOST, KEYS], misses: [IN_TURN, KEYS] }).filter(
  ([name]) => name.includes(flags.only),
)
const GROUPS = {
  server: { categories: [...SERVER_CATEGORIES, ...PERF_CATEGORIES], categoryOf: categoryOfServer },
  load: { categories: [...LOAD_CATEGORIES, ...PERF_CATEGORIES], categoryOf: categoryOfLoad },
  redis: { categories: PERF_CATEGORIES, categoryOf: () => 'other' },
}
const WARM_SECONDS = 1.5
/** Without the names of interpreted functions, whose memory compiled ones take later, so that samples of these would be theirs. */
const NAMES = ['--perf-basic-prof']
/** Of V8's log, which comes with them. */
const logTo = (folder) => `--logfile=${join(folder, 'v8.log')}`

if (spawnSync('perf', ['--version'], { stdio: 'ignore' }).error) {
  console.error('perf is not on the PATH. To get it:\n  apt-get install linux-perf')
  process.exit(3)
}
await withResources(async (defer) => {
  const folder = temporaryFolder(defer)
  const nodeFlags = [...NAMES, logTo(folder)]
  const reads = await openZipfReads(defer, { keys: KEYS, entries: ENTRIES, nodeFlags })
  const { server, load, redis } = reads.pids
  defer(() => {
    for (const pid of [server, load]) rmSync(`/tmp/perf-${pid}.map`, { force: true })
  })
  const pids = { server: [server], load: [load], redis }
  const results = {}
  for (const [name, [order, among]] of CASES) {
    await reads.prepare(order, 1, among)
    results[name] = await recorded(reads, pids, join(folder, `${name}.data`))
  }
  printTable(['process', 'µs a call', ...CASES.map(([name]) => name)], table(results))
})

/** The account of one load, and samples of it by group. */
async function recorded(reads, pids, file) {
  const pace = { kind: 'closed', inFlight: Number(flags['in-flight']) }
  await reads.run('twinstore', { pace, seconds: WARM_SECONDS })
  const target = ['record', '-o', file, '-F', '1999', '-g', '-p', Object.values(pids).flat().join(',')]
  const perf = spawn('perf', target, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(perf, 'exit')
  const { account, hitPercent, perSecond } = await reads.run('twinstore', { pace, seconds: Number(flags.seconds) })
  perf.kill('SIGINT')
  await ended
  const samples = Object.entries(pids).map(([name, of]) => [name, samplesOf(file, of, GROUPS[name].categoryOf)])
  return { account, hitPercent, perSecond, samples: Object.fromEntries(samples) }
}

function table(results) {
  const line = (label, what, figureOf) => [
    label,
    what,
    ...Object.values(results).map((result) => single(figureOf(result))),
  ]
  const lines = Object.entries(GROUPS).flatMap(([name, { categories }]) => [
    line(name, 'all', ({ account }) => (account[name].seconds / account.calls) * 1e6),
    line('', 'reads and writes', ({ account }) => (account[name].reads + account[name].writes) / account.calls),
    ...[...new Set([...categories, 'other'])].map((what) => line('', what, (result) => microsOf(result, name, what))),
  ])
  return [
    line('calls per second', '', ({ perSecond }) => perSecond),
    line('hits, percent', '', ({ hitPercent }) => hitPercent),
    ...lines.filter(([label, , ...values]) => label !== '' || values.some(({ median }) => median > 0)),
  ]
}

function microsOf({ account, samples }, name, what) {
  const all = [...samples[name].values()].reduce((sum, count) => sum + count, 0)
  const share = (samples[name].get(what) ?? 0) / Math.max(1, all)
  return (share * account[name].seconds * 1e6) / account.calls
}
