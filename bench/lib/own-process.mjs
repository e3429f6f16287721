/** Work in a process of its own, so that its peak RSS is that work's; the process is the calling script again, with `--run`. */
import { fork } from 'node:child_process'

/** Seconds, processor seconds and peak RSS of `what`, one of the script's `works`. */
export function measureAlone(script, what, settings) {
  return new Promise((resolve, reject) => {
    const child = fork(script, ['--run', what, '--settings', JSON.stringify(settings)])
    let result
    child.once('message', (message) => {
      result = message
    })
    child.once('exit', (code) => (code === 0 ? resolve(result) : reject(new Error(`${what}: exit code ${code}`))))
  })
}

/** What the script does when it is such a process. */
export async function runAlone(works, what, settings) {
  const begin = performance.now()
  await works[what](JSON.parse(settings))
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  process.send({
    seconds: (performance.now() - begin) / 1000,
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    peakRssMib: Math.round(maxRSS / 1024),
  })
  process.disconnect()
}

export function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}
