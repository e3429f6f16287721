import { Command } from 'commander'
import type { CompactResult, VacuumResult } from '../client/index.ts'
import { addConnectionFlags, type ConnectionOptions, withClient } from './connection.ts'
import { formatBytes, formatCount, print, printJson, printTable } from './output.ts'
import { showProgress } from './progress.ts'

const HELP = `
Rewrites the many small files that appends leave in the offline tables as fewer large ones. The rows stay as they are, at every version,
and readers and writers go on meanwhile. The server does the same by itself (options compact-interval and vacuum-interval).

With --vacuum, files that no reader needs any more are deleted: those that were replaced, and those that a crash left, once they are
older than the server's vacuum-age. Versions that training sets are pinned to stay readable.

Examples:
  $ twinstore compact --dry-run
  $ twinstore compact airport_status --vacuum
  $ twinstore compact --vacuum --json`

interface CompactFlags extends ConnectionOptions {
  readonly vacuum?: boolean
  readonly dryRun?: boolean
}

export function compactCommand(): Command {
  const command = new Command('compact')
    .description(
      'Rewrite small files of the offline tables as larger ones, and delete those that are not needed any more.',
    )
    .argument('[view...]', 'the views whose tables to compact; none: every view')
    .option('--vacuum', 'also delete old files that no reader needs any more')
    .option('--dry-run', 'only say what would be done')
    .addHelpText('after', HELP)
  return addConnectionFlags(command, '6h').action(async (views: string[], options: CompactFlags) => {
    const { vacuum = false, dryRun = false } = options
    const progress = showProgress(options.json === true)
    const results = await withClient(options, (client, deadlineMs) =>
      client.compact({
        views,
        vacuum,
        dryRun,
        deadlineMs,
        onProgress: (view, { step, fraction }) => progress.update(`${view}: ${step}`, fraction),
      }),
    ).finally(() => progress.done())
    if (options.json) printJson(results)
    else printResults(results, dryRun)
  })
}

function printResults(results: readonly CompactResult[], dryRun: boolean): void {
  printTable(
    ['view', dryRun ? 'would replace' : 'replaced', 'bytes', dryRun ? 'by' : 'with', 'bytes', 'table version'],
    results.map((result) => [
      result.view,
      formatFiles(result.filesRemoved),
      formatBytes(result.bytesRemoved),
      formatFiles(result.filesAdded),
      dryRun ? undefined : formatBytes(result.bytesAdded),
      result.tableVersion < 0 ? 'none yet' : result.tableVersion,
    ]),
  )
  const vacuumed = results.flatMap(({ view, vacuum }) => (vacuum === undefined ? [] : [{ view, vacuum }]))
  if (vacuumed.length > 0) print('')
  if (vacuumed.length > 0) printVacuumed(vacuumed, dryRun)
  for (const note of results.flatMap(notes)) print(`\n${note}`)
}

function printVacuumed(results: readonly { readonly view: string; readonly vacuum: VacuumResult }[], dryRun: boolean) {
  printTable(
    ['view', dryRun ? 'would delete' : 'deleted', 'bytes'],
    results.map(({ view, vacuum }) => [view, formatFiles(vacuum.deleted), formatBytes(vacuum.bytes)]),
  )
}

function notes({ view, groupsLeft, groupsLost, vacuum }: CompactResult): readonly string[] {
  const found: string[] = []
  if (groupsLeft > 0) {
    found.push(`${view}: ${groupsLeft} groups of files are left for the next run (option compact-run-bytes-max)`)
  }
  if (groupsLost > 0) found.push(`${view}: another instance compacted ${groupsLost} groups of files first`)
  if (vacuum !== undefined && vacuum.filesLeft > 0) {
    found.push(`${view}: ${formatFiles(vacuum.filesLeft)} are left for the next run (option vacuum-files-max)`)
  }
  if (vacuum !== undefined && vacuum.kept > 0) {
    found.push(
      `${view}: ${formatFiles(vacuum.kept)} are kept, because another engine rearranged the table: pinned versions need them`,
    )
  }
  return found
}

function formatFiles(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'file' : 'files'}`
}
