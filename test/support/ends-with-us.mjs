/** Processes that tests start, and that must end with the process that started them, in whatever way it ends (but SIGKILL). */

/** What has an `endAtOnce()`: synchronous, by process id. */
const ours = new Set()
let hooked = false

/** From now on it ends with this process; `forget` it when it has ended. */
export function endWithThisProcess(started) {
  ours.add(started)
  if (hooked) return
  hooked = true
  const endAll = () => {
    for (const each of ours) each.endAtOnce()
  }
  process.once('exit', endAll)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      endAll()
      // Without a listener of someone else the signal ends the process, as it would have without ours.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
    })
  }
}

/** The same for a child process, which is forgotten by itself. */
export function endChildWithThisProcess(child) {
  const own = { endAtOnce: () => child.kill('SIGKILL') }
  endWithThisProcess(own)
  child.once('exit', () => forget(own))
}

export function forget(started) {
  ours.delete(started)
}
