/** What a figure was measured on; without it a figure says nothing. */
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { versions } from './versions.mjs'

export function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${arch()}`,
    node: process.version,
    versions: versions(),
  }
}

/** For the name of a file: the processor and how many of its cores there are. Which machine it was is nobody's business. */
export function machineSlug({ cpu, cores }) {
  const words = cpu.toLowerCase().replaceAll(/\((r|tm)\)|\bcpu\b|\bprocessor\b|@.*$|\d+-core\b/g, ' ')
  return `${words.match(/[a-z0-9.]+/g)?.join('-') ?? 'unknown'}-${cores}-cores`
}

/** Processes that ran or waited to, averaged over the last minute. */
export function loadAverage() {
  return Number(loadavg()[0].toFixed(2))
}
