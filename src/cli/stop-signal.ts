/**
 * The first SIGINT or SIGTERM asks for a drain; the second one ends the process the usual way, after `endAtOnce` has
 * ended what would outlive it. Returns a function that stops listening.
 */
export function onStopSignal(stop: () => void, endAtOnce: () => void = () => undefined): () => void {
  let stopping = false
  const remove = (): void => {
    process.removeListener('SIGINT', handle)
    process.removeListener('SIGTERM', handle)
  }
  const handle = (signal: NodeJS.Signals): void => {
    if (!stopping) {
      stopping = true
      stop()
      return
    }
    remove()
    endAtOnce()
    process.kill(process.pid, signal)
  }
  process.on('SIGINT', handle)
  process.on('SIGTERM', handle)
  return remove
}
