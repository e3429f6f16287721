/**
 * One Delta table: its snapshots, and commits that any number of processes make at the same time.
 *
 * A commit puts the entry of the next version if it is absent; that is the only moment in which writers meet. Who comes
 * too late reads what the winners wrote and either goes on as it is (appends do not disturb each other, `conflicts.ts`) or
 * lets its caller decide anew. There is no waiting between attempts: each one lost is one that another writer won.
 */
import { randomUUID } from 'node:crypto'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { Action } from './actions.ts'
import { type CheckpointOptions, Checkpoints } from './checkpoints.ts'
import { conflictOf } from './conflicts.ts'
import { DeltaLog, type LogListing } from './delta-log.ts'
import { commitInfoOf, serializeEntry } from './log-entry.ts'
import { checkWritable } from './protocol-support.ts'
import { actionsIn } from './row-versions.ts'
import { replay, type Snapshot } from './snapshot.ts'

export interface DeltaTableOptions {
  readonly clock: Clock
  /** Recorded in every commit: `Twinstore/<version>`. */
  readonly engineInfo: string
  /** Versions that one commit may lose to other writers before it gives up (option `commit-attempts-max`). */
  readonly commitAttemptsMax: number
  /** Log entries read at the same time (option `log-reads-max`). */
  readonly logReadsMax: number
  /** Undefined: none are written, and of those that are there nothing is read. */
  readonly checkpoints?: CheckpointOptions
}

export interface CommitRequest {
  /** What the actions were decided on; undefined: that there is no table. */
  readonly read: Snapshot | undefined
  readonly actions: readonly Action[]
  /** What is being done, in Spark's words where it has one: `WRITE`, `ADD COLUMNS`. */
  readonly operation: string
  /**
   * Decides anew on a snapshot that the actions conflict with, for the `reason` given: other actions, or undefined to
   * give up.
   */
  onConflict(newest: Snapshot, reason: string): Promise<readonly Action[] | undefined> | readonly Action[] | undefined
}

/** The table with the commit in it, or as it was when the caller gave up. */
export interface CommitResult {
  readonly committed: boolean
  readonly snapshot: Snapshot
}

export interface DeltaTable {
  /** The table's folder in the object store. */
  readonly path: string
  /** The newest snapshot; undefined if there is no table. */
  snapshot(): Promise<Snapshot | undefined>
  /** The snapshot at a version; NOT_FOUND if the table has no such version. */
  snapshotAt(version: number): Promise<Snapshot>
  /** ABORTED when it lost too often. An error leaves the outcome open: read the table again before deciding anew. */
  commit(request: CommitRequest): Promise<CommitResult>
  /** Resolves when nothing is done in the background any more. */
  settled(): Promise<void>
}

export function openDeltaTable(objects: ObjectStore, path: string, options: DeltaTableOptions): DeltaTable {
  const { checkpoints, clock, logReadsMax } = options
  return new LoggedTable(
    new DeltaLog(objects, path, logReadsMax),
    checkpoints && new Checkpoints(objects, path, clock, checkpoints),
    options,
  )
}

class LoggedTable implements DeltaTable {
  readonly path: string
  private readonly log: DeltaLog
  private readonly checkpoints: Checkpoints | undefined
  private readonly options: DeltaTableOptions
  /** The newest snapshot seen; the next one is read from here on. */
  private newest: Snapshot | undefined

  constructor(log: DeltaLog, checkpoints: Checkpoints | undefined, options: DeltaTableOptions) {
    this.path = log.table
    this.log = log
    this.checkpoints = checkpoints
    this.options = options
  }

  async snapshot(): Promise<Snapshot | undefined> {
    const known = this.newest
    if (known !== undefined) {
      const newest = await this.log.newestVersion(known.version)
      if (newest !== undefined) return this.extend(known, newest)
      // The entry it was made from is gone: the table was replaced or damaged, and only its whole log can tell.
    }
    const end = await this.log.end()
    if (end !== undefined) {
      this.newest = undefined
      return this.extend(await this.checkpointed(end), end.newest)
    }
    if (known !== undefined) throw this.vanished(known)
    return undefined
  }

  async snapshotAt(version: number): Promise<Snapshot> {
    const newest = await this.snapshot()
    if (newest === undefined || !Number.isInteger(version) || version < 0 || version > newest.version) {
      const versions = newest === undefined ? 'there is no such table' : `it has versions 0 to ${newest.version}`
      throw new TwinstoreError('NOT_FOUND', `Delta table ${this.path} has no version ${version}: ${versions}`)
    }
    if (version === newest.version) return newest
    const base = await this.checkpoints?.newest(await this.log.checkpointsUpTo(version))
    return replay(this.path, base, await this.log.read((base?.version ?? -1) + 1, version))!
  }

