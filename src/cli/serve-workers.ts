/** `twinstore serve --workers N`: what the supervisor tells people, and how it ends. */
import type { Config } from '../config/option-table.ts'
import type { StartHooks } from '../main.ts'
import { loadServer } from './load-server.ts'
import { note, print } from './output.ts'
import { onStopSignal } from './stop-signal.ts'

export async function serveByWorkers(config: Config, onReload: StartHooks['onReload']): Promise<void> {
  const { startSupervisor } = await loadServer()
  const supervisor = await startSupervisor(config, {
    onReady: ({ addresses, project, fingerprint }) => {
      const http = addresses.http === undefined ? '' : ` http ${addresses.http}`
      const what = `project ${project}, definitions ${fingerprint}, ${config.workers} workers`
      print(`ready grpc ${addresses.grpc}${http} (${what})`)
    },
    onEvent: note,
  })
  onReload(() => supervisor.reload())
  const stop = (): void => {
    note('stopping: finishing calls under way and archiving the outbox')
    supervisor.stop()
  }
  const stopSignals = onStopSignal(stop, () => supervisor.kill())
  try {
    process.exitCode = await supervisor.ended
  } finally {
    stopSignals()
  }
}
