/**
 * SIGHUP calls `reload`, for as long as the process lives. Only a server with something to reload listens: to any other process the signal
 * is what it usually is, its end.
 */
export function onReloadSignal(reload: () => void): void {
  process.on('SIGHUP', reload)
}