  async commit(request: CommitRequest): Promise<CommitResult> {
    const txnId = randomUUID()
    let { read, actions } = request
    for (let attempt = 0; attempt < this.options.commitAttemptsMax; attempt++) {
      const version = (read?.version ?? -1) + 1
      const snapshot = this.result(read, version, actions)
      if (await this.put(version, txnId, this.entry(request, version, txnId, actions))) {
        this.checkpoints?.committed(snapshot)
        return { committed: true, snapshot: this.remember(snapshot) }
      }
      const winners = await this.log.read(version, (await this.log.newestVersion(version)) ?? version)
      const reason = conflictOf(
        actions,
        winners.flatMap((entry) => entry.actions),
      )
      read = this.remember(replay(this.path, read, winners)!)
      if (reason === undefined) continue
      const decided = await request.onConflict(read, reason)
      if (decided === undefined) return { committed: false, snapshot: read }
      actions = decided
    }
    throw new TwinstoreError(
      'ABORTED',
      `Delta table ${this.path}: other writers came first ${this.options.commitAttemptsMax} times in a row ` +
        '(option commit-attempts-max); try again',
    )
  }

  async settled(): Promise<void> {
    await this.checkpoints?.settled()
  }

  /** The snapshot of the newest checkpoint that can be read; undefined if the log has to be read from its beginning. */
  private async checkpointed(end: LogListing): Promise<Snapshot | undefined> {
    if (this.checkpoints === undefined) return undefined
    const found = await this.checkpoints.newest(end.checkpoints)
    if (found !== undefined || end.from === 0) return found
    return this.checkpoints.newest(await this.log.checkpointsUpTo(end.from - 1))
  }

  /** A folder that is not mounted or was moved away looks empty; a new table made there would part the history in two. */
  private vanished(known: Snapshot): TwinstoreError {
    return new TwinstoreError(
      'UNAVAILABLE',
      `Delta table ${this.path} was at version ${known.version} and its log is gone: bring its folder back, ` +
        'or restart the server to begin a new table',
    )
  }

  private async extend(base: Snapshot | undefined, version: number): Promise<Snapshot> {
    if (base?.version === version) return base
    const entries = await this.log.read((base?.version ?? -1) + 1, version)
    return this.remember(replay(this.path, base, entries)!)
  }

  private remember(snapshot: Snapshot): Snapshot {
    if (this.newest === undefined || this.newest.version < snapshot.version) this.newest = snapshot
    return snapshot
  }

  /** What the table will be; throws FAILED_PRECONDITION if it must not become that. */
  private result(read: Snapshot | undefined, version: number, actions: readonly Action[]): Snapshot {
    const result = replay(this.path, read, [{ version, actions }])!
    checkWritable(this.path, result.protocol, result.metadata)
    const deleting = actions.find((action) => 'remove' in action && action.remove.dataChange)
    if (deleting !== undefined && result.metadata.configuration['delta.appendOnly'] === 'true') {
      throw new TwinstoreError('FAILED_PRECONDITION', `Delta table ${this.path} is append-only: rows cannot be removed`)
    }
    return result
  }

  private entry(request: CommitRequest, version: number, txnId: string, actions: readonly Action[]): Buffer {
    const commitInfo = {
      timestamp: Math.floor(this.options.clock.nowMicros() / 1000),
      operation: request.operation,
      operationParameters: {},
      ...(request.read === undefined ? {} : { readVersion: request.read.version }),
      engineInfo: this.options.engineInfo,
      txnId,
    }
    return serializeEntry(commitInfo, actionsIn(version, actions))
  }

  /**
   * Whether the version is this commit's. A put may fail after it landed, and a client's own retry of it then finds the
   * version taken: so whenever it did not plainly succeed, the entry itself tells whose it is.
   */
  private async put(version: number, txnId: string, entry: Uint8Array): Promise<boolean> {
    let failure: unknown
    try {
      if (await this.log.append(version, entry)) return true
    } catch (error) {
      failure = error
    }
    const found = await this.log.readOne(version)
    if (found === undefined) {
      throw (
        failure ?? new TwinstoreError('UNAVAILABLE', `Delta table ${this.path}: version ${version} was just deleted`)
      )
    }
    if (commitInfoOf(found.actions)?.txnId !== txnId) return false
    // Visible, but perhaps not durable: a put that finds the entry there resolves only once it is.
    if (failure !== undefined) await this.log.append(version, entry)
    return true
  }
}
