/**
 * An object store in a local folder.
 *
 * Every object is first a whole, fsynced file in `.staging` and then gets its name by link(2), which fails if the name is
 * taken, or by rename(2), which replaces; the folder is fsynced before the call resolves. So no reader meets half an
 * object and what a crash leaves behind lies in `.staging`, where no listing looks and where the next start sweeps.
 * Rejected: creating the final file exclusively and filling it, because a crash in between leaves half a log entry;
 * O_TMPFILE, because Node cannot link a descriptor.
 */
import { randomUUID } from 'node:crypto'
import type { Dir, Dirent } from 'node:fs'
import { copyFile, link, mkdir, opendir, readFile, rename, rm, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { TwinstoreError } from '../../domain/errors.ts'
import { DurableFolders, syncPath, writeDurably } from '../../lib/durable-file.ts'
import { compareUtf8 } from '../../lib/utf8-order.ts'
import { checkPath, checkPrefix } from './object-path.ts'
import type { BorrowedFile, ObjectInfo, ObjectStore } from './object-store.ts'
import { sweepStaging } from './staging-sweep.ts'

const STAGING = '.staging'
/** Entries of a folder that are taken in one turn of the event loop, about a millisecond of it. */
const ENTRIES_AT_A_TIME = 500

/** When a file left in `.staging` counts as abandoned: untouched for `staleAgeMs` at wall time `nowMs`. */
export interface StagingSweep {
  readonly nowMs: number
  readonly staleAgeMs: number
}

/** Opens or creates the store. Without `sweep`, leftovers of crashed processes stay where they are. */
export async function openFolderObjects(dir: string, sweep?: StagingSweep): Promise<ObjectStore> {
  const root = resolve(dir)
  const location = `file:${root}`
  const stagingDir = join(root, STAGING)
  await answering(location, STAGING, async () => {
    const made = await mkdir(stagingDir, { recursive: true })
    for (let at = stagingDir; made !== undefined && at.length >= made.length; at = dirname(at))
      await syncPath(dirname(at))
    if (sweep !== undefined) await sweepStaging(stagingDir, sweep.nowMs - sweep.staleAgeMs)
  })
  return new FolderObjects(root, location, stagingDir)
}

class FolderObjects implements ObjectStore {
  readonly location: string
  readonly stagingDir: string
  private readonly root: string
  private readonly folders: DurableFolders

  constructor(root: string, location: string, stagingDir: string) {
    this.root = root
    this.location = location
    this.stagingDir = stagingDir
    this.folders = new DurableFolders(root)
  }

  async read(path: string): Promise<Buffer | undefined> {
    const file = this.fileOf(path)
    return answering(this.location, path, () => absentAsUndefined(readFile(file)))
  }

  async putIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const file = this.fileOf(path)
    return answering(this.location, path, () =>
      this.withTemporary(async (temporary) => {
        await writeDurably(temporary, bytes)
        await this.folders.ensure(dirname(file))
        const created = await linkUnlessExists(temporary, file)
        // Also when another caller won: who acts on its object must not see it vanish in a power failure.
        await syncPath(dirname(file))
        return created
      }),
    )
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    const file = this.fileOf(path)
    await answering(this.location, path, () =>
      this.withTemporary(async (temporary) => {
        await writeDurably(temporary, bytes)
        await this.moveDurably(temporary, file)
      }),
    )
  }

  async upload(localFile: string, path: string): Promise<void> {
    const file = this.fileOf(path)
    await answering(this.location, path, async () => {
      await syncPath(localFile)
      try {
        await this.moveDurably(localFile, file)
      } catch (error) {
        if (codeOf(error) !== 'EXDEV') throw error
        await this.withTemporary(async (temporary) => {
          await copyFile(localFile, temporary)
          await syncPath(temporary)
          await this.moveDurably(temporary, file)
          await unlink(localFile)
        })
      }
    })
  }

  async *list(prefix: string, startAfter?: string): AsyncIterable<ObjectInfo> {
    checkPrefix(prefix)
    yield* this.listFolder(prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, startAfter)
  }

  async delete(path: string): Promise<void> {
    const file = this.fileOf(path)
    await answering(this.location, path, async () => {
      await rm(file, { force: true })
    })
  }

  /** The object's own file: nothing is copied, and nothing here removes an object while it is read. */
  async borrow(path: string): Promise<BorrowedFile> {
    const file = this.fileOf(path)
    const found = await answering(this.location, path, () => absentAsUndefined(stat(file)))
    if (found?.isFile()) return { file, release: async () => undefined, discard: async () => false }
    throw new TwinstoreError('NOT_FOUND', `${this.location}: there is no object ${path}`)
  }

  /**
   * One folder's names are read and sorted at a time; `folder` ends with a slash or is empty. A subfolder sorts as its
   * name with the slash, which is what its paths begin with.
   */
  private async *listFolder(folder: string, prefix: string, startAfter: string | undefined): AsyncIterable<ObjectInfo> {
    const paths = (await this.entriesOf(folder, startAfter))
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => folder + entry.name + (entry.isDirectory() ? '/' : ''))
      .filter((path) => path !== `${STAGING}/` && path.startsWith(prefix))
      .filter((path) => startAfter === undefined || compareUtf8(path, startAfter) > 0 || isWithin(startAfter, path))
      .sort(compareUtf8)
    for (const path of paths) {
      if (path.endsWith('/')) {
        yield* this.listFolder(path, prefix, startAfter)
        continue
      }
      const found = await answering(this.location, path, () => absentAsUndefined(stat(join(this.root, path))))
      if (found !== undefined) yield { path, bytes: found.size, modifiedMs: Math.floor(found.mtimeMs) }
    }
  }

  /**
   * What is in the folder; what certainly comes before `startAfter` may be left out.
   *
   * The log of a table has a name for each commit of years, and its readers want the last few, again and again. So names are
   * taken some at a time and mostly forgotten at once: of 50,000, listing the last one with `readdir` stopped the event loop for
   * 57 to 120 ms, and now stops it for 6 to 10.
   */
  private async entriesOf(folder: string, startAfter: string | undefined): Promise<readonly Dirent[]> {
    const after = startAfter?.startsWith(folder) ? startAfter.slice(folder.length) : undefined
    return answering(this.location, folder, async () => {
      const entries: Dirent[] = []
      const found = await absentAsUndefined(opendir(join(this.root, folder), { bufferSize: ENTRIES_AT_A_TIME }))
      for await (const entry of found ?? []) {
        // A folder sorts as its name with a slash, so one whose name begins `after` may hold what comes after it.
        const precedes = after !== undefined && compareUtf8(entry.name, after) <= 0 && !after.startsWith(entry.name)
        if (!precedes) entries.push(entry)
      }
      return entries
    })
  }

  private fileOf(path: string): string {
    checkPath(path)
    if (path === STAGING || path.startsWith(`${STAGING}/`)) {
      throw new TwinstoreError('INVALID_ARGUMENT', `object path ${path}: ${STAGING} is reserved for unfinished files`)
    }
    return join(this.root, path)
  }

  private async moveDurably(from: string, file: string): Promise<void> {
    await this.folders.ensure(dirname(file))
    await rename(from, file)
    await syncPath(dirname(file))
  }

  private async withTemporary<T>(use: (temporary: string) => Promise<T>): Promise<T> {
    const temporary = join(this.stagingDir, `put-${randomUUID()}`)
    try {
      return await use(temporary)
    } finally {
      await rm(temporary, { force: true })
    }
  }
}

function isWithin(path: string, folder: string): boolean {
  return folder.endsWith('/') && path.startsWith(folder)
}

async function linkUnlessExists(from: string, file: string): Promise<boolean> {
  try {
    await link(from, file)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function absentAsUndefined<T extends Buffer | Dir | { isFile(): boolean }>(
  found: Promise<T>,
): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined
    throw error
  }
}

/** Failures of the file system as errors that name the store and the object. */
async function answering<T>(location: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = codeOf(error)
    if (error instanceof TwinstoreError || code === undefined) throw error
    const full = code === 'ENOSPC' || code === 'EDQUOT'
    const detail = error instanceof Error ? error.message : code
    throw new TwinstoreError(full ? 'RESOURCE_EXHAUSTED' : 'UNAVAILABLE', `${location}: ${path}: ${detail}`, {
      cause: error,
    })
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
