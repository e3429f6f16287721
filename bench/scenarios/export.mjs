/**
 * Exports of a view's whole history against plain DuckDB SQL over the same Parquet files, in the same order, in turns.
 *
 * The job also reads the finished file for its checksum, and gives the same bytes whatever the threads and the memory.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { articleStore, articleView, engineIn, MiB } from '../lib/article-table.mjs'
import { compare } from '../lib/comparison.mjs'
import { compared } from '../lib/figure-names.mjs'
import { runScript } from '../lib/processes.mjs'
import { takeTurns } from '../lib/rounds.mjs'

export const title = 'an export of a whole history against plain DuckDB SQL over the same files'
export const figureNames = ['parquet', 'csv', 'arrow', 'rows'].flatMap((format) =>
  compared(`${format}.`, 'hand', ['seconds', 'cpu_seconds', 'peak_rss_mib', 'file_mib']),
)

const SETTINGS = {
  full: { rows: 3_000_000, rounds: { parquet: 3, csv: 2, arrow: 1, rows: 1 } },
  quick: { rows: 20_000, rounds: { parquet: 1, csv: 1, arrow: 1, rows: 1 } },
}
const FORMATS = ['parquet', 'csv', 'arrow', 'rows']

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-bench-'))
  try {
    const table = await makeTable(dir, settings.rows)
    const figures = {}
    const lines = []
    for (const format of FORMATS) {
      const by = (which) => async () => {
        const { output } = await runScript('export-run.mjs', [JSON.stringify({ by: which, format, table, dir })])
        const { seconds, cpuSeconds, bytes, peakRssMib } = JSON.parse(output)
        return { seconds, cpu_seconds: cpuSeconds, peak_rss_mib: peakRssMib, file_mib: bytes / MiB }
      }
      const rounds = await takeTurns({ twinstore: by('twinstore'), hand: by('hand') }, settings.rounds[format])
      const compared = compare(rounds, 'twinstore', 'hand')
      Object.assign(figures, compared.figures(`${format}.`))
      lines.push(...compared.rows(format, ['seconds', 'cpu_seconds', 'peak_rss_mib', 'file_mib']))
    }
    return { settings, figures, head: ['format', 'by', 'seconds', 'CPU s', 'peak RSS MiB', 'file MiB'], rows: lines }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function makeTable(dir, rows) {
  const engine = engineIn(dir)
  const view = articleView()
  try {
    await (await articleStore(dir, engine, rows)).sync(view, 1_700_000_000_000_000)
  } finally {
    await engine.close()
  }
  const below = await readdir(join(dir, 'offline'), { recursive: true, withFileTypes: true })
  const files = below.filter((entry) => entry.name.endsWith('.parquet'))
  return { view, files: files.map((entry) => ({ path: join(entry.parentPath, entry.name), eventDate: '2023-01-01' })) }
}
