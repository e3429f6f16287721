import { readFileSync } from 'node:fs'

/** What the kernel calls this run of the machine: another value after every start. Undefined where there is none (not Linux). */
export function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return undefined
  }
}
