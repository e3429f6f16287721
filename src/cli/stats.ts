import { Command } from 'commander'
import type { FeatureStatistics, NumberStatistics, ViewStatistics } from '../client/index.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { addConnectionFlags, type ConnectionOptions, withClient } from './connection.ts'
import { countValue, timeOption } from './flag-values.ts'
import { formatRows, formatTime, print, printJson, printTable } from './output.ts'

interface StatsOptions extends ConnectionOptions {
  readonly from?: string
  readonly until?: string
  readonly referenceFrom?: string
  readonly referenceUntil?: string
  readonly kept?: string
}

const HELP = `
The rows are chosen by event time. Without times they are the last ones (the server's option statistics-window says how long),
compared with as long a time before them. The index (psi) says how far the values have drifted: customarily they are stable
below 0.1 and have drifted from 0.25 on.

Examples:
  $ twinstore stats
  $ twinstore stats route_daily --from 2001-06-01 --until 2001-07-01 --reference-from 2001-01-01 --reference-until 2001-02-01
  $ twinstore stats airport_daily --kept 5 --json`

export function statsCommand(): Command {
  const command = new Command('stats')
    .description('Describe the values of features, and how far they have drifted.')
    .argument('[view...]', 'feature views; none: all that have rows')
    .option('--from <time>', 'event timestamps from then on')
    .option('--until <time>', 'event timestamps before then')
    .option('--reference-from <time>', 'compare with event timestamps from then on')
    .option('--reference-until <time>', 'compare with event timestamps before then')
    .option('--kept <n>', 'show the last n that were made of each view, and make none')
    .addHelpText('after', HELP)
  return addConnectionFlags(command, '10m').action(runStats)
}

async function runStats(views: readonly string[], options: StatsOptions): Promise<void> {
  const times = {
    ...timeOption('from', '--from', options.from),
    ...timeOption('until', '--until', options.until),
    ...timeOption('referenceFrom', '--reference-from', options.referenceFrom),
    ...timeOption('referenceUntil', '--reference-until', options.referenceUntil),
  }
  const kept = options.kept === undefined ? undefined : countValue('--kept', options.kept, 1)
  if (kept !== undefined && Object.keys(times).length > 0) {
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      '--kept shows statistics with the times they were made of; leave out the times',
    )
  }
  const found = await withClient(options, (client, deadlineMs) =>
    client.statistics({ views, deadlineMs, ...times, ...(kept === undefined ? {} : { kept }) }),
  )
  if (options.json) printJson(found)
  else for (const [index, statistics] of found.entries()) printView(statistics, index)
  if (found.length === 0 && !options.json) print(kept === undefined ? 'no view has rows yet' : 'none were made yet')
}

function printView(statistics: ViewStatistics, index: number): void {
  const { view, window, reference, features } = statistics
  if (index > 0) print('')
  print(`${view}, table version ${statistics.tableVersion}, ${formatTime(statistics.recordedAt)}`)
  print(`  ${formatTime(window.from)} to ${formatTime(window.until)}: ${formatRows(window.rows)}`)
  print(`  beside ${formatTime(reference.from)} to ${formatTime(reference.until)}: ${formatRows(reference.rows)}`)
  printTable(
    ['feature', 'null', 'missing', 'distinct', 'min', 'p5', 'median', 'p95', 'max', 'mean', 'psi', ''],
    features.map((feature) => featureCells(feature, window.rows)),
  )
  for (const { name, top } of features) {
    const shown = top.slice(0, TOP_SHOWN).map(({ value, count }) => `${value} ${share(count, window.rows)}`)
    if (shown.length > 0) print(`  ${name}: ${shown.join(', ')}`)
  }
}

const TOP_SHOWN = 5

/** Of strings, bytes and lists the numbers are lengths. */
function featureCells(feature: FeatureStatistics, rows: number): readonly unknown[] {
  const { name, type, nulls, missing, distinct, numbers, lengths, psi, drift } = feature
  const label = lengths === undefined ? name : `${name} (length)`
  const values = numberCells(numbers ?? lengths).map((value) => (type === 'timestamp' ? timeOf(value) : (value ?? '')))
  return [label, share(nulls, rows), share(missing, rows), distinct, ...values, psi?.toFixed(3) ?? '', drift ?? '']
}

function numberCells(numbers: NumberStatistics | undefined): readonly (number | undefined)[] {
  const quantiles = numbers?.quantiles
  return [numbers?.min, quantiles?.['p5'], quantiles?.['p50'], quantiles?.['p95'], numbers?.max, numbers?.mean]
}

function timeOf(seconds: number | undefined): Date | '' {
  return seconds === undefined ? '' : new Date(Math.round(seconds) * 1000)
}

function share(count: number, rows: number): string {
  return rows === 0 ? '' : `${Number(((100 * count) / rows).toPrecision(3))} %`
}
