/**
 * Copies of immutable objects in a local folder, bounded in bytes and in number, shared by the processes of one data folder, and
 * lent to jobs that read files.
 *
 *     files/<name>               the copies; whole, whatever crashed
 *     processes/<pid>-<uuid>/    of one process: loans (hard links to copies) and files being fetched
 *     staging/                   files of jobs on their way into the store
 *
 * A copy is fetched in its process's folder, flushed to disk, and only then linked into `files`. A loan is a hard link: the copy may be
 * evicted, the job's file stays. Link counts tell every process which copies are on loan, without a word between them:
 * those are never evicted, so that `files` is all the space there is in use. What a killed process leaves is in a folder
 * that bears its id, and is removed when the next one opens.
 *
 * Of several fetches of one file in a process there is one; two processes may each fetch it, and the second finds the link
 * there. Rejected: an index in a file (one more thing to be wrong after a crash; the folder itself is the index), and locks between
 * processes (they would save a second fetch of a file now and then).
 */
import { createHash } from 'node:crypto'
import { link, mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { Clock } from '../../../lib/clock.ts'
import { syncPath } from '../../../lib/durable-file.ts'
import { createScratchFolder } from '../../../lib/scratch-folder.ts'
import type { BorrowedFile } from '../object-store.ts'
import { sweepStaging } from '../staging-sweep.ts'
import { CacheRoom, type FileCacheLimits } from './cache-room.ts'
import { type FetchSink, FileSink, localFault } from './file-sink.ts'

export type { FileCacheLimits } from './cache-room.ts'
export type { FetchSink } from './file-sink.ts'

export interface FileCacheNumbers {
  /** Files lent; of these fetched, and their bytes. */
  readonly lent: number
  readonly fetched: number
  readonly fetchedBytes: number
  /** In the folder, as far as this process knows. */
  readonly bytes: number
}

export interface FileCache {
  /** For files on their way into the store: on the same file system, so that they become copies by a rename. */
  readonly stagingDir: string
  /** Lends the copy of `path`, which `fetch` gets if there is none. */
  borrow(path: string, fetch: (sink: FetchSink) => Promise<void>): Promise<BorrowedFile>
  /** Takes a file with the bytes of `path` as its copy, if there is room; it may be gone afterwards. */
  adopt(path: string, file: string): Promise<void>
  /** Drops the copy of `path`, if there is one. Loans stay. */
  forget(path: string): Promise<void>
  numbers(): FileCacheNumbers
  close(): Promise<void>
}

export interface FileCacheOptions extends FileCacheLimits {
  readonly dir: string
  /** Whose paths these are: another store's object of the same path is another file. */
  readonly scope: string
  readonly clock: Clock
  /** Staged files untouched since then, in wall milliseconds, belong to a job that is gone. */
  readonly beforeMs: number
}

export async function openFileCache(options: FileCacheOptions): Promise<FileCache> {
  const filesDir = join(options.dir, 'files')
  const stagingDir = join(options.dir, 'staging')
  for (const folder of [filesDir, stagingDir]) await mkdir(folder, { recursive: true })
  await sweepStaging(stagingDir, options.beforeMs)
  const own = createScratchFolder(join(options.dir, 'processes'))
  const room = new CacheRoom(filesDir, options)
  return new SharedCache({ ...options, stagingDir, filesDir, ownDir: own.path, room, removeOwn: own.remove })
}

interface Parts extends FileCacheOptions {
  readonly stagingDir: string
  readonly filesDir: string
  readonly ownDir: string
  readonly room: CacheRoom
  readonly removeOwn: () => Promise<void>
}

/** A hard link in the process's folder, shared by all who borrow the file at the same time. */
interface Loan {
  borrowers: number
  readonly file: Promise<string>
}

class SharedCache implements FileCache {
  readonly stagingDir: string
  private readonly parts: Parts
  private readonly loans = new Map<string, Loan>()
  /** Names of own files are never used again: the removal of one may still be under way. */
  private made = 0
  private lent = 0
  private fetched = 0
  private fetchedBytes = 0

  constructor(parts: Parts) {
    this.parts = parts
    this.stagingDir = parts.stagingDir
  }

  async borrow(path: string, fetch: (sink: FetchSink) => Promise<void>): Promise<BorrowedFile> {
    const name = this.nameOf(path)
    this.lent++
    const found = this.loans.get(name)
    const loan: Loan = found ?? { borrowers: 0, file: this.lend(name, fetch) }
    if (found === undefined) {
      this.loans.set(name, loan)
      loan.file.catch(() => this.endLoan(name, loan))
    }
    loan.borrowers++
    const file = await loan.file
    let returned = false
    const release = async () => {
      if (returned) return
      returned = true
      if (--loan.borrowers > 0) return
      this.endLoan(name, loan)
      await rm(file, { force: true })
    }
    const discard = async () => {
      this.endLoan(name, loan)
      await rm(join(this.parts.filesDir, name), { force: true })
      await release()
      return true
    }
    return { file, release, discard }
  }

  async adopt(path: string, file: string): Promise<void> {
    const copy = join(this.parts.filesDir, this.nameOf(path))
    try {
      const { size } = await stat(file)
      const landed = await this.parts.room.take(size)
      try {
        await syncPath(file)
        await this.markUsed(file)
        await rename(file, copy)
      } finally {
        landed()
      }
    } catch {
      // The object is in the store; that no copy of it is here costs a fetch.
    }
  }

  async forget(path: string): Promise<void> {
    const name = this.nameOf(path)
    this.loans.delete(name)
    await rm(join(this.parts.filesDir, name), { force: true })
  }

  numbers(): FileCacheNumbers {
    const { lent, fetched, fetchedBytes } = this
    return { lent, fetched, fetchedBytes, bytes: this.parts.room.bytesKnown }
  }

  async close(): Promise<void> {
    await this.parts.removeOwn()
  }

  /** A new loan of this name does not share this one any more. */
  private endLoan(name: string, loan: Loan): void {
    if (this.loans.get(name) === loan) this.loans.delete(name)
  }

  private async lend(name: string, fetch: (sink: FetchSink) => Promise<void>): Promise<string> {
    const copy = join(this.parts.filesDir, name)
    const file = join(this.parts.ownDir, `${++this.made}-${name}`)
    try {
      if (await linkUnless('ENOENT', copy, file)) {
        await this.markUsed(file)
        return file
      }
      await this.fetchTo(file, copy, fetch)
      return file
    } catch (error) {
      await rm(file, { force: true })
      throw localFault(this.parts.filesDir, error)
    }
  }

  private async fetchTo(file: string, copy: string, fetch: (sink: FetchSink) => Promise<void>): Promise<void> {
    const sink = new FileSink(await open(file, 'wx'), this.parts.room, this.parts.filesDir)
    try {
      await fetch(sink)
      await sink.finish()
      this.fetched++
      this.fetchedBytes += sink.bytes
      await this.markUsed(file)
      // Another process may have been faster; its copy is as good.
      await linkUnless('EEXIST', file, copy)
    } finally {
      await sink.close()
    }
  }

  /** Access times order evictions. Times are whole seconds, which survive being set again exactly: others tell a copy by its modification time. */
  private async markUsed(file: string): Promise<void> {
    const { mtimeMs } = await stat(file)
    await utimes(file, Math.floor(this.parts.clock.nowMicros() / 1e6), Math.floor(mtimeMs / 1000))
  }

  /** Ends as the object's name does. */
  private nameOf(path: string): string {
    const digest = createHash('sha256').update(`${this.parts.scope}\n${path}`).digest('hex')
    return `${digest.slice(0, 40)}${extname(path)}`
  }
}

/** False if it failed with `code`. */
async function linkUnless(code: 'ENOENT' | 'EEXIST', from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return false
    throw error
  }
}
