/** Jobs in real child processes: they survive nothing they should not, and nothing of them is left behind. */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { createProcessEngine, type ProcessEngineSettings } from '../../src/offline/duckdb/process-engine.ts'
import type { OfflineEngine } from '../../src/offline/engine.ts'
import { childrenOf, isRunning, treeOf } from '../support/process-tree.ts'
import { until } from '../support/redis/until.mjs'
import { dataFiles, rowOf, runAppend, sharedBench, viewOf } from './offline-store-fixtures.ts'

const ROOT = new URL('../../', import.meta.url).pathname
/** Beside the packages, so that the bundles find them. */
const BUNDLES = join(ROOT, 'node_modules/.cache', `twinstore-test-${process.pid}`)
const view = viewOf({ n: 'int64' })
const ENDLESS = `SELECT 'a' AS k, DATE '2001-01-01' AS event_timestamp, count(*) AS n
  FROM range(1000000000) a, range(1000000000) b WHERE hash(a.range + b.range) = 1`

const bench = sharedBench()
const engines: OfflineEngine[] = []

beforeAll(async () => {
  await build({
    entryPoints: ['job-process', 'job-host'].map((name) => join(ROOT, `src/offline/duckdb/${name}.ts`)),
    outdir: BUNDLES,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  })
})
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()))
})
afterAll(async () => {
  await rm(BUNDLES, { recursive: true, force: true })
})

function settings(more: Partial<ProcessEngineSettings> = {}): ProcessEngineSettings {
  const { spillDir: _, ...limits } = bench.limits
  return {
    module: pathToFileURL(join(BUNDLES, 'job-process.mjs')),
    hostModule: pathToFileURL(join(BUNDLES, 'job-host.mjs')),
    spillDir: join(bench.folder, 'engine-spill'),
    shortLimits: limits,
    longLimits: limits,
    shortJobsMax: 2,
    lookUpJobsMax: 2,
    longJobsMax: 1,
    longJobsNice: 10,
    queueMax: 4,
    cancelGraceMs: 5000,
    ...more,
  }
}

function engine(more: Partial<ProcessEngineSettings> = {}): OfflineEngine {
  const opened = createProcessEngine(settings(more), systemClock)
  engines.push(opened)
  return opened
}

/** Process ids of what this process or its children started that runs the entry. */
function pidsOf(entry: string, root: number): number[] {
  return treeOf(root).filter((pid) => pid !== root && isRunningEntry(pid, entry))
}

function isRunningEntry(pid: number, entry: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(entry)
  } catch {
    // Gone since it was listed.
    return false
  }
}

function jobPids(root = process.pid): number[] {
  return pidsOf('job-process.mjs', root)
}

function hostPids(): number[] {
  return pidsOf('job-host.mjs', process.pid)
}

const append = (engine: OfflineEngine, count = 3) => {
  const rows = Array.from({ length: count }, (_, index) =>
    rowOf(view, { key: ['a'], event: index, position: index + 1, values: [BigInt(index)] }),
  )
  return runAppend({ ...bench, engine }, view, rows)
}

/** Runs an endless sync; `running` resolves when its process has begun with it. */
function endless(on: OfflineEngine, signal?: AbortSignal): { running: Promise<void>; result: Promise<unknown> } {
  let begun = () => {}
  const running = new Promise<void>((resolve) => {
    begun = resolve
  })
  const input = { view, sql: ENDLESS, existing: [], position: 1, outputDir: bench.newDir() }
  const options = { onProgress: () => begun(), ...(signal === undefined ? {} : { signal }) }
  const result = on.run('sync', input, options)
  result.catch(() => {})
  return { running, result }
}

test('jobs give in a child what they give here; short ones share a process, a long one leaves none', async () => {
  const on = engine()
  const files = await append(on)
  const [resident] = jobPids()
  const history = await on.run('history', { table: { view, files: dataFiles(files) }, entity: ['a'], limit: 10 })
  const here = await bench.engine.run('history', { table: { view, files: dataFiles(files) }, entity: ['a'], limit: 10 })
  expect(history.rows.map((row) => ({ ...row, values: row.values.map((value) => Buffer.from(value)) }))).toEqual(
    here.rows,
  )
  const steps: string[] = []
  const sql = "SELECT 'a' AS k, DATE '2001-01-01' AS event_timestamp, 1 AS n"
  const input = { view, sql, existing: [], position: 1, outputDir: bench.newDir() }
  const output = await on.run('sync', input, { onProgress: (progress) => steps.push(progress.step) })
  expect(output).toMatchObject({ rowsRead: 1, rowsAdded: 1 })
  expect(steps).toEqual(['running the source', 'comparing with the table', 'writing 1 rows'])
  expect(jobPids()).toEqual([resident])
  await on.close()
  expect(jobPids()).toEqual([])
  expect(readdirSync(join(bench.folder, 'engine-spill'))).toEqual([])
})

