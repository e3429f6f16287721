import { Command } from 'commander'
import type { SyncFailure, SyncResult, TwinstoreClient } from '../client/index.ts'
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import { addConnectionFlags, type ConnectionOptions, withClient } from './connection.ts'
import { EXIT_CODES, PARTLY_FAILED_EXIT } from './exit-codes.ts'
import { note, printJson, printTable } from './output.ts'
import { showProgress } from './progress.ts'
import { writeSyncMetrics } from './sync-metrics-file.ts'

const HELP = `
Runs the views' sources and brings what is new into the offline history and, the latest row per entity, into the online store.
A second run right after the first adds nothing.

With --rebuild no source is read: the latest row of every entity is brought from the history back to the online store, of
views that are only written too. A rebuild that was ended goes on where it stopped; one that is complete is done at once.

For cron: exits with 0 if all views were synced, 8 if some failed, 9 if another sync of the views is under way or came first, 5 if
no server answers. --metrics-file writes the outcome for node_exporter's textfile collector.

Examples:
  $ twinstore sync
  $ twinstore sync airport_daily route_daily --json
  $ twinstore sync --metrics-file /var/lib/node_exporter/twinstore_sync.prom
  $ twinstore sync --rebuild`

interface Options extends ConnectionOptions {
  readonly rebuild?: boolean
  readonly anew?: boolean
  readonly metricsFile?: string
}

export function syncCommand(): Command {
  const command = new Command('sync')
    .description('Bring what is new in the sources into both stores (materialization).')
    .argument('[view...]', 'the views to sync; none: every view with a source')
    .option('--rebuild', 'bring the latest rows of the history back to an online store that has lost some')
    .option('--anew', 'rebuild from the beginning, also over what is noted to be online')
    .option('--metrics-file <path>', 'write how it went to this file, in Prometheus text format')
    .addHelpText('after', HELP)
  return addConnectionFlags(command, '1h').action(sync)
}

async function sync(views: string[], options: Options): Promise<void> {
  const { metricsFile, rebuild } = options
  if (metricsFile !== undefined && rebuild) {
    throw new TwinstoreError('INVALID_ARGUMENT', '--metrics-file is about syncs; leave it out with --rebuild')
  }
  const results: SyncResult[] = []
  const failures: SyncFailure[] = []
  let failure: { readonly error: unknown } | undefined
  try {
    await withClient(options, (client, deadlineMs) => run(client, views, options, deadlineMs, results, failures))
  } catch (error) {
    failure = { error }
  }
  const exitCode = failure === undefined ? 0 : exitCodeOf(failure.error, results, failures)
  if (metricsFile !== undefined) writeSyncMetrics(metricsFile, { results, failures, exitCode })
  if (failure === undefined || results.length > 0) show(results, failures, options)
  if (failure === undefined) return
  if (exitCode !== PARTLY_FAILED_EXIT) throw failure.error
  for (const { view, message } of failures) note(`error: ${view}: ${message}`)
  process.exitCode = exitCode
}

function exitCodeOf(error: unknown, results: readonly SyncResult[], failures: readonly SyncFailure[]): number {
  if (results.length > 0 && failures.length > 0) return PARTLY_FAILED_EXIT
  return EXIT_CODES[asTwinstoreError(error).code]
}

async function run(
  client: TwinstoreClient,
  views: readonly string[],
  { rebuild = false, anew = false, json }: Options,
  deadlineMs: number,
  results: SyncResult[],
  failures: SyncFailure[],
): Promise<void> {
  const progress = showProgress(json === true)
  try {
    await client.sync({
      views,
      rebuild,
      anew,
      deadlineMs,
      onProgress: (view, { step, fraction }) => progress.update(`${view}: ${step}`, fraction),
      onResult: (result) => results.push(result),
      onFailure: (failure) => failures.push(failure),
    })
  } finally {
    progress.done()
  }
}

function show(results: readonly SyncResult[], failures: readonly SyncFailure[], { json, rebuild }: Options): void {
  if (json) printJson(failures.length === 0 ? results : { results, failures })
  else if (rebuild) {
    printTable(
      ['view', 'rows gone over', 'made online', 'done before', 'table version', 'seconds', ''],
      results.map((r) => [
        ...[r.view, r.rowsRead, r.rowsOnline, r.entitiesResumed, r.tableVersion, tenths(r.seconds)],
        r.upToDate ? 'nothing was missing' : '',
      ]),
    )
  } else {
    printTable(
      ['view', 'rows read', 'added offline', 'online', 'table version', 'seconds', ''],
      results.map((r) => [
        ...[r.view, r.rowsRead, r.rowsAdded, r.rowsOnline, r.tableVersion, tenths(r.seconds)],
        r.upToDate ? 'up to date' : '',
      ]),
    )
  }
}

function tenths(seconds: number): number {
  return Math.round(seconds * 10) / 10
}
