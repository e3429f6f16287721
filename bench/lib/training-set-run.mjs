/**
 * The training set of the flights example against the same joins written by hand in DuckDB SQL, over the same Parquet
 * files, with the same threads and memory. Each run is a process of its own, so that the peak RSS is that run's; the sides
 * take turns, over files that were just written and are in the file cache. What they do is in `flights-training.mjs`.
 *
 *     node bench/lib/training-set-run.mjs [--quick] [--runs 3] [--threads 2] [--memory-mib 1024]
 *
 * `--quick` takes 100,000 of the 3,000,000 flights as spine. That the job and `same result` give the same rows in the same
 * order is checked after the first run.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { expectSameResult, makeSpine, makeTables, runByHand, runJobs } from './flights-training.mjs'
import { measureAlone, median, runAlone } from './own-process.mjs'

const SCRIPT = fileURLToPath(import.meta.url)

const SIDES = {
  unordered: (settings) => runByHand(settings, { sameResult: false }),
  'same result': (settings) => runByHand(settings, { sameResult: true }),
  job: runJobs,
}
const WORKS = { tables: makeTables, spine: makeSpine, check: expectSameResult, ...SIDES }

async function compare({ runs, ...options }) {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-bench-'))
  try {
    const settings = { ...options, dir }
    await measureAlone(SCRIPT, 'tables', settings)
    await measureAlone(SCRIPT, 'spine', settings)
    const measured = Object.fromEntries(Object.keys(SIDES).map((side) => [side, []]))
    for (let run = 0; run < runs; run++) {
      for (const [side, results] of Object.entries(measured)) {
        results.push(await measureAlone(SCRIPT, side, settings))
      }
      if (run === 0) await measureAlone(SCRIPT, 'check', settings)
    }
    report(options, runs, measured)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function report(options, runs, measured) {
  const summary = Object.entries(measured).map(([side, results]) => ({
    side,
    medianSeconds: Number(median(results.map((result) => result.seconds)).toFixed(2)),
    medianCpuSeconds: Number(median(results.map((result) => result.cpuSeconds)).toFixed(2)),
    peakRssMib: Math.max(...results.map((result) => result.peakRssMib)),
  }))
  console.table(summary)
  const [unordered, sameResult, job] = summary
  const ratio = ratioOf(measured.job, measured['same result'])
  const unorderedRatio = ratioOf(measured.job, measured.unordered)
  const line = { bench: 'training-set', ...options, runs, unordered, sameResult, job, ratio, unorderedRatio }
  console.log(JSON.stringify(line))
}

/** The median over the rounds of the ratio within a round: what else the machine does changes both sides of it. */
function ratioOf(subject, baseline) {
  return Number(median(subject.map((result, round) => result.seconds / baseline[round].seconds)).toFixed(2))
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    'memory-mib': { type: 'string', default: '1024' },
    run: { type: 'string' },
    settings: { type: 'string' },
  },
})

if (values.run === undefined) {
  const { quick, runs, threads, 'memory-mib': memoryMib } = values
  const rows = quick ? 100_000 : 3_000_000
  await compare({ rows, runs: Number(runs), threads: Number(threads), memoryMib: Number(memoryMib) })
} else {
  await runAlone(WORKS, values.run, values.settings)
}
