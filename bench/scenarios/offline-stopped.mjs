/**
 * What a minute without an offline store does to a server under load: its memory, its reads, and what becomes of the rows.
 *
 * The server's online store is one Redis. Four lanes write, two read. The offline folder is moved away and a file put in its
 * place (permissions do not stop root); the outbox, made small, fills up, writes are refused and sent again under their write
 * ids. Then the folder comes back, the refused writes get through, and in the end the history must hold every row once: each has
 * a number of its own, and the numbers in an export are counted.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from '../../dist/client/index.js'
import { startRedis } from '../../test/support/redis/redis-process.mjs'
import { archived } from '../lib/archived.mjs'
import { numberedLoad } from '../lib/numbered-load.mjs'
import { startTwinstore } from '../lib/processes.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'

export const title = 'a minute without an offline store, under load'
export const suite = 'long'
export const figureNames = [
  ...['before', 'stopped', 'after'].flatMap((phase) =>
    ['rss_mib', 'redis_mib', 'accepted_rows', 'refusals', 'read_p50_ms', 'read_p99_ms'].map(
      (name) => `${phase}.${name}`,
    ),
  ),
  'rss_growth_mib',
  'archived_rows',
]
/** An outbox need not be full or free in every phase. */
export const figuresOfAnySign = /rss_growth|accepted_rows|refusals/
const SETTINGS = {
  full: { beforeMs: 5000, stoppedMs: 60_000, afterMs: 3000, outboxRows: 16_000 },
  quick: { beforeMs: 300, stoppedMs: 3000, afterMs: 200, outboxRows: 3200 },
}
/** Writes of a hundred rows, so that the outbox may be small; archived often, so that it is empty soon in the end. */
const FLAGS = [
  ...['--sync-on-start', 'never', '--log-level', 'fatal', '--write-rows-max', '100'],
  ...['--archive-interval', '200ms', '--archive-retry-max', '1s'],
]
const SAMPLE_MS = 100
const MIB = 2 ** 20

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const redis = await startRedis({})
    defer(() => redis.dispose())
    const dataDir = temporaryFolder(defer)
    const offline = join(dataDir, 'offline')
    const server = await startTwinstore(defer, {
      definitions: 'definitions/serving.ts',
      dataDir,
      flags: [...FLAGS, '--online', redis.url, '--outbox-rows-max', String(settings.outboxRows)],
    })
    const client = connect(server.address, { attemptsMax: 1 })
    defer(() => client.close())
    const load = numberedLoad(client)
    const phases = {}
    const phase = async (name, ms) => {
      phases[name] = await watched(load, server, redis, ms)
    }
    try {
      await phase('before', settings.beforeMs)
      renameSync(offline, `${offline}.away`)
      writeFileSync(offline, 'in the way')
      await phase('stopped', settings.stoppedMs)
      rmSync(offline)
      renameSync(`${offline}.away`, offline)
      await phase('after', settings.afterMs)
    } finally {
      await load.stop()
    }
    await archived(client)
    await refuseWrongHistory(client, load.accepted)
    return report(settings, phases, load.accepted.size)
  })
}

/** Lets the load run for `ms`, and tells what it got meanwhile and the greatest memory seen. */
async function watched(load, server, redis, ms) {
  load.beginPhase()
  let rssMib = 0
  let redisMib = 0
  const endMs = performance.now() + ms
  while (performance.now() < endMs) {
    rssMib = Math.max(rssMib, server.rssMib())
    redisMib = Math.max(redisMib, await redisMemoryMib(redis))
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
  }
  return { ...load.endPhase(), rss_mib: rssMib, redis_mib: redisMib }
}

async function redisMemoryMib(redis) {
  const [, bytes] = /^used_memory:(\d+)/m.exec(await redis.command('INFO', 'memory'))
  return Number(bytes) / MIB
}

/** Every acknowledged row once, and no other. */
async function refuseWrongHistory(client, accepted) {
  const history = await client.exportFeatures({ view: 'wide', format: 'csv', columns: ['f0'] })
  const parts = []
  for await (const part of history) parts.push(part)
  const [head, ...lines] = Buffer.concat(parts).toString().trimEnd().split('\n')
  const column = head.split(',').indexOf('f0')
  const found = lines.map((line) => Number(line.split(',')[column]))
  const distinct = new Set(found)
  const lost = [...accepted].filter((number) => !distinct.has(number)).length
  const foreign = [...distinct].filter((number) => !accepted.has(number)).length
  const doubled = found.length - distinct.size
  if (lost + foreign + doubled === 0) return
  throw new Error(
    `of ${accepted.size} acknowledged rows ${lost} are not in the history; in it are ${doubled} rows twice and ${foreign} nobody wrote`,
  )
}

function report(settings, phases, archivedRows) {
  const { before, stopped, after } = phases
  if (stopped.refusals === 0) throw new Error('nothing was refused: the outbox was not full, so this measured nothing')
  const figures = {
    ...named('', {
      rss_growth_mib: Math.max(stopped.rss_mib, after.rss_mib) - before.rss_mib,
      archived_rows: archivedRows,
    }),
    ...Object.assign({}, ...Object.entries(phases).map(([name, phase]) => named(`${name}.`, phase))),
  }
  const rows = Object.keys(phases).map((name) => [
    name,
    `${(settings[`${name}Ms`] / 1000).toFixed(1)} s`,
    ...COLUMNS.map((column) => figures[`${name}.${column}`]),
  ])
  rows.push(['history', `${archivedRows} rows, each once`])
  return { settings, figures, head: HEAD, rows }
}

function named(prefix, values) {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${prefix}${name}`, { median: value, min: value, max: value }]),
  )
}

const HEAD = [
  'offline store',
  'for',
  'server RSS MiB',
  'Redis MiB',
  'accepted rows',
  'refusals',
  'read p50 ms',
  'read p99 ms',
]
const COLUMNS = ['rss_mib', 'redis_mib', 'accepted_rows', 'refusals', 'read_p50_ms', 'read_p99_ms']
