import { Command } from 'commander'
import type { ServerStatus, ViewSyncStatus } from '../client/index.ts'
import { addConnectionFlags, type ConnectionOptions, withClient } from './connection.ts'
import { formatBytes, formatCount, formatSeconds, formatTime, print, printJson, printTable } from './output.ts'

const HELP = `
Exits with 5 when the server reports a problem.

Examples:
  $ twinstore status
  $ twinstore status --address 10.0.0.7:50051 --json`

const PROBLEM_EXIT = 5

export function statusCommand(): Command {
  const command = new Command('status')
    .description('Show how the server and its stores are.')
    .addHelpText('after', HELP)
  return addConnectionFlags(command, '10s').action(async (options: ConnectionOptions) => {
    const status = await withClient(options, (client) => client.status())
    if (options.json) printJson(status)
    else printStatus(status)
    if (status.problems.length > 0) process.exitCode = PROBLEM_EXIT
  })
}

function printStatus(status: ServerStatus): void {
  const { outbox, cache } = status
  const lookups = cache.hits + cache.misses
  const hitRate = lookups === 0 ? 'no look-ups yet' : `${((100 * cache.hits) / lookups).toFixed(1)} % hits`
  printTable(
    ['', ''],
    [
      ['version', status.version],
      ['definitions', status.fingerprint],
      ['up', `${Math.round(status.uptimeSeconds)} s`],
      [
        'outbox',
        `${formatCount(outbox.rows)} of ${formatCount(outbox.rowsMax)} rows, ${formatBytes(outbox.bytes)} of ${formatBytes(outbox.bytesMax)}`,
      ],
      [
        'cache',
        `${formatCount(cache.entries)} rows, ${formatBytes(cache.bytes)} of ${formatBytes(cache.bytesMax)}, ${hitRate}`,
      ],
    ],
  )
  print('')
  printTable(
    ['offline table', 'version', 'rows', 'files', 'bytes'],
    status.tables.map((table) =>
      table.version < 0
        ? [table.view, 'none yet', 0, 0, '0 B']
        : [table.view, table.version, table.rows, table.files, formatBytes(table.bytes)],
    ),
  )
  if (status.syncs.length > 0) printSyncs(status)
  if (status.parity.some(({ counts }) => counts !== undefined)) printParity(status)
  for (const problem of status.problems) print(`\nPROBLEM: ${problem}`)
}

function printParity({ parity }: ServerStatus): void {
  print('')
  printTable(
    ['parity', 'compared', 'part', 'keys', 'equal', 'pending', 'faults open'],
    parity.map(({ view, endedMillis, sampleParts, samplePart, keys, counts, openFaults }) =>
      counts === undefined
        ? [view, 'never', '', '', '', '', '']
        : [
            view,
            new Date(endedMillis),
            sampleParts === 1 ? 'all' : `${samplePart} of ${sampleParts}`,
            keys,
            counts.equal,
            counts.pending,
            openFaults,
          ],
    ),
  )
}

function age({ freshnessSeconds, ttlSeconds }: ViewSyncStatus): string {
  if (freshnessSeconds === undefined) return ''
  const isPast = ttlSeconds !== undefined && freshnessSeconds > ttlSeconds
  return `${formatSeconds(freshnessSeconds)}${isPast ? ', past ttl' : ''}`
}

function printSyncs({ syncs }: ServerStatus): void {
  print('')
  printTable(
    ['sync', 'every', 'last', 'took', 'next due', 'newest event', 'age', 'ttl'],
    syncs.map((sync) => [
      sync.view,
      sync.everySeconds === undefined ? 'by hand' : formatSeconds(sync.everySeconds),
      sync.running ? 'running' : (sync.lastSuccess ?? 'never'),
      sync.lastSeconds === undefined ? '' : formatSeconds(sync.lastSeconds),
      sync.nextDue ?? '',
      sync.newestEvent ?? '',
      age(sync),
      sync.ttlSeconds === undefined ? 'none' : formatSeconds(sync.ttlSeconds),
    ]),
  )
  for (const { view, lastError, lastErrorAt } of syncs) {
    if (lastError !== undefined) print(`\nSYNC FAILED: ${view}, ${formatTime(lastErrorAt!)}: ${lastError}`)
  }
}
