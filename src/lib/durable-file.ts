/** Files and folder entries that survive a power failure: nothing here resolves before an fsync did. */
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Creates `file` (which must not exist) with these bytes. */
export async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx')
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes what was written to a file, or the entries of a folder, survive. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Folders below `root` that exist durably. A folder's own entry is in its parent, so making one takes an fsync of every
 * ancestor; each folder pays that once a process. It remembers one path per folder, which the partitions bound.
 */
export class DurableFolders {
  private readonly root: string
  private readonly known = new Set<string>()

  constructor(root: string) {
    this.root = root
  }

  async ensure(folder: string): Promise<void> {
    const made = await mkdir(folder, { recursive: true })
    if (made === undefined && this.known.has(folder)) return
    for (let at = folder; at !== this.root; at = dirname(at)) await syncPath(dirname(at))
    this.known.add(folder)
  }
}
