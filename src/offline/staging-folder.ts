/** A folder for the files of one piece of work, in the staging area of an object store; it is gone afterwards. */
import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

export async function inStagingFolder<T>(
  { stagingDir }: { readonly stagingDir: string },
  work: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = join(stagingDir, randomUUID())
  await mkdir(dir, { recursive: true })
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
