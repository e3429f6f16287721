/**
 * How long after a write was acknowledged by one instance another one still answers CACHED reads with the old value.
 *
 * Two server processes on one Cluster. A write of one key goes through A while B is asked for the key again and again, one
 * CACHED read after the other; B has the old row in L1, because it has just answered with it. The delay is from the
 * acknowledgement, as its client sees it, to the arrival of the first answer with the new value. It holds the time of that
 * answer itself, so it is never too small by more than the way of the acknowledgement; it is negative where B knew first.
 *
 * The run fails if B answered from the store rather than from L1: it would then have nothing to invalidate.
 */
import { connect } from '../../dist/client/index.js'
import { startCluster } from '../../test/support/redis/redis-cluster.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'

export const title = 'from the acknowledgement of a write by one instance to its sight in a CACHED read of another'
export const figureNames = ['p50_ms', 'p99_ms', 'max_ms']
/** An invalidation may overtake the acknowledgement. */
export const figuresOfAnySign = /./
const SETTINGS = {
  full: { writes: 800, pauseMs: 6, keys: 100 },
  quick: { writes: 20, pauseMs: 1, keys: 5 },
}
const VIEW = 'airport_status'
const FEATURE = 'expected_delay_minutes'
/** A value that is not seen within this time was lost, which is worse than late. */
const SEEN_WITHIN_MS = 5000
/** Of a hundred reads through B, those that may miss: one after each write, and there are several reads to a write. */
const MISSES_MAX = 60

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const cluster = await startCluster({ primaries: 3, replicas: 0 })
    defer(() => cluster.dispose())
    const offline = temporaryFolder(defer)
    const a = await startInstance(defer, cluster, offline)
    const b = await startInstance(defer, cluster, offline)
    const before = (await b.status()).cache
    const { delays, reads } = await runWrites(a, b, settings)
    const after = (await b.status()).cache
    const misses = after.misses - before.misses
    const missesPerRead = (misses / reads) * 100
    if (missesPerRead > MISSES_MAX) throw new Error(`${misses} of ${reads} reads through B were not answered from L1`)
    const sorted = delays.toSorted((x, y) => x - y)
    const figures = {
      p50_ms: single(percentile(sorted, 50)),
      p99_ms: single(percentile(sorted, 99)),
      max_ms: single(sorted.at(-1)),
    }
    const known = delays.filter((delay) => delay <= 0).length
    const row = [`${delays.length} writes`, `${reads} reads, ${misses} misses`, figures.p50_ms, figures.p99_ms]
    const rows = [[...row, figures.max_ms, String(known)]]
    return { settings: { ...settings, reads, misses, seenBefore: known }, figures, head: HEAD, rows }
  })
}

async function startInstance(defer, cluster, offline) {
  const { address } = await startTwinstore(defer, {
    definitions: 'definitions/serving.ts',
    dataDir: temporaryFolder(defer),
    flags: ['--online', cluster.url, '--offline', `file:${offline}`, '--sync-on-start', 'never'],
  })
  const client = connect(address)
  defer(() => client.close())
  return client
}

async function runWrites(a, b, { writes, pauseMs, keys }) {
  const delays = []
  let reads = 0
  for (let value = 1; value <= writes; value++) {
    const airport = `K${value % keys}`
    const read = async () => {
      reads++
      const { rows } = await b.getFeatures({ features: [`${VIEW}:${FEATURE}`], entities: [{ airport }] })
      return rows[0].values[`${VIEW}__${FEATURE}`]
    }
    // Twice: the first may miss, the second shows that L1 has it.
    await read()
    await read()
    const [acknowledgedMs, seenMs] = await Promise.all([write(a, airport, value), seen(read, value)])
    delays.push(seenMs - acknowledgedMs)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  return { delays, reads }
}

async function write(client, airport, value) {
  await client.writeFeatures(VIEW, [{ airport, closed: false, [FEATURE]: value }])
  return performance.now()
}

async function seen(read, value) {
  const endMs = performance.now() + SEEN_WITHIN_MS
  for (;;) {
    const now = await read()
    const nowMs = performance.now()
    if (now === value) return nowMs
    if (nowMs > endMs) throw new Error(`B still answers ${now}, and ${value} was written ${SEEN_WITHIN_MS} ms ago`)
  }
}

function percentile(sorted, percent) {
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)]
}

function single(value) {
  return { median: value, min: value, max: value }
}

const HEAD = ['through A', 'through B', 'p50 ms', 'p99 ms', 'max ms', 'seen before the acknowledgement']
