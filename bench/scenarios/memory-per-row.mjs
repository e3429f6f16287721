/**
 * What a row in L1 takes of memory, against its own bytes; and what a row costs that pushes another one out.
 *
 * A process of its own for each size (`lib/filled-cache-run.mjs`) fills an L1 through the read path. `held_ratio` is what the rows keep alive
 * after a collection, heap and external memory together, over their own bytes. `rss_ratio` is what the process has grown by, garbage and
 * the allocator's holes included: of it V8 decides, which collects when it sees fit. `turned` is the state in which a cache lives: full,
 * after more rows have gone through it than it holds.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onForcedEnd } from '../lib/resources.mjs'
import { spread } from '../lib/spread.mjs'

export const title = 'Memory of a row in L1, and what it costs to push one out'
export const figureNames = ['2-kb.', '200-b.'].flatMap((of) => [
  ...['filled', 'turned'].flatMap((state) =>
    ['heap_bytes_per_row', 'held_ratio', 'rss_ratio'].map((name) => `${of}${state}.${name}`),
  ),
  `${of}evicting_cost_ratio`,
  `${of}longest_batch_ms`,
])
/** Few rows fit into what the process had before. */
export const figuresOfAnySign = /heap_bytes_per_row|rss_ratio/
const SETTINGS = {
  full: { rounds: 3, megabytes: 80, turnovers: 2 },
  quick: { rounds: 1, megabytes: 2, turnovers: 1 },
}
const SIZES = [
  { figures: '2-kb.', label: '2 KB', rowBytes: 2048 },
  { figures: '200-b.', label: '200 B', rowBytes: 200, share: 1 / 4 },
]

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  const figures = {}
  const rows = []
  for (const { figures: of, label, rowBytes, share = 1 } of SIZES) {
    const count = Math.floor((settings.megabytes * share * 1e6) / rowBytes)
    const runs = []
    for (let round = 0; round < settings.rounds; round++)
      runs.push(await filledCache({ rows: count, rowBytes, turnovers: settings.turnovers }))
    const figure = (name, take) => {
      figures[of + name] = spread(runs.map(take))
      return figures[of + name]
    }
    for (const state of ['filled', 'turned']) {
      rows.push([
        `${label}, ${count.toLocaleString('en')} rows, ${state}`,
        figure(`${state}.heap_bytes_per_row`, (run) => run[state].heap),
        figure(`${state}.held_ratio`, (run) => (run[state].heap + run[state].external) / run.rowBytes),
        figure(`${state}.rss_ratio`, (run) => run[state].rss / run.rowBytes),
      ])
    }
    const cost = figure('evicting_cost_ratio', (run) => run.evicting.microsPerRow / run.filling.microsPerRow)
    const longest = figure('longest_batch_ms', (run) => run.evicting.longestMs)
    rows.push([`${label}, a miss that evicts, to one that does not`, '', '', '', cost, longest])
  }
  const head = ['rows', 'heap B a row', 'held ratio', 'RSS ratio', 'cost ratio', 'longest batch ms']
  return { settings, figures, head, rows }
}

function filledCache(settings) {
  const script = fileURLToPath(new URL('../lib/filled-cache-run.mjs', import.meta.url))
  return new Promise((resolve, reject) => {
    const child = fork(script, [JSON.stringify(settings)], { execArgv: ['--expose-gc'] })
    const forget = onForcedEnd(() => child.kill('SIGKILL'))
    let result
    child.once('message', (message) => {
      result = message
    })
    child.once('exit', (code) => {
      forget()
      if (code === 0) resolve(result)
      else reject(new Error(`the filled cache ended with exit code ${code}`))
    })
  })
}
