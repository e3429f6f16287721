/**
 * Takes SIGHUP, for as long as the process lives, and gives what says what it calls. Until then it means nothing: what would be read again has not been
 * read. Only a server with something to reload listens; to any other process the signal is what it usually is, its end.
 */
export function takeReloadSignal(): (reload: () => void) => void {
  let call = (): void => undefined
  process.on('SIGHUP', () => call())
  return (reload) => {
    call = reload
  }
}
