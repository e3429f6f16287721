import { Command } from 'commander'
import { OPTIONS, type OptionName } from '../config/option-table.ts'
import { startServer } from '../main.ts'
import { addOptionFlags, commandConfig } from './option-flags.ts'
import { formatCount, formatRows, note, print } from './output.ts'
import { showProgress } from './progress.ts'

const HELP = `
Applies the definitions, opens the stores, syncs what has no data yet, and serves until SIGINT or SIGTERM; then
finishes the calls under way, archives the outbox and exits 0. The line that begins with "ready" names the address.

Examples:
  $ twinstore serve --definitions ./features
  $ twinstore serve --definitions ./features --grpc 0.0.0.0:50051 --data-dir /var/lib/twinstore
  $ TWINSTORE_CACHE_TTL=30s twinstore serve --config twinstore.yaml`

export function serveCommand(): Command {
  const command = new Command('serve').description('Serve features over gRPC.').addHelpText('after', HELP)
  return addOptionFlags(command, Object.keys(OPTIONS) as OptionName[]).action(serve)
}

async function serve(options: Record<string, unknown>): Promise<void> {
  const config = commandConfig(options)
  const stopping = new AbortController()
  const progress = showProgress(false)
  const stopSignals = onStopSignal(() => stopping.abort())
  try {
    const server = await startServer(config, {
      signal: stopping.signal,
      onApplied: (changes) => {
        for (const change of changes) note(change)
      },
      onSyncProgress: (view, step, fraction) => progress.update(`${view}: ${step}`, fraction),
      onSynced: (result) => {
        const online = `${formatCount(result.rowsOnline)} online`
        note(`synced ${result.view}: ${formatRows(result.rowsAdded)}, ${online}, ${result.seconds.toFixed(1)} s`)
      },
    })
    progress.done()
    print(`ready grpc ${server.address} (project ${server.project}, definitions ${server.fingerprint})`)
    await aborted(stopping.signal)
    note('stopping: finishing calls under way and archiving the outbox')
    await server.stop()
  } catch (error) {
    // A stop that was asked for during start-up ends it with a cancellation, which is no failure.
    if (!stopping.signal.aborted) throw error
  } finally {
    progress.done()
    stopSignals()
  }
}

/** The first signal asks for a drain; a second one ends the process the usual way. */
function onStopSignal(stop: () => void): () => void {
  const remove = (): void => {
    process.removeListener('SIGINT', handle)
    process.removeListener('SIGTERM', handle)
  }
  const handle = (): void => {
    remove()
    stop()
  }
  process.once('SIGINT', handle)
  process.once('SIGTERM', handle)
  return remove
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
