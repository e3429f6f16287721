/** Benchmarks that nobody runs rot: every one is run here, for an instant, and must bring all its figures. How fast is not asked. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const RUN = new URL('../../bench/run.mjs', import.meta.url).pathname
const BUDGET = new URL('../../bench/budget.json', import.meta.url)
const LATENCY = ['p50_ms', 'p90_ms', 'p99_ms', 'p999_ms']
const ONCE = [...LATENCY, 'calls_per_s', 'server_cpu_us']

const OFFLINE_STOPPED = ['rss_mib', 'redis_mib', 'accepted_rows', 'refusals', 'read_p50_ms', 'read_p99_ms']

/**
 * May be zero or less: the processor time of so short a run may be less than one tick of the system's clock, an
 * invalidation may overtake the acknowledgement, and an outbox need not be full or free in every phase.
 */
const ANY_NUMBER = /server_cpu_us|^invalidation-delay|rss_growth|accepted_rows|refusals/

/** What the budget and README name is among these. */
const FIGURES = [
  ...['', '4-calls.', '64-calls.', '1-row.', '100-rows.'].flatMap((of) =>
    compared(`unary-latency.${of}`, 'static', ONCE),
  ),
  ...['machine', 'process'].flatMap((durability) =>
    ['1-row.', '100-rows.'].flatMap((of) =>
      compared(`write-latency.${durability}.${of}`, 'lmdb', [...LATENCY, 'rows_per_s']),
    ),
  ),
  ...compared('startup.', 'baseline', ['empty_s', 'ready_s']),
  ...['', 'by_hand_', 'unordered_'].flatMap((of) => [`training-set.${of}seconds`, `training-set.${of}peak_rss_mib`]),
  ...['ratio', 'unordered_ratio'].map((name) => `training-set.${name}`),
  ...['1m', '2_5m', '5m', '10m'].flatMap((of) => [
    `training-set-scale.${of}.seconds`,
    `training-set-scale.${of}.peak_rss_mib`,
  ]),
  'training-set-scale.growth',
  ...['parquet', 'csv', 'arrow', 'rows'].flatMap((format) =>
    compared(`export.${format}.`, 'hand', ['seconds', 'cpu_seconds', 'peak_rss_mib', 'file_mib']),
  ),
  ...['bytes_share_percent', 'newest_10_share_percent', 'ms', 'newest_10_ms'].map((name) => `point-look-up.${name}`),
  ...compared('append.', 'copy', ['seconds', 'cpu_seconds']),
  'append.pause_ms',
  ...['store', 'serving', 'grpc'].flatMap((through) =>
    [1, 4, 16].flatMap((inFlight) =>
      compared(`redis-miss.${through}.${inFlight}-in-flight.`, 'bare', ['p50_ms', 'p99_ms', 'rows_per_s']),
    ),
  ),
  ...['store', 'service', 'grpc'].flatMap((through) =>
    [1, 4, 16].flatMap((inFlight) =>
      compared(`redis-write.${through}.${inFlight}-in-flight.`, 'bare', ['p50_ms', 'p99_ms', 'rows_per_s']),
    ),
  ),
  ...['p50_ms', 'p99_ms', 'max_ms'].map((name) => `invalidation-delay.${name}`),
  ...['before', 'stopped', 'after'].flatMap((phase) =>
    OFFLINE_STOPPED.map((name) => `offline-stopped.${phase}.${name}`),
  ),
  ...['rss_growth_mib', 'archived_rows'].map((name) => `offline-stopped.${name}`),
]

function compared(prefix: string, baseline: string, names: readonly string[]): string[] {
  return names.flatMap((name) => [`${prefix}${name}`, `${prefix}${baseline}_${name}`, `${prefix}${name}_ratio`])
}

const run = promisify(execFile)

async function withFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-bench-test-'))
  try {
    await work(dir)
  } finally {
    await rm(dir, { recursive: true })
  }
}

test('every benchmark brings every figure', { timeout: 300_000 }, () =>
  withFolder(async (dir) => {
    const out = join(dir, 'figures.json')
    const { stdout } = await run(process.execPath, [RUN, '--quick', '--out', out])
    const { figures, machine } = JSON.parse(await readFile(out, 'utf8'))
    expect(Object.keys(figures).sort()).toEqual([...FIGURES].sort())
    for (const [name, value] of Object.entries(figures)) {
      if (!ANY_NUMBER.test(name)) expect(value, name).toBeGreaterThan(0)
      else if (!name.includes('server_cpu_us')) expect(value, name).toEqual(expect.any(Number))
    }
    expect(machine).toMatchObject({ node: process.version, cores: expect.any(Number) })
    expect(stdout).toContain('unary-latency: ')
  }),
)

test('every bar is for a figure there is', async () => {
  const bars = Object.keys(JSON.parse(await readFile(BUDGET, 'utf8')))
  expect(bars.map((bar) => bar.replace(/_(max|min)$/, '')).filter((figure) => !FIGURES.includes(figure))).toEqual([])
  expect(bars.length).toBeGreaterThan(0)
})

test('a benchmark that does not exist is refused by name', async () => {
  await expect(run(process.execPath, [RUN, 'unary'])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no benchmark unary; there are unary-latency'),
  })
})

test('figures of a quick run are not held against the bars', async () => {
  await expect(run(process.execPath, [RUN, '--quick', '--check'])).rejects.toMatchObject({ code: 2 })
})
