/**
 * Writes and reads checkpoints of a table's log, so that a first look at the table reads one file and the entries after it.
 *
 * They save work and decide nothing: the log is the table. One is written after the commit it stands for, beside what goes on,
 * and if that fails the next one is due as if nothing had been; one that is damaged is passed over for an older one or the
 * whole log. Which of several processes writes one needs no arrangement: whoever commits a version divisible by `everyVersions`.
 */
import { createReadStream } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { asTwinstoreError, TwinstoreError } from '../../domain/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { OfflineEngine } from '../engine.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { inStagingFolder } from '../staging-folder.ts'
import { type CheckpointContent, checkpointSnapshot, writeCheckpointContent } from './checkpoint-content.ts'
import { type Checkpoint, checkpointName, LAST_CHECKPOINT, lastCheckpointVersion } from './checkpoint-files.ts'
import type { Snapshot } from './snapshot.ts'

export interface CheckpointOptions {
  readonly engine: Pick<OfflineEngine, 'run'>
  /** Option `checkpoint-every`; 0: none are written. */
  readonly everyVersions: number
  /** How long a removed file stays known; no shorter than files are kept by vacuum. */
  readonly tombstoneAgeMs: number
  /** Told of a checkpoint that could not be written or read. Nothing else comes of it. */
  readonly onFault: (fault: TwinstoreError) => void
}

export class Checkpoints {
  private readonly objects: ObjectStore
  private readonly table: string
  private readonly clock: Clock
  private readonly options: CheckpointOptions
  private writing: Promise<void> | undefined

  constructor(objects: ObjectStore, table: string, clock: Clock, options: CheckpointOptions) {
    this.objects = objects
    this.table = table
    this.clock = clock
    this.options = options
  }

  /** Begins to write a checkpoint if one is due with this commit and none is being written. */
  committed(snapshot: Snapshot): void {
    const { everyVersions, onFault } = this.options
    if (everyVersions === 0 || snapshot.version === 0 || snapshot.version % everyVersions !== 0) return
    this.writing ??= this.write(snapshot)
      .catch((error: unknown) => onFault(asTwinstoreError(error)))
      .finally(() => {
        this.writing = undefined
      })
  }

  /** Resolves when no checkpoint is being written. */
  async settled(): Promise<void> {
    await this.writing
  }

  async write(snapshot: Snapshot): Promise<void> {
    const nowMs = this.clock.nowMicros() / 1000
    const { content, bytes } = await inStagingFolder(this.objects, async (dir) => {
      const actionsFile = join(dir, 'actions.json')
      const outputFile = join(dir, 'checkpoint.parquet')
      const content = await this.writeActions(snapshot, nowMs - this.options.tombstoneAgeMs, actionsFile)
      const { lineBytesMax, checksum } = content
      const input = { actionsFile, outputFile, lineBytesMax, checksum }
      const { bytes } = await this.options.engine.run('checkpointWrite', input)
      await this.objects.upload(outputFile, this.path(checkpointName(snapshot.version)))
      return { content, bytes }
    })
    // A slower process must not point back to an older one; that it may all the same costs a longer listing.
    const pointed = await this.objects.read(this.path(LAST_CHECKPOINT))
    if (pointed !== undefined && (lastCheckpointVersion(pointed) ?? -1) >= snapshot.version) return
    const last = {
      version: snapshot.version,
      size: content.actionCount,
      sizeInBytes: bytes,
      numOfAddFiles: content.addCount,
    }
    await this.objects.put(this.path(LAST_CHECKPOINT), Buffer.from(JSON.stringify(last)))
  }

  private async writeActions(snapshot: Snapshot, tombstonesFromMs: number, file: string): Promise<CheckpointContent> {
    const handle = await open(file, 'wx')
    try {
      return await writeCheckpointContent(snapshot, tombstonesFromMs, (lines) => handle.appendFile(lines))
    } finally {
      await handle.close()
    }
  }

  /** The newest of these that can be read; undefined if none can. `checkpoints` come newest first. */
  async newest(checkpoints: readonly Checkpoint[]): Promise<Snapshot | undefined> {
    for (const checkpoint of checkpoints) {
      try {
        return await this.read(checkpoint)
      } catch (error) {
        this.options.onFault(asTwinstoreError(error))
      }
    }
    return undefined
  }

  private read({ version, names }: Checkpoint): Promise<Snapshot> {
    return inStagingFolder(this.objects, async (dir) => {
      const files: string[] = []
      for (const name of names) files.push(await this.fetch(name, join(dir, name)))
      const outputFile = join(dir, 'actions.json')
      const { checksum } = await this.options.engine.run('checkpointRead', { files, outputFile })
      const lines = createInterface({ input: createReadStream(outputFile), crlfDelay: Number.POSITIVE_INFINITY })
      return await checkpointSnapshot(this.table, version, this.path(names[0]!), lines, checksum)
    })
  }

  /**
   * A copy in `file`. Not borrowed: a table that was made anew has checkpoints of the same names, and a cache of files by name
   * would give those of the old one.
   */
  private async fetch(name: string, file: string): Promise<string> {
    const bytes = await this.objects.read(this.path(name))
    if (bytes === undefined) throw new TwinstoreError('NOT_FOUND', `${this.path(name)} is gone`)
    await writeFile(file, bytes)
    return file
  }

  private path(name: string): string {
    return `${this.table}/_delta_log/${name}`
  }
}
