/**
 * The log of one Delta table in an object store: entries by version, read whole or put if absent.
 *
 * Which entries there are is found by listing, once per call; that they are all there is found by reading each by its name. A
 * listing alone will not do: one made while others commit may show an entry and not the one before it.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import {
  type Checkpoint,
  completeCheckpoints,
  LAST_CHECKPOINT,
  lastCheckpointVersion,
  versionDigits,
} from './checkpoint-files.ts'
import { parseEntry } from './log-entry.ts'
import type { LogEntry } from './snapshot.ts'

/** What a listing of the log shows, from some version on. */
export interface LogListing {
  readonly from: number
  readonly newest: number
  /** The complete ones, the newest first. */
  readonly checkpoints: readonly Checkpoint[]
}

/** The first stretch of versions in which an older checkpoint is looked for; each further one reaches back 16 times as far. */
const CHECKPOINT_REACH = 256

export class DeltaLog {
  readonly table: string
  private readonly objects: ObjectStore
  private readonly readsAtOnce: number

  /** `table` is the table's folder; `readsAtOnce` bounds the entries read in parallel. */
  constructor(objects: ObjectStore, table: string, readsAtOnce: number) {
    this.objects = objects
    this.table = table
    this.readsAtOnce = readsAtOnce
  }

  /** The newest version that the store shows, looking from `from` on; undefined if it shows none. */
  async newestVersion(from: number): Promise<number | undefined> {
    return (await this.listing(from))?.newest
  }

  /**
   * The end of the log, from the checkpoint on that `_last_checkpoint` points to; the whole log if it points to nothing.
   * Undefined if there is no log.
   */
  async end(): Promise<LogListing | undefined> {
    const pointer = await this.objects.read(this.file(LAST_CHECKPOINT))
    const from = pointer === undefined ? undefined : lastCheckpointVersion(pointer)
    const found = from === undefined ? undefined : await this.listing(from)
    if (found !== undefined) return found
    const whole = await this.listing(0)
    if (whole === undefined && pointer !== undefined) await this.missing(0)
    return whole
  }

  /** What is listed from `from` on; undefined if that is nothing. */
  async listing(from: number): Promise<LogListing | undefined> {
    let newest: number | undefined
    const names: string[] = []
    for await (const name of this.names(from)) {
      const version = versionOf(name)
      if (version === undefined || version < from) continue
      newest = Math.max(newest ?? 0, version)
      names.push(name)
    }
    return newest === undefined ? undefined : { from, newest, checkpoints: completeCheckpoints(names) }
  }

  /** The complete checkpoints up to `version`, the newest first, as far back as one has to look to find any. */
  async checkpointsUpTo(version: number): Promise<readonly Checkpoint[]> {
    for (let reach = CHECKPOINT_REACH; ; reach *= 16) {
      const from = Math.max(0, version - reach)
      const names: string[] = []
      for await (const name of this.names(from)) {
        if (name > `${versionDigits(version)}~`) break
        names.push(name)
      }
      const found = completeCheckpoints(names)
      if (found.length > 0 || from === 0) return found
    }
  }

  /** The entries from `first` to `last`; throws if one is missing or damaged. */
  async read(first: number, last: number): Promise<readonly LogEntry[]> {
    const entries: LogEntry[] = []
    for (let from = first; from <= last; from += this.readsAtOnce) {
      const count = Math.min(this.readsAtOnce, last - from + 1)
      const versions = Array.from({ length: count }, (_, offset) => from + offset)
      const found = await Promise.all(versions.map((version) => this.readOne(version)))
      for (const [offset, entry] of found.entries()) entries.push(entry ?? (await this.missing(from + offset)))
    }
    return entries
  }

  async readOne(version: number): Promise<LogEntry | undefined> {
    const path = this.path(version)
    const bytes = await this.objects.read(path)
    return bytes === undefined ? undefined : { version, actions: parseEntry(path, bytes) }
  }

  /** False if another commit has the version. */
  append(version: number, entry: Uint8Array): Promise<boolean> {
    return this.objects.putIfAbsent(this.path(version), entry)
  }

  private async *names(from: number): AsyncIterable<string> {
    const folder = this.file('')
    const startAfter = from === 0 ? undefined : this.path(from - 1)
    for await (const { path } of this.objects.list(folder, startAfter)) yield path.slice(folder.length)
  }

  private path(version: number): string {
    return this.file(`${versionDigits(version)}.json`)
  }

  private file(name: string): string {
    return `${this.table}/_delta_log/${name}`
  }

  /** With a checkpoint about, the entry was probably cleaned up; without, it was certainly lost. */
  private async missing(version: number): Promise<never> {
    for await (const name of this.names(0)) {
      if (!/\.checkpoint\./.test(name) && name !== LAST_CHECKPOINT) continue
      throw new TwinstoreError(
        'FAILED_PRECONDITION',
        `${this.path(version)} is missing, and the checkpoint ${this.file(name)} does not stand in for it: it is damaged, of ` +
          'a kind that Twinstore does not read, or of another version; restore the log entries, and keep other engines from ' +
          'cleaning them up',
      )
    }
    throw new TwinstoreError('DATA_LOSS', `${this.path(version)} is missing; restore it from a backup`)
  }
}

/**
 * The version that a file of the log folder vouches for. Checksums, compactions and checkpoints are made from an entry
 * that was there, so that a lost tail of the log is noticed by them.
 */
function versionOf(name: string): number | undefined {
  const digits = /^(?:\d{20}\.)?(\d{20})\.(?:json|crc|compacted\.json|checkpoint\..+)$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
