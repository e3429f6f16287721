import { Command } from 'commander'
import type { WriteOutcome } from '../client/index.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { parseTime, parseWords, typedRow } from './assignments.ts'
import { addConnectionFlags, type ConnectionOptions, withClient } from './connection.ts'
import { formatTime, print, printJson } from './output.ts'
import { viewColumns } from './schema.ts'

interface WriteOptions extends ConnectionOptions {
  readonly ack: string
  readonly writeId?: string
  readonly eventTime?: string
}

const HELP = `
The row replaces the entity's row whole: a feature that is not given is missing afterwards. "null" writes null.

Examples:
  $ twinstore write airport_status airport=ATL closed=true expected_delay_minutes=45
  $ twinstore write airport_status airport=ATL closed=false --event-time 2026-11-22T08:00:00Z --ack both`

const MEANING: Readonly<Record<WriteOutcome['status'], string>> = {
  APPLIED: 'it is the online value now',
  SUPERSEDED: 'the online store has a newer row; this one is kept in the history',
  HISTORY_ONLY: 'the row is kept in the history; the online store does not keep it',
}

export function writeCommand(): Command {
  const command = new Command('write')
    .description('Write one row of a feature view to both stores.')
    .argument('<view>', 'the feature view')
    .argument('<column...>', 'join keys and features, as name=value')
    .option('--event-time <time>', 'when the values became true; now if not given')
    .option('--ack <online|both>', 'acknowledge once the online store has it, or once the history has it too', 'online')
    .option('--write-id <id>', 'makes a repeated write with the same id change nothing')
    .addHelpText('after', HELP)
  return addConnectionFlags(command, '30s').action(async (view: string, words: string[], options: WriteOptions) => {
    const ack = parseAck(options.ack)
    const eventTimestamp = eventTime(options.eventTime)
    const [outcome] = await withClient(options, async (client, deadlineMs) => {
      const { all } = viewColumns(await client.describe(), view)
      const values = typedRow(parseWords(words), all, `view ${view}`)
      const row = { ...values, ...(eventTimestamp ? { event_timestamp: eventTimestamp } : {}) }
      return client.writeFeatures(view, [row], {
        ack,
        deadlineMs,
        ...(options.writeId ? { writeId: options.writeId } : {}),
      })
    })
    if (outcome === undefined) throw new TwinstoreError('INTERNAL', 'the server acknowledged no row')
    if (options.json) printJson(outcome)
    else {
      const recorded = formatTime(new Date(Number(outcome.position / 1000n)))
      print(`${outcome.status}: ${MEANING[outcome.status]} (recorded ${recorded})`)
    }
  })
}

function parseAck(text: string): 'ONLINE' | 'BOTH' {
  if (text === 'online') return 'ONLINE'
  if (text === 'both') return 'BOTH'
  throw new TwinstoreError('INVALID_ARGUMENT', `--ack: ${JSON.stringify(text)} is not online or both`)
}

function eventTime(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const time = parseTime(text)
  if (time !== undefined) return time
  throw new TwinstoreError(
    'INVALID_ARGUMENT',
    `--event-time: ${JSON.stringify(text)} is not a time such as 2026-01-31T12:00:00Z`,
  )
}
