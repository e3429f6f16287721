import { Command } from 'commander'
import { type Config, OPTIONS, type OptionName } from '../config/option-table.ts'
import { servesTls } from '../config/slices/tls.ts'
import type { RunningServer, ServerAsWorker, StartHooks } from '../main.ts'
import { isWorker, joinSupervisor } from '../workers/worker.ts'
import { loadServer } from './load-server.ts'
import { addOptionFlags, commandConfig } from './option-flags.ts'
import { formatCount, formatRows, note, print } from './output.ts'
import { showProgress } from './progress.ts'
import { takeReloadSignal } from './reload-signal.ts'
import { serveByWorkers } from './serve-workers.ts'
import { onStopSignal } from './stop-signal.ts'

const HELP = `
Applies the definitions, opens the stores, syncs what has no data yet, and serves until SIGINT or SIGTERM; then
finishes the calls under way, archives the outbox and exits 0. The line that begins with "ready" names the addresses.
With TLS, SIGHUP makes it read its certificates again.
With --workers, that many processes do so on the same addresses.

Examples:
  $ twinstore serve --definitions ./features
  $ twinstore serve --definitions ./features --grpc 0.0.0.0:50051 --data-dir /var/lib/twinstore
  $ twinstore serve --definitions ./features --workers 4
  $ twinstore serve --definitions ./features --http 127.0.0.1:6566
  $ TWINSTORE_CACHE_TTL=30s twinstore serve --config twinstore.yaml`

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('Serve features over gRPC, and over HTTP with JSON if asked to.')
    .addHelpText('after', HELP)
  return addOptionFlags(command, Object.keys(OPTIONS) as OptionName[]).action(serve)
}

async function serve(options: Record<string, unknown>): Promise<void> {
  const config = commandConfig(options)
  // Before anything that takes time: a signal that comes early must not end what starts.
  const onReload: OnReload = servesTls(config) ? takeReloadSignal() : () => undefined
  if (isWorker()) await serveAsWorker(config, onReload)
  else if (config.workers > 1) await serveByWorkers(config, onReload)
  else await serveAlone(config, onReload)
}

type OnReload = StartHooks['onReload']

async function serveAlone(config: Config, onReload: OnReload): Promise<void> {
  const stopping = new AbortController()
  const stopSignals = onStopSignal(() => stopping.abort())
  try {
    await serveUntil(config, stopping.signal, {
      onReady: ({ address, httpAddress, metricsAddress, project, fingerprint }) => {
        const http = httpAddress === undefined ? '' : ` http ${httpAddress}`
        const metrics = metricsAddress === undefined ? '' : ` metrics ${metricsAddress}`
        print(`ready grpc ${address}${http}${metrics} (project ${project}, definitions ${fingerprint})`)
      },
      onStopping: () => note('stopping: finishing calls under way and archiving the outbox'),
      onReload,
    })
  } finally {
    stopSignals()
  }
}

/** What it means for people is told by the supervisor. */
async function serveAsWorker(config: Config, onSignal: OnReload): Promise<void> {
  const worker = await joinSupervisor()
  const stopping = new AbortController()
  worker.stop.addEventListener('abort', () => stopping.abort())
  if (worker.stop.aborted) stopping.abort()
  // A terminal sends its interrupt to the workers too.
  const stopSignals = onStopSignal(() => {
    worker.leaving()
    stopping.abort()
  })
  try {
    const onReady = ({ project, fingerprint, sourceDir }: RunningServer) =>
      worker.ready({ project, fingerprint, sourceDir })
    const onReload = (reload: () => void): void => {
      worker.onReload(reload)
      // A terminal that is closed says so to the workers too.
      onSignal(reload)
    }
    await serveUntil(config, stopping.signal, { onReady, onStopping: () => {}, onReload }, worker)
  } finally {
    stopSignals()
    worker.leave()
  }
}

interface ServeHooks extends Pick<StartHooks, 'onReload'> {
  onReady(server: RunningServer): void
  onStopping(): void
}

async function serveUntil(
  config: Config,
  stop: AbortSignal,
  { onReady, onStopping, onReload }: ServeHooks,
  worker?: ServerAsWorker,
): Promise<void> {
  const progress = showProgress(false)
  try {
    const { startServer } = await loadServer()
    const server = await startServer(
      config,
      {
        signal: stop,
        onReload,
        onApplied: (changes) => {
          for (const change of changes) note(change)
        },
        onSyncProgress: (view, step, fraction) => progress.update(`${view}: ${step}`, fraction),
        onSynced: (result) => {
          const online = `${formatCount(result.rowsOnline)} online`
          note(`synced ${result.view}: ${formatRows(result.rowsAdded)}, ${online}, ${result.seconds.toFixed(1)} s`)
        },
      },
      worker,
    )
    progress.done()
    onReady(server)
    await aborted(stop)
    onStopping()
    await server.stop()
  } catch (error) {
    // A stop that was asked for during start-up ends it with a cancellation, which is no failure.
    if (!stop.aborted) throw error
  } finally {
    progress.done()
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
