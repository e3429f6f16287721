import { Command } from 'commander'
import type { ParityFinding, ViewParityResult } from '../client/index.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { addConnectionFlags, type ConnectionOptions, withClient } from './connection.ts'
import { TWINS_DIFFER_EXIT } from './exit-codes.ts'
import { countValue } from './flag-values.ts'
import { formatTime, print, printJson, printTable } from './output.ts'
import { showProgress } from './progress.ts'

interface ParityFlags extends ConnectionOptions {
  readonly sample: string
  readonly offset: string
  readonly repair?: boolean
  readonly findings: string
}

const HELP = `
Compares the online value of every entity with the newest version in the offline history and the outbox, value by value. Writes may
go on: what waits to be archived is counted as pending, and is no fault. See docs/parity.md.

Exits with ${TWINS_DIFFER_EXIT} when there are faults that are not mended.

Examples:
  $ twinstore parity
  $ twinstore parity airport_daily --sample 1/16 --offset 3
  $ twinstore parity airport_daily --repair --json`

export function parityCommand(): Command {
  const command = new Command('parity')
    .description('Compare the online store with the offline history, and mend what differs.')
    .argument('[view...]', 'the views to compare; none: every view that is kept online')
    .option('--sample <1/parts>', 'only one of so many parts of the keys; the same keys every time', '1/1')
    .option('--offset <part>', 'which part, from 0', '0')
    .option('--repair', 'mend what differs; a greater version always stays')
    .option('--findings <count>', 'at most so many faults of a view are listed; all are counted', '100')
    .addHelpText('after', HELP)
  return addConnectionFlags(command, '1h').action(async (views: string[], options: ParityFlags) => {
    const sample = { parts: partsOf(options.sample), part: countValue('--offset', options.offset, 0) }
    const findingsMax = countValue('--findings', options.findings, 1)
    const progress = showProgress(options.json === true)
    const results = await withClient(options, (client, deadlineMs) =>
      client.parity({
        views,
        sample,
        findingsMax,
        repair: options.repair === true,
        deadlineMs,
        onProgress: (view, { step, fraction }) => progress.update(`${view}: ${step}`, fraction),
      }),
    ).finally(() => progress.done())
    if (options.json) printJson(results)
    else printResults(results)
    if (results.some(({ faults, repaired }) => faults > repaired)) process.exitCode = TWINS_DIFFER_EXIT
  })
}

function partsOf(text: string): number {
  const parts = /^1\/([1-9]\d{0,8})$/.exec(text.trim())?.[1]
  if (parts !== undefined) return Number(parts)
  throw new TwinstoreError('INVALID_ARGUMENT', `--sample: ${JSON.stringify(text)} is not a part such as 1/16`)
}

function printResults(results: readonly ViewParityResult[]): void {
  for (const result of results) {
    if (result.findings.length === 0) continue
    printTable(
      [result.view, 'fault', 'feature', 'online', 'offline', ''],
      result.findings.flatMap((finding) => rowsOf(finding)),
    )
    const rest = result.faults - result.findings.length
    if (rest > 0) print(`... and ${rest} more faults (--findings)`)
    print('')
  }
  printTable(
    ['view', 'part', 'keys', 'equal', 'pending', 'expired', 'others', 'unchecked', 'faults', 'mended', 'seconds'],
    results.map(({ view, sampleParts, samplePart, keys, counts, faults, repaired, seconds }) => [
      view,
      sampleParts === 1 ? 'all' : `${samplePart} of ${sampleParts}`,
      keys,
      counts.equal,
      counts.pending,
      counts.expired,
      counts.syncing + counts.notKept,
      counts.unchecked,
      faults,
      repaired,
      Math.round(seconds * 10) / 10,
    ]),
  )
  for (const { view, problems } of results) for (const problem of problems) print(`\n${view}: ${problem}`)
}

/** A row per feature that differs; of other faults one with the versions. */
function rowsOf(finding: ParityFinding): readonly (readonly unknown[])[] {
  const { entityText, kind, differences, online, offline, detail } = finding
  const fault = kind.replace('_', ' ')
  const done = finding.repaired || (finding.repairFailure && `not mended: ${finding.repairFailure}`) || detail
  if (differences.length === 0) return [[entityText, fault, '', versionText(online), versionText(offline), done]]
  return differences.map((difference, index) => [
    index === 0 ? entityText : '',
    index === 0 ? fault : '',
    difference.feature,
    difference.online,
    difference.offline,
    index === 0 ? done : '',
  ])
}

/** When the values were true, and when they were recorded, which is what a position says. */
function versionText(version: ParityFinding['online']): string {
  if (version === undefined) return '-'
  const time = (micros: bigint): string => formatTime(new Date(Number(micros / 1000n)))
  return `of ${time(version.eventTimestampMicros)}, written ${time(version.writePosition)}`
}
