/** Removes what crashed processes left in a staging folder, and nothing a living one still writes to. */
import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Removes each entry of `stagingDir` in which nothing was modified at or after `beforeMs`. */
export async function sweepStaging(stagingDir: string, beforeMs: number): Promise<void> {
  for (const name of await readdir(stagingDir)) {
    const path = join(stagingDir, name)
    if ((await newestModification(path)) < beforeMs) await rm(path, { recursive: true, force: true })
  }
}

/** A job's folder is as young as the youngest file in it; what vanishes while one looks belongs to a living process. */
async function newestModification(path: string): Promise<number> {
  try {
    const found = await lstat(path)
    if (!found.isDirectory()) return found.mtimeMs
    const inside = await Promise.all((await readdir(path)).map((name) => newestModification(join(path, name))))
    return Math.max(found.mtimeMs, ...inside)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Number.POSITIVE_INFINITY
    throw error
  }
}
