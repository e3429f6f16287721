import { Command } from 'commander'
import type { HistoryRow } from '../client/index.ts'
import { parseWords, typedRow } from './assignments.ts'
import { addConnectionFlags, type ConnectionOptions, withClient } from './connection.ts'
import { countValue, timeOption } from './flag-values.ts'
import { formatRows, note, print, printJson, printTable } from './output.ts'
import { viewColumns } from './schema.ts'

interface HistoryOptions extends ConnectionOptions {
  readonly asOf?: string
  readonly recordedBy?: string
  readonly limit: string
}

const HELP = `
Every row ever recorded is shown, with its origin: "write" (a client) or "sync" (the view's source). "replaced" is a row that one
recorded later for the same event timestamp stands in for; "late" one that was recorded after a row of a newer event timestamp, and
so was never the online value. --as-of and --recorded-by together show what was known at one time of another.

Examples:
  $ twinstore history airport_status airport=ATL
  $ twinstore history airport_daily airport=ATL --as-of 2001-03-01
  $ twinstore history airport_status airport=ATL --recorded-by 2026-11-22T08:00:00Z --json
  $ twinstore history airport_status airport=ATL --as-of 2026-11-01 --recorded-by 2026-11-22`

export function historyCommand(): Command {
  const command = new Command('history')
    .description("Show the versions of one entity's row in the offline history, newest first.")
    .argument('<view>', 'the feature view')
    .argument('<key...>', 'the join keys, as name=value')
    .option('--as-of <time>', 'only rows whose values were true by then (event timestamp)')
    .option('--recorded-by <time>', 'only rows that had been recorded by then (created timestamp): what was known')
    .option('--limit <rows>', 'at most this many rows', '20')
    .addHelpText('after', HELP)
  return addConnectionFlags(command, '60s').action(async (view: string, words: string[], options: HistoryOptions) => {
    const limit = countValue('--limit', options.limit, 1)
    const history = await withClient(options, async (client, deadlineMs) => {
      const { joinKeys } = viewColumns(await client.describe(), view)
      return client.history(view, typedRow(parseWords(words), joinKeys, `the key of ${view}`), {
        deadlineMs,
        limit,
        ...timeOption('asOfEvent', '--as-of', options.asOf),
        ...timeOption('asOfRecorded', '--recorded-by', options.recordedBy),
      })
    })
    if (options.json) printJson(history)
    else if (history.rows.length === 0) print(`no rows of ${view} for ${words.join(' ')}`)
    else {
      const names = Object.keys(history.rows[0]!.values)
      const marked = history.rows.some((row) => noteOf(row) !== '')
      printTable(
        ['event timestamp', 'recorded', 'origin', ...(marked ? ['note'] : []), ...names],
        history.rows.map((row) => [
          timeOf(row.eventTimestampMicros),
          timeOf(row.createdTimestampMicros),
          row.origin,
          ...(marked ? [noteOf(row)] : []),
          ...names.map((name) => (row.missing.includes(name) ? undefined : row.values[name])),
        ]),
      )
      if (history.truncated) note(`the newest ${formatRows(limit)} only: older ones are left out (--limit)`)
    }
  })
}

function noteOf({ replaced, late }: HistoryRow): string {
  return [...(replaced ? ['replaced'] : []), ...(late ? ['late'] : [])].join(', ')
}

function timeOf(micros: bigint): Date {
  return new Date(Number(micros / 1000n))
}
