/**
 * A snapshot as the actions of a checkpoint, and back. The actions are those that are left after reconciliation: files and
 * tombstones with `dataChange` false, every application's progress, one protocol and one metadata.
 *
 * A checkpoint has a checksum of its own, over the actions rather than the bytes of the Parquet file: what comes out of it
 * is what went in, or it is not used. Other engines' have none.
 */
import { crc32 } from 'node:zlib'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Action, AddFile, Metadata, Protocol, RemoveFile } from './actions.ts'
import { actionLine, parseActionLine } from './log-entry.ts'
import { checkReadable } from './protocol-support.ts'
import { byPath, type Snapshot } from './snapshot.ts'

/** What is known of a checkpoint's actions once they are written. */
export interface CheckpointContent {
  /** The bytes of the longest line, with its end. */
  readonly lineBytesMax: number
  readonly actionCount: number
  readonly addCount: number
  readonly checksum: string
}

/** Actions made into lines at a time, 20 microseconds each: this runs beside serving, which must have its turn. */
const ACTIONS_PER_TURN = 100

/**
 * Gives the actions to `write`, a line of JSON each, some at a time. Tombstones of files removed before `tombstonesFromMs` are
 * left out; nobody needs to know of them any more.
 */
export async function writeCheckpointContent(
  snapshot: Snapshot,
  tombstonesFromMs: number,
  write: (lines: string) => Promise<unknown>,
): Promise<CheckpointContent> {
  const checksum = createChecksum(snapshot.version)
  let lineBytesMax = 0
  let actionCount = 0
  let lines: string[] = []
  for (const action of checkpointActions(snapshot, tombstonesFromMs)) {
    // As it will be read, whatever order its fields have here.
    const line = `${actionLine(parseActionLine('a checkpoint', actionLine(action))!)}\n`
    checksum.add(line)
    lineBytesMax = Math.max(lineBytesMax, Buffer.byteLength(line))
    actionCount++
    if (lines.push(line) < ACTIONS_PER_TURN) continue
    await write(lines.join(''))
    lines = []
  }
  await write(lines.join(''))
  return { lineBytesMax, actionCount, addCount: snapshot.files.length, checksum: checksum.hex() }
}

function* checkpointActions(snapshot: Snapshot, tombstonesFromMs: number): Generator<Action> {
  yield { protocol: snapshot.protocol }
  yield { metaData: snapshot.metadata }
  for (const [appId, version] of snapshot.txns) yield { txn: { appId, version } }
  for (const remove of snapshot.tombstones) {
    if ((remove.deletionTimestamp ?? 0) >= tombstonesFromMs) yield { remove }
  }
  for (const add of snapshot.files) yield { add }
}

/**
 * The snapshot that a checkpoint's actions stand for. `place` is for messages: DATA_LOSS naming it if the actions are not the
 * ones that were written, FAILED_PRECONDITION for a protocol that is not supported.
 */
export async function checkpointSnapshot(
  table: string,
  version: number,
  place: string,
  lines: AsyncIterable<string>,
  checksum: string | undefined,
): Promise<Snapshot> {
  let protocol: Protocol | undefined
  let metadata: Metadata | undefined
  const files: AddFile[] = []
  const tombstones: RemoveFile[] = []
  const txns = new Map<string, number>()
  const found = createChecksum(version)
  for await (const line of lines) {
    const action = parseActionLine(place, line)
    if (action === undefined) continue
    found.add(`${actionLine(action)}\n`)
    if ('add' in action) files.push({ ...action.add, dataChange: false })
    else if ('remove' in action) tombstones.push({ ...action.remove, dataChange: false })
    else if ('txn' in action) txns.set(action.txn.appId, action.txn.version)
    else if ('metaData' in action) metadata = action.metaData
    else if ('protocol' in action) protocol = action.protocol
  }
  if (protocol === undefined || metadata === undefined) {
    throw new TwinstoreError('DATA_LOSS', `${place} has no ${protocol === undefined ? 'protocol' : 'metaData'} action`)
  }
  if (checksum !== undefined && checksum !== found.hex()) {
    throw new TwinstoreError('DATA_LOSS', `${place} has checksum ${found.hex()}, it was written with ${checksum}`)
  }
  checkReadable(table, protocol, metadata)
  return { version, protocol, metadata, files: files.sort(byPath), tombstones: tombstones.sort(byPath), txns }
}

/** Of a checkpoint's version and its actions, so that one under the name of another version is noticed too. */
function createChecksum(version: number) {
  let value = crc32(`${version}\n`)
  return {
    /** With its end. */
    add(line: string): void {
      value = crc32(line, value)
    },
    hex: () => value.toString(16).padStart(8, '0'),
  }
}
