/**
 * Temporary files of finished results, until they are sent: bounded in bytes, gone when disposed of, and swept when a
 * process that was killed left them. The size of a result is known when it is complete, so that the bound can be
 * passed by what is being written, never by what waits.
 */
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { TwinstoreError } from '../../domain/errors.ts'
import { createScratchFolder } from '../../lib/scratch-folder.ts'

export interface Disposable {
  /** Removes the file; nothing happens the second time. */
  dispose(): Promise<void>
}

export interface Spool {
  /** What `write` made at the path it was given. RESOURCE_EXHAUSTED if there is no room, before or after. */
  keep<T extends { readonly bytes: number }>(write: (path: string) => Promise<T>): Promise<T & Disposable>
  close(): Promise<void>
}

export function openSpool(dir: string, bytesMax: number): Spool {
  const folder = createScratchFolder(dir)
  let bytesKept = 0

  const refuseBeyond = (bytes: number): void => {
    if (bytes <= bytesMax) return
    throw new TwinstoreError(
      'RESOURCE_EXHAUSTED',
      `results that wait to be sent would take ${bytes} bytes, the limit is ${bytesMax} (option spool-bytes-max)`,
    )
  }

  return {
    async keep(write) {
      refuseBeyond(bytesKept + 1)
      const path = join(folder.path, randomUUID())
      let counted = 0
      const dispose = async () => {
        bytesKept -= counted
        counted = 0
        await rm(path, { force: true })
      }
      try {
        const written = await write(path)
        refuseBeyond(bytesKept + written.bytes)
        counted = written.bytes
        bytesKept += counted
        return { ...written, dispose }
      } catch (error) {
        await dispose()
        throw error
      }
    },
    close: () => folder.remove(),
  }
}
