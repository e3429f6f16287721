/**
 * The space that copies in a folder may take together, and which of them go when it is used up: the ones not used for longest,
 * and never one that is on loan to any process (it has more than one hard link).
 *
 * Each process counts what it adds, and looks at the whole folder when that reaches a 64th of the bound: a look costs a
 * `stat` per copy, some 20 µs. Whoever looks evicts down to 7/8 of the bound. So eight processes that do not know of each other stay
 * within it, and a ninth adds a 64th. Not counted are loans of copies that were dropped meanwhile (a deleted object's, a damaged one).
 */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { TwinstoreError } from '../../../domain/errors.ts'
import { boundedParallel } from '../../../lib/bounded-parallel.ts'

export interface FileCacheLimits {
  /** Option `s3-cache-bytes`. */
  readonly bytesMax: number
  /** Option `s3-cache-files-max`. */
  readonly filesMax: number
}

interface Copy {
  readonly file: string
  readonly bytes: number
  readonly usedMs: number
  readonly onLoan: boolean
}

const STATS_AT_ONCE = 16
const LOOK_PART = 64
/** Of eight. */
const KEPT_EIGHTHS = 7

export class CacheRoom {
  private readonly dir: string
  private readonly limits: FileCacheLimits
  private bytesFound = 0
  /** Taken since the folder was last looked at; a look is due at the start. */
  private bytesSince = Number.POSITIVE_INFINITY
  private filesSince = 0
  /** Taken for files that are not in the folder yet. */
  private bytesComing = 0
  /** Looks follow each other: two at a time would each evict for the other's need too. */
  private looking: Promise<unknown> = Promise.resolve()

  constructor(dir: string, limits: FileCacheLimits) {
    this.dir = dir
    this.limits = limits
  }

  /**
   * Room for one more copy of so many bytes; RESOURCE_EXHAUSTED if what is on loan leaves none. To be told, by what it gives,
   * when the copy is in the folder or will never be.
   */
  async take(bytes: number): Promise<() => void> {
    const turn = this.looking.then(() => this.takeNow(bytes))
    this.looking = turn.catch(() => undefined)
    await turn
    let coming = bytes
    return () => {
      this.bytesComing -= coming
      coming = 0
    }
  }

  /** Evicts every copy that is not on loan; false if there was none. */
  async empty(): Promise<boolean> {
    const turn = this.looking.then(async () => {
      const idle = (await this.copies()).filter((copy) => !copy.onLoan)
      await this.evict(idle)
      return idle.length > 0
    })
    this.looking = turn.catch(() => undefined)
    return turn
  }

  /** As found at the last look, and taken since. */
  get bytesKnown(): number {
    return this.bytesFound + (Number.isFinite(this.bytesSince) ? this.bytesSince : 0)
  }

  private async takeNow(bytes: number): Promise<void> {
    const { bytesMax, filesMax } = this.limits
    const isLookDue =
      this.bytesSince + bytes > bytesMax / LOOK_PART || this.filesSince + 1 > Math.max(1, filesMax / LOOK_PART)
    if (isLookDue) {
      await this.makeRoom(bytes)
      this.bytesSince = 0
      this.filesSince = 0
    }
    this.bytesSince += bytes
    this.filesSince++
    this.bytesComing += bytes
  }

  private async makeRoom(bytes: number): Promise<void> {
    const { bytesMax, filesMax } = this.limits
    const copies = await this.copies()
    let bytesLeft = copies.reduce((sum, copy) => sum + copy.bytes, this.bytesComing)
    let filesLeft = copies.length
    const evicted: Copy[] = []
    for (const copy of copies.filter(({ onLoan }) => !onLoan).sort((a, b) => a.usedMs - b.usedMs)) {
      const fits =
        bytesLeft + bytes <= (bytesMax * KEPT_EIGHTHS) / 8 &&
        filesLeft + 1 <= Math.max(1, (filesMax * KEPT_EIGHTHS) / 8)
      if (fits) break
      evicted.push(copy)
      bytesLeft -= copy.bytes
      filesLeft--
    }
    await this.evict(evicted)
    this.bytesFound = bytesLeft - this.bytesComing
    if (bytesLeft + bytes > bytesMax) throw this.refused(`${bytes} bytes`, bytesLeft, bytesMax, 's3-cache-bytes')
    if (filesLeft + 1 > filesMax) throw this.refused('one file', filesLeft, filesMax, 's3-cache-files-max')
  }

  private refused(more: string, used: number, most: number, option: string): TwinstoreError {
    return new TwinstoreError(
      'RESOURCE_EXHAUSTED',
      `${this.dir}: jobs that run need ${used} of at most ${most}, and ${more} more are asked for (option ${option}); ` +
        'raise it, ask for less, or wait for them to end',
    )
  }

  private async evict(copies: readonly Copy[]): Promise<void> {
    await boundedParallel(copies, STATS_AT_ONCE, ({ file }) => rm(file, { force: true }))
  }

  private async copies(): Promise<Copy[]> {
    const names = await readdir(this.dir)
    const found = await boundedParallel(names, STATS_AT_ONCE, async (name): Promise<Copy | undefined> => {
      const file = join(this.dir, name)
      const { size, atimeMs, nlink } = (await stat(file).catch(() => undefined)) ?? { nlink: 0 }
      // Evicted by another process since.
      if (nlink === 0) return undefined
      return { file, bytes: size!, usedMs: atimeMs!, onLoan: nlink > 1 }
    })
    return found.filter((copy) => copy !== undefined)
  }
}
