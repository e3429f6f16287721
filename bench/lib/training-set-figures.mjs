/** The figures of `bench/training-set.mjs`, which runs processes of its own and ends its output with a line of JSON. */
import { runScript } from './processes.mjs'

export const title = 'a training set over three million flights against the same joins by hand'

export async function measure({ quick }) {
  const { output } = await runScript('../training-set.mjs', quick ? ['--quick', '--runs', '1'] : [])
  const { byHand, job, ratio, bench: _bench, ...settings } = JSON.parse(output.trimEnd().split('\n').at(-1))
  const figures = {
    seconds: single(job.medianSeconds),
    by_hand_seconds: single(byHand.medianSeconds),
    ratio: single(ratio),
    peak_rss_mib: single(job.peakRssMib),
    by_hand_peak_rss_mib: single(byHand.peakRssMib),
  }
  const rows = [
    [quick ? '100,000 rows' : '3,000,000 rows', 'twinstore', figures.seconds, figures.peak_rss_mib],
    ['', 'by hand', figures.by_hand_seconds, figures.by_hand_peak_rss_mib],
    ['', 'ratio', figures.ratio],
  ]
  return { settings, figures, head: ['spine', 'joins', 'seconds', 'peak RSS MiB'], rows }
}

/** The script gives medians over its runs without their spread. */
function single(value) {
  return { median: value, min: value, max: value }
}
