import { Command } from 'commander'
import { addConnectionFlags, type ConnectionOptions, withClient } from './connection.ts'
import { printJson, printTable } from './output.ts'
import { showProgress } from './progress.ts'

const HELP = `
Runs the views' sources and brings what is new into the offline history and, the latest row per entity, into the online store.
A second run right after the first adds nothing.

Examples:
  $ twinstore sync
  $ twinstore sync airport_daily route_daily --json`

export function syncCommand(): Command {
  const command = new Command('sync')
    .description('Bring what is new in the sources into both stores (materialization).')
    .argument('[view...]', 'the views to sync; none: every view with a source')
    .addHelpText('after', HELP)
  return addConnectionFlags(command, '1h').action(async (views: string[], options: ConnectionOptions) => {
    const progress = showProgress(options.json === true)
    const results = await withClient(options, (client, deadlineMs) =>
      client.sync({
        views,
        deadlineMs,
        onProgress: (view, { step, fraction }) => progress.update(`${view}: ${step}`, fraction),
      }),
    ).finally(() => progress.done())
    if (options.json) printJson(results)
    else {
      printTable(
        ['view', 'rows read', 'added offline', 'online', 'table version', 'seconds'],
        results.map((r) => [r.view, r.rowsRead, r.rowsAdded, r.rowsOnline, r.tableVersion, tenths(r.seconds)]),
      )
    }
  })
}

function tenths(seconds: number): number {
  return Math.round(seconds * 10) / 10
}
