/** The figures of `lib/training-set-run.mjs`, which runs processes of its own and ends its output with a line of JSON. */
import { runScript } from '../lib/processes.mjs'
import { single } from '../lib/single-figure.mjs'

export const title = 'a training set over three million flights against the same joins by hand'
export const figureNames = [
  ...['', 'by_hand_', 'unordered_'].flatMap((of) => [`${of}seconds`, `${of}peak_rss_mib`]),
  'ratio',
  'unordered_ratio',
]

export async function measure({ quick }) {
  const { output } = await runScript('training-set-run.mjs', quick ? ['--quick', '--runs', '1'] : ['--runs', '2'])
  const { unordered, sameResult, job, ratio, unorderedRatio, bench: _, ...settings } = lastLine(output)
  const figures = {
    seconds: single(job.medianSeconds),
    by_hand_seconds: single(sameResult.medianSeconds),
    unordered_seconds: single(unordered.medianSeconds),
    ratio: single(ratio),
    unordered_ratio: single(unorderedRatio),
    peak_rss_mib: single(job.peakRssMib),
    by_hand_peak_rss_mib: single(sameResult.peakRssMib),
    unordered_peak_rss_mib: single(unordered.peakRssMib),
  }
  const rows = [
    [quick ? '100,000 rows' : '3,000,000 rows', 'twinstore', figures.seconds, figures.peak_rss_mib],
    ['', 'by hand, the same result', figures.by_hand_seconds, figures.by_hand_peak_rss_mib],
    ['', 'ratio', figures.ratio],
    ['', 'by hand, in any order, nothing on demand', figures.unordered_seconds, figures.unordered_peak_rss_mib],
    ['', 'ratio', figures.unordered_ratio],
  ]
  return { settings, figures, head: ['spine', 'joins', 'seconds', 'peak RSS MiB'], rows }
}

function lastLine(output) {
  return JSON.parse(output.trimEnd().split('\n').at(-1))
}
