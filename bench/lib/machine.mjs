/** What a figure was measured on; without it a figure says nothing. */
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'

export function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${arch()}`,
    node: process.version,
  }
}

/** Processes that ran or waited to, averaged over the last minute. */
export function loadAverage() {
  return Number(loadavg()[0].toFixed(2))
}
