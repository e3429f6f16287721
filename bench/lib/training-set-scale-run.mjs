/**
 * Time and memory of a training set as its spine grows: the service of the flights example over 1, 2.5, 5 and 10 million rows. Each
 * size is made by a process of its own, with the memory that a server gives a long job by default; its peak RSS counts everything: DuckDB,
 * Node and the on-demand function.
 *
 *     node bench/lib/training-set-scale-run.mjs [--quick] [--format parquet|csv] [--threads 2] [--memory-mib 1024]
 *
 * `--quick` takes a hundredth of the rows. The spine is all three million real flights, as often as it takes.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { makeSpine, makeTables, runJobs } from './flights-training.mjs'
import { measureAlone, runAlone } from './own-process.mjs'

const SCRIPT = fileURLToPath(import.meta.url)
const MILLIONS = [1, 2.5, 5, 10]
const WORKS = { tables: makeTables, spine: makeSpine, job: runJobs }

async function scale({ quick, ...options }) {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-bench-'))
  try {
    const settings = { ...options, dir }
    await measureAlone(SCRIPT, 'tables', settings)
    const sizes = []
    for (const millions of MILLIONS) {
      const rows = millions * (quick ? 10_000 : 1_000_000)
      await measureAlone(SCRIPT, 'spine', { ...settings, rows })
      const { seconds, cpuSeconds, peakRssMib } = await measureAlone(SCRIPT, 'job', settings)
      sizes.push({
        millions,
        rows,
        seconds: Number(seconds.toFixed(2)),
        cpuSeconds: Number(cpuSeconds.toFixed(2)),
        peakRssMib,
      })
    }
    console.table(sizes)
    console.log(JSON.stringify({ bench: 'training-set-scale', ...options, quick, sizes }))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    format: { type: 'string', default: 'parquet' },
    threads: { type: 'string', default: '2' },
    'memory-mib': { type: 'string', default: '1024' },
    run: { type: 'string' },
    settings: { type: 'string' },
  },
})

if (values.run === undefined) {
  const { quick, format, threads, 'memory-mib': memoryMib } = values
  await scale({ quick, format, threads: Number(threads), memoryMib: Number(memoryMib) })
} else {
  await runAlone(WORKS, values.run, values.settings)
}
