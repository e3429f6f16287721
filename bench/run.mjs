/**
 * `npm run bench`: runs benchmarks, prints their tables, and keeps their figures in `bench/results/` as JSON, with a report of them.
 *
 *     npm run bench                      the suite
 *     npm run bench -- unary-hit         these only
 *     npm run bench -- --all             the long ones too
 *     npm run bench -- --quick           seconds instead of minutes: whether they work, not how fast anything is
 *     npm run bench -- --check           fails if a figure falls short of bench/budget.json
 *     npm run bench -- --runs 3          each scenario three times, from the start of its servers
 *     npm run bench -- --out <file>      where the JSON goes; the report goes beside it
 *     npm run bench -- feast-matrix --peer grpc://127.0.0.1:6565    with another feature server in it: bench/peers/README.md
 *
 * Each starts what it measures and its baseline, and ends by itself. See bench/README.md for how to read the figures.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { heldAgainst } from './lib/budget.mjs'
import { loadAverage, machine, machineSlug } from './lib/machine.mjs'
import { numberText } from './lib/number-text.mjs'
import { asOne } from './lib/repeated-runs.mjs'
import { encodeScenario } from './lib/results-file.mjs'
import { loadScenarios } from './lib/scenarios.mjs'
import { printTable } from './lib/table.mjs'
import { parsePeers } from './peers/peer-address.mjs'
import { writeReport } from './report/report.mjs'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    all: { type: 'boolean' },
    quick: { type: 'boolean' },
    check: { type: 'boolean' },
    out: { type: 'string' },
    runs: { type: 'string', default: '1' },
    peer: { type: 'string', multiple: true },
  },
})

await main().catch((error) => {
  console.error(error.stack ?? error)
  process.exit(1)
})

async function main() {
  const scenarios = await loadScenarios()
  const names = chosen(scenarios)
  const problem = badUse(names, scenarios)
  if (problem !== undefined) {
    console.error(problem)
    process.exit(2)
  }
  const quick = flags.quick === true
  const startedMs = performance.now()
  const run = { startedAt: new Date().toISOString(), quick, machine: machine(), scenarios: {}, figures: {} }
  const failed = []
  for (const name of names) {
    try {
      await runScenario(name, scenarios.get(name), quick, run)
    } catch (error) {
      console.error(`\n${name} failed: ${error.stack ?? error}`)
      failed.push(name)
    }
  }
  const file =
    flags.out ?? path(`results/${run.startedAt.slice(0, 19).replaceAll(':', '-')}-${machineSlug(run.machine)}.json`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(run, null, 2)}\n`)
  const { page, images } = writeReport(file)
  console.log(
    `\n${names.length} benchmarks in ${duration(performance.now() - startedMs)}; the longest: ${longest(run)}`,
  )
  console.log(`written to ${file}\nreport: ${page}${images.length > 0 ? `; ${images.length} images beside it` : ''}`)
  if (flags.check) check(run.figures, names)
  if (failed.length === 0) return
  console.error(`\nfailed: ${failed.join(', ')}`)
  process.exitCode = 1
}

function chosen(scenarios) {
  if (positionals.length > 0) return positionals
  return [...scenarios.keys()].filter((name) => flags.all || scenarios.get(name).suite === 'short')
}

function badUse(names, scenarios) {
  const unknown = names.filter((name) => !scenarios.has(name))
  if (!(Number.isInteger(Number(flags.runs)) && Number(flags.runs) >= 1)) return '--runs takes a whole number from 1'
  if (unknown.length > 0) return `no benchmark ${unknown.join(', ')}; there are ${[...scenarios.keys()].join(', ')}`
  if (flags.check && flags.quick) return '--check needs the full run: figures of --quick say nothing of speed'
  if (!existsSync(path('../dist/cli/main.js'))) return 'dist/ is not there: npm run build'
  return badPeers(names, scenarios)
}

function badPeers(names, scenarios) {
  if (flags.peer === undefined) return undefined
  const takers = [...scenarios.keys()].filter((name) => scenarios.get(name).takesPeers)
  if (!names.some((name) => takers.includes(name))) return `--peer is for ${takers.join(', ')}`
  try {
    parsePeers(flags.peer)
    return undefined
  } catch (error) {
    return error.message
  }
}

async function runScenario(name, { title, measure }, quick, run) {
  const startedMs = performance.now()
  const loadBefore = loadAverage()
  const list = []
  for (let turn = 0; turn < Number(flags.runs); turn++) {
    list.push(await measure({ quick, peers: parsePeers(flags.peer ?? []) }))
  }
  const measured = asOne(list)
  const load = { before: loadBefore, after: loadAverage() }
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  console.log(`\n${name}: ${title} (${seconds} s; load average ${load.before} before, ${load.after} after)`)
  printTable(measured.head, measured.rows)
  run.scenarios[name] = encodeScenario({ title, seconds, load, ...measured })
  for (const [figure, { median }] of Object.entries(measured.figures)) run.figures[`${name}.${figure}`] = median
}

function check(figures, names) {
  const held = heldAgainst(figures, names)
  const short = held.filter(({ met }) => !met)
  console.log(`\nheld against bench/budget.json: ${held.length - short.length} of ${held.length} bars are met`)
  const line = ({ figure, bound, bar, value, met }) => [
    met ? 'met' : 'FELL SHORT',
    figure,
    value === undefined ? 'not measured' : numberText(value),
    `${bound === 'max' ? 'at most' : 'at least'} ${bar}`,
  ]
  printTable(['', 'figure', 'measured', 'bar'], [...short, ...held.filter(({ met }) => met)].map(line))
  if (short.length > 0) process.exitCode = 1
}

/** The suite has ten minutes: these are where to look when it takes more. */
function longest({ scenarios }) {
  const sorted = Object.entries(scenarios).sort(([, a], [, b]) => b.seconds - a.seconds)
  return sorted
    .slice(0, 5)
    .map(([name, { seconds }]) => `${name} ${seconds} s`)
    .join(', ')
}

function duration(ms) {
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
