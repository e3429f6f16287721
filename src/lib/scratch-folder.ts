/**
 * A process's own folder for temporary files under a shared parent. What a process that was killed left behind is removed
 * by the next one: folders carry the process id of their owner, and those whose owner is gone are swept.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

export interface ScratchFolder {
  readonly path: string
  remove(): Promise<void>
}

/** Synchronous, because it is part of starting and the folder is small. */
export function createScratchFolder(parent: string): ScratchFolder {
  mkdirSync(parent, { recursive: true })
  for (const name of readdirSync(parent)) {
    const owner = /^(\d+)-[0-9a-f-]{36}$/.exec(name)?.[1]
    if (owner !== undefined && !isRunning(Number(owner))) rmSync(join(parent, name), { recursive: true, force: true })
  }
  const path = join(parent, `${process.pid}-${randomUUID()}`)
  mkdirSync(path)
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, under another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