test('a look-up does not wait for other jobs, and gives in a child what it gives here', async () => {
  const on = engine({ shortJobsMax: 1, longJobsMax: 1, queueMax: 1 })
  const files = dataFiles(await append(on))
  const { running, result } = endless(on)
  await running
  const input = { table: { view, files }, entities: [['a'], ['b']] }
  const { rows } = await on.run('lookUp', input)
  const here = await bench.engine.run('lookUp', input)
  expect(rows.map(({ key, row }) => ({ key, row: Buffer.from(row) }))).toEqual(here.rows)
  expect(here.rows).toHaveLength(1)
  await on.close()
  await expect(result).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

/** Of every thread of a process, as /proc has it; what `nice` says of a process is that of its first one. */
function threadNices(pid: number): number[] {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks).map((thread) => {
    const stat = readFileSync(join(tasks, thread, 'stat'), 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
  })
}

test('every thread of a long job stands back; short jobs, for which requests wait, do not', async () => {
  const on = engine({ longJobsNice: 7 })
  await append(on)
  const [resident] = jobPids()
  const { running } = endless(on)
  await running
  const long = jobPids().find((pid) => pid !== resident)
  expect(new Set(threadNices(long!))).toEqual(new Set([7]))
  expect(new Set(threadNices(resident!))).toEqual(new Set([0]))
})

test("a job's own error arrives with its code, message and faults", async () => {
  const input = { view, sql: 'SELECT 1 AS other', existing: [], position: 1, outputDir: bench.newDir() }
  await expect(engine().run('sync', input)).rejects.toMatchObject({
    name: 'TwinstoreError',
    code: 'INVALID_ARGUMENT',
    faults: expect.arrayContaining([{ at: 'n', problem: 'missing: the SQL gives other' }]),
  })
})

test('a killed process rejects its job by name, and the next job gets a new one', async () => {
  const on = engine()
  const { running, result } = endless(on)
  await running
  const [pid] = jobPids()
  process.kill(pid!, 'SIGKILL')
  await expect(result).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(new RegExp(`process \\(${pid}\\) of the sync job ended \\(SIGKILL\\)`)),
  })
  await append(on)
  const [resident] = jobPids()
  process.kill(resident!, 'SIGKILL')
  await on.run('history', { table: { view, files: [] }, entity: ['a'], limit: 1 }).catch((error) => {
    expect(error).toMatchObject({ code: 'UNAVAILABLE' })
  })
  expect(await append(on)).toHaveLength(1)
  expect(jobPids()).not.toContain(resident)
})

test('the server starts one process, which starts the others; when it is killed, jobs are rejected and the next get another', async () => {
  const on = engine()
  await append(on)
  const [host] = hostPids()
  expect(childrenOf(process.pid)).not.toEqual(expect.arrayContaining(jobPids()))
  expect(childrenOf(host!)).toEqual(jobPids())
  const orphans = jobPids()
  const { running, result } = endless(on)
  await running
  process.kill(host!, 'SIGKILL')
  await expect(result).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('the process that started it ended: SIGKILL'),
  })
  await append(on)
  await until('the jobs of the old host have ended', 10_000, () => !orphans.some(isRunning))
  expect(hostPids()).not.toContain(host)
  await on.close()
  expect([...hostPids(), ...jobPids()]).toEqual([])
})

test('cancelling stops the query and ends the process; a waiting job then runs', async () => {
  const on = engine()
  const controller = new AbortController()
  const { running, result } = endless(on, controller.signal)
  await running
  const second = endless(on, controller.signal)
  controller.abort()
  await expect(result).rejects.toMatchObject({ code: 'CANCELLED' })
  await expect(second.result).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(jobPids()).toEqual([])
})

test('a process that does not stop within the grace is killed', async () => {
  const on = engine({ cancelGraceMs: 0 })
  const controller = new AbortController()
  const { running, result } = endless(on, controller.signal)
  await running
  const [pid] = jobPids()
  // A stopped process cannot obey.
  process.kill(pid!, 'SIGSTOP')
  controller.abort()
  await expect(result).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(jobPids()).toEqual([])
})

test('close ends a long job and its process', async () => {
  const on = engine()
  const { running, result } = endless(on)
  await running
  await on.close()
  await expect(result).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(jobPids()).toEqual([])
  await expect(append(on)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('Ctrl-C to the whole group does not end a job: the server decides', async () => {
  const on = engine()
  await append(on)
  const [resident] = jobPids()
  process.kill(resident!, 'SIGINT')
  process.kill(resident!, 'SIGTERM')
  await append(on)
  expect(jobPids()).toEqual([resident])
})

test('children end when their server is killed, and the next one sweeps what they spilled', async () => {
  const spillDir = join(bench.folder, 'orphaned-spill')
  await mkdir(BUNDLES, { recursive: true })
  const script = join(BUNDLES, 'server.mjs')
  await build({
    stdin: {
      contents: `
        import { systemClock } from './src/lib/clock.ts'
        import { createProcessEngine } from './src/offline/duckdb/process-engine.ts'
        const { settings, input } = JSON.parse(process.argv[2])
        const engine = createProcessEngine(
          { ...settings, module: new URL(settings.module), hostModule: new URL(settings.hostModule) },
          systemClock,
        )
        void engine.run('sync', input, { onProgress: () => process.send('running') })`,
      resolveDir: ROOT,
      loader: 'ts',
    },
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  })
  const input = { view, sql: ENDLESS, existing: [], position: 1, outputDir: bench.newDir() }
  const server: ChildProcess = fork(script, [JSON.stringify({ settings: settings({ spillDir }), input })], {
    execArgv: [],
  })
  await new Promise((resolve) => server.once('message', resolve))
  const [orphan] = jobPids(server.pid)
  expect(orphan).toBeGreaterThan(0)
  const exited = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGKILL')
  await exited
  while (existsSync(`/proc/${orphan}`) && !isZombie(orphan!)) await new Promise((resolve) => setImmediate(resolve))
  expect(readdirSync(spillDir)).toHaveLength(1)
  const before = readdirSync(spillDir)
  await engine({ spillDir }).close()
  expect(readdirSync(spillDir)).not.toEqual(expect.arrayContaining(before))
})

function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}
