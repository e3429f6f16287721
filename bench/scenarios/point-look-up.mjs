/**
 * How much of a table the history of one entity reads: a table of ten million rows, made by the sync job through the offline
 * store, and histories of single entities through the same store and its job process.
 *
 * What counts is what the job process asked of the system (`rchar` of /proc/<pid>/io): bytes read twice count twice, and what
 * the page cache answers counts too. Every history is the first one of its entity, and nothing was verified before.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ARTICLES, articleStore, articleView, engineIn, MiB } from '../lib/article-table.mjs'
import { descendantsOf } from '../lib/processes.mjs'
import { spread } from '../lib/spread.mjs'

export const title = 'the history of one entity in a table of ten million rows: the share of its bytes that is read'
/** Most of it is the making of the table. */
export const suite = 'long'
export const figureNames = ['bytes_share_percent', 'newest_10_share_percent', 'ms', 'newest_10_ms']

const ROWS = 10_000_000
const QUICK_ROWS = 100_000
const LOOK_UPS = 15

export async function measure({ quick, partitionBy = 'month' }) {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-bench-'))
  const engine = engineIn(dir)
  try {
    const of = articleView(partitionBy)
    const rows = quick ? QUICK_ROWS : ROWS
    const store = await articleStore(dir, engine, rows)
    const begin = performance.now()
    await store.sync(of, 1_700_000_000_000_000)
    const syncSeconds = (performance.now() - begin) / 1000
    const { files, bytes } = await store.status(of)
    const whole = await lookUps(store, of, 100_000)
    const newest = await lookUps(store, of, 10)
    const figures = {
      bytes_share_percent: spread(whole.map((one) => (one.bytes / bytes) * 100)),
      newest_10_share_percent: spread(newest.map((one) => (one.bytes / bytes) * 100)),
      ms: spread(whole.map((one) => one.ms)),
      newest_10_ms: spread(newest.map((one) => one.ms)),
    }
    const label = `${rows.toLocaleString('en')} rows, ${files} files, ${(bytes / MiB).toFixed(0)} MiB`
    return {
      settings: { rows, files, bytes, articles: ARTICLES, partitionBy, syncSeconds },
      figures,
      head: ['table', 'history', 'read, % of its bytes', 'ms'],
      rows: [
        [label, 'whole', figures.bytes_share_percent, figures.ms],
        ['', 'newest 10', figures.newest_10_share_percent, figures.newest_10_ms],
      ],
    }
  } finally {
    await engine.close()
    await rm(dir, { recursive: true, force: true })
  }
}

async function lookUps(store, of, limit) {
  const results = []
  // The first one starts the process, which reads its program.
  for (let number = -1; number < LOOK_UPS; number++) {
    const entity = [`article-${String((number + 2) * 1171).padStart(6, '0')}`]
    const before = number < 0 ? 0 : await bytesRead()
    const begin = performance.now()
    const { rows } = await store.history(of, { entity, limit })
    const ms = performance.now() - begin
    if (rows.length === 0) throw new Error(`${entity} has no history`)
    if (number >= 0) results.push({ bytes: (await bytesRead()) - before, ms })
  }
  return results
}

/** Of all job processes and of the one that starts them, which reads their messages. */
async function bytesRead() {
  const counts = await Promise.all(descendantsOf(process.pid).map((pid) => readFile(`/proc/${pid}/io`, 'utf8')))
  return counts.reduce((sum, text) => sum + Number(/^rchar: (\d+)$/m.exec(text)[1]), 0)
}
