import { Command } from 'commander'
import type { FeatureVectors } from '../client/index.ts'
import { type Assignments, parseRow, typedRow } from './assignments.ts'
import { addConnectionFlags, type ConnectionOptions, withClient } from './connection.ts'
import { cell, print, printJson, printTable } from './output.ts'
import { serviceColumns } from './schema.ts'

interface GetOptions extends ConnectionOptions {
  readonly fresh?: boolean
}

const HELP = `
Each entity row is one word of name=value pairs: the service's join keys, and request features where there are any. A value
with a comma goes into JSON: '{"name":"a,b"}'. In the table a missing value is "-"; a value that is not PRESENT has its status behind it.

Examples:
  $ twinstore get predict_delay origin=ATL,destination=ORD origin=JFK,destination=LAX
  $ twinstore get predict_delay origin=ATL,destination=ORD,scheduled_hour=18 --json`

export function getCommand(): Command {
  const command = new Command('get')
    .description('Read feature vectors from the online store.')
    .argument('<service>', 'the feature service')
    .argument('<entity...>', 'entity rows, for example origin=ATL,destination=ORD')
    .option('--fresh', 'past the cache, from the online store itself')
    .addHelpText('after', HELP)
  return addConnectionFlags(command, '10s').action(async (service: string, words: string[], options: GetOptions) => {
    const rows = words.map(parseRow)
    const answer = await withClient(options, async (client, deadlineMs) => {
      const columns = serviceColumns(await client.describe(), service)
      const entities = rows.map((row) => typedRow(row, columns, `service ${service}`))
      return client.getFeatures({
        service,
        entities,
        deadlineMs,
        ...(options.fresh ? { consistency: 'FRESH' as const } : {}),
      })
    })
    if (options.json)
      printJson({
        fingerprint: answer.layout.fingerprint,
        rows: rows.map((entity, index) => jsonRow(entity, answer, index)),
      })
    else printAnswer(rows, answer)
  })
}

function jsonRow(entity: Assignments, answer: FeatureVectors, index: number): unknown {
  const row = answer.rows[index]!
  const { values, statuses, eventTimestamps, historyViews } = row
  return { entity, features: values, statuses, event_timestamps: eventTimestamps, history_views: historyViews }
}

/** One line a feature and one column an entity row: there are usually more features than rows. */
function printAnswer(rows: readonly Assignments[], answer: FeatureVectors): void {
  const head = ['', ...rows.map((row) => Object.values(row).join(' '))]
  const lines = answer.layout.columns.map(({ name }) => [
    name,
    ...answer.rows.map((row) => {
      const status = row.statuses[name]
      const value = cell(status === 'NULL' ? null : (row.values[name] ?? undefined))
      return status === 'PRESENT' || status === 'NULL' ? value : `${value} (${status})`
    }),
  ])
  printTable(head, lines)
  print('')
  const times = answer.layout.views.map((view) => [
    view,
    ...answer.rows.map(({ eventTimestamps, historyViews }) => {
      const time = cell(eventTimestamps[view] ?? undefined)
      return historyViews.includes(view) ? `${time} (from the history)` : time
    }),
  ])
  printTable(['values of', ...head.slice(1)], times)
  print(`\ndefinitions ${answer.layout.fingerprint}`)
}
