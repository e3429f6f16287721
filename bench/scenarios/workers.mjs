/**
 * What a second worker gives: the same load on a server with one process and on one with `--workers 2`, a closed loop over eight
 * connections, answered from L1. Both have the same connections, which two workers share.
 *
 * On two cores this is not how fast two workers are: the load generator and the kernel's side of every socket need their share of
 * the second core, and throughput cannot grow by more than is left of it. `load_cores` says what the load generator took. What can
 * be told is what sharing costs, the processor time that a call takes of all serving processes together, supervisor included, and
 * whether connections are spread so that the workers do the same work: `busiest_share` is that of the busiest process.
 */
import { connect } from '../../dist/client/index.js'
import { archived } from '../lib/archived.mjs'
import { compare } from '../lib/comparison.mjs'
import { cpuSeconds } from '../lib/cpu-account.mjs'
import { usersRequest, writeWideRows } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { servingPids, startTwinstore } from '../lib/processes.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { startLoad, withoutFailures } from '../load/load.mjs'

export const title = 'one worker and two on one address'
const COLUMNS = ['p50_ms', 'p99_ms', 'calls_per_s', 'server_cpu_us', 'load_cores', 'busiest_share']
const CASES = [
  { name: '1-row', rows: 1, inFlight: 32 },
  { name: '100-rows', rows: 100, inFlight: 16 },
]
export const figureNames = CASES.flatMap(({ name }) => compared(`${name}.`, 'one', COLUMNS))
/** The processor time of so short a run may be less than one tick of the system's clock. */
export const figuresOfAnySign = /server_cpu_us|load_cores|busiest_share/

const SETTINGS = {
  full: { rounds: 4, seconds: 1, warmSeconds: 0.3, connections: 8 },
  quick: { rounds: 1, seconds: 0.3, warmSeconds: 0.2, connections: 4 },
}
const PATH = '/twinstore.v1.Serving/GetFeatures'
const FLAGS = ['--cache-ttl', '1h', '--sync-on-start', 'never', '--archive-interval', '100ms']
const DEADLINE_MS = 10_000
const NANOS_PER_MS = 1e6

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const servers = { one: await started(defer, 1), two: await started(defer, 2) }
    const load = await startLoad(defer)
    const figures = {}
    const rows = []
    const histograms = {}
    for (const each of CASES) {
      const list = Array.from({ length: 20 }, (_, index) => usersRequest(index * 100, each.rows))
      await load.prepare(each.name, list)
      const contender = (name, seconds) => async () => {
        const { histogram, ...found } = await loaded(load, servers[name], each, { ...settings, seconds })
        const so = `${each.name}.${name}`
        if (histograms[so] === undefined) histograms[so] = histogram
        else histograms[so].add(histogram)
        return found
      }
      const contenders = (seconds) => ({ two: contender('two', seconds), one: contender('one', seconds) })
      await takeTurns(contenders(settings.warmSeconds), 1)
      const comparison = compare(await takeTurns(contenders(settings.seconds), settings.rounds), 'two', 'one')
      rows.push(...comparison.rows(`${each.rows} rows of 2 KB, ${each.inFlight} in flight`, COLUMNS))
      Object.assign(figures, comparison.figures(`${each.name}.`))
    }
    return { settings, figures, head: HEAD, rows, histograms }
  })
}

/** A server whose every worker has all rows: each of them reads each row once. */
async function started(defer, workers) {
  const server = await startTwinstore(defer, {
    definitions: 'definitions/serving.ts',
    dataDir: temporaryFolder(defer),
    flags: [...FLAGS, '--workers', String(workers)],
  })
  const client = connect(server.address)
  defer(() => client.close())
  await writeWideRows(client)
  await archived(client)
  return server
}

async function loaded(load, server, { name, rows, inFlight }, { seconds, warmSeconds, connections }) {
  const pids = servingPids(server.pid)
  const before = pids.map(cpuSeconds)
  const result = withoutFailures(
    await load.run({
      target: server.address,
      path: PATH,
      requests: name,
      pace: { kind: 'closed', inFlight },
      connections,
      seconds,
      warmSeconds,
      deadlineMs: DEADLINE_MS,
      answerBytesMin: rows * 1000,
    }),
  )
  const spent = pids.map((pid, index) => cpuSeconds(pid) - before[index])
  const total = spent.reduce((sum, cpu) => sum + cpu, 0)
  return {
    histogram: result.actual,
    p50_ms: result.actual.getValueAtPercentile(50) / NANOS_PER_MS,
    p99_ms: result.actual.getValueAtPercentile(99) / NANOS_PER_MS,
    calls_per_s: result.perSecond,
    server_cpu_us: (total / result.calls) * 1e6,
    load_cores: result.cpuShare,
    busiest_share: Math.max(...spent) / total,
  }
}

const HEAD = ['load', 'workers', 'p50 ms', 'p99 ms', 'calls/s', 'server CPU µs', 'load cores', 'busiest process']
