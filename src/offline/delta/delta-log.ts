/**
 * The log of one Delta table in an object store: entries by version, read whole or put if absent.
 *
 * Which entries there are is found by listing, once per call; that they are all there is found by reading each by its name. A
 * listing alone will not do: one made while others commit may show an entry and not the one before it.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { parseEntry } from './log-entry.ts'
import type { LogEntry } from './snapshot.ts'

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
    const startAfter = from === 0 ? undefined : this.path(from - 1)
    let newest: number | undefined
    let pointsToCheckpoint = false
    for await (const { path } of this.objects.list(`${this.table}/_delta_log/`, startAfter)) {
      const name = path.slice(path.lastIndexOf('/') + 1)
      const version = versionOf(name)
      if (version !== undefined && version >= from) newest = Math.max(newest ?? 0, version)
      pointsToCheckpoint ||= name === '_last_checkpoint'
    }
    if (newest === undefined && from === 0 && pointsToCheckpoint) await this.missing(0)
    return newest
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

  private path(version: number): string {
    return `${this.table}/_delta_log/${String(version).padStart(20, '0')}.json`
  }

  private async missing(version: number): Promise<never> {
    for await (const { path } of this.objects.list(`${this.table}/_delta_log/`)) {
      if (!/\.checkpoint\.|_last_checkpoint$/.test(path)) continue
      throw new TwinstoreError(
        'FAILED_PRECONDITION',
        `${this.path(version)} is missing and the table has a checkpoint (${path}) in its stead, which Twinstore cannot ` +
          'read; restore the log entries, and keep other engines from cleaning them up',
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
