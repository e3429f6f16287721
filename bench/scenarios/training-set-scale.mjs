/** The figures of `lib/training-set-scale-run.mjs`, which runs processes of its own and ends its output with a line of JSON. */
import { runScript } from '../lib/processes.mjs'
import { single } from '../lib/single-figure.mjs'

export const title = 'a training set of 1 to 10 million rows: time and memory'
export const suite = 'long'
export const figureNames = [
  ...['1m', '2_5m', '5m', '10m'].flatMap((of) => [`${of}.seconds`, `${of}.peak_rss_mib`]),
  'growth',
]

export async function measure({ quick }) {
  const { output } = await runScript('training-set-scale-run.mjs', quick ? ['--quick'] : [])
  const { sizes, bench: _, ...settings } = JSON.parse(output.trimEnd().split('\n').at(-1))
  const figures = {}
  const rows = sizes.map(({ millions, rows: count, seconds, peakRssMib }) => {
    const of = `${millions}m`.replace('.', '_')
    figures[`${of}.seconds`] = single(seconds)
    figures[`${of}.peak_rss_mib`] = single(peakRssMib)
    const perMillion = ((seconds / count) * 1e6).toFixed(2)
    return [count.toLocaleString('en'), figures[`${of}.seconds`], perMillion, figures[`${of}.peak_rss_mib`]]
  })
  // 1 where the cost is linear; below it what a training set costs once, above it what grows faster than its rows.
  const perRow = ({ seconds, rows: count }) => seconds / count
  figures.growth = single(Number((perRow(sizes.at(-1)) / perRow(sizes[0])).toFixed(2)))
  rows.push(['seconds per row, largest to smallest', figures.growth])
  return { settings, figures, head: ['spine rows', 'seconds', 's per million', 'peak RSS MiB'], rows }
}
