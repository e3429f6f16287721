/**
 * How a view's syncs went, kept in the online store so that every instance knows: when the last one that succeeded began and what
 * it did, and why the newest one failed if it did. Lost with the online store; the table's own last sync then stands in.
 */
import { asTwinstoreError } from '../domain/errors.ts'
import { type FeatureView, storageId } from '../domain/registry.ts'
import type { OnlineStore } from '../online/online-store.ts'

export interface SyncSuccess {
  /** Wall time at which it began, milliseconds. */
  readonly beganMs: number
  /** From reading the source to the last row online. */
  readonly seconds: number
  readonly rowsRead: number
  readonly rowsAdded: number
  readonly rowsOnline: number
}

export interface SyncFailure {
  readonly beganMs: number
  readonly error: string
}

export interface SyncRecord {
  readonly success?: SyncSuccess
  /** Only while no sync has succeeded since. */
  readonly failure?: SyncFailure
}

/** Enough to recognize a fault; all of it is in the log. */
const ERROR_LENGTH_MAX = 500

type Marks = Pick<OnlineStore, 'readMark' | 'writeMark'>

export async function readSyncRecord(online: Marks, view: FeatureView): Promise<SyncRecord> {
  const text = await online.readMark(recordOf(view))
  return text === undefined ? {} : (JSON.parse(text) as SyncRecord)
}

export function recordSuccess(online: Marks, view: FeatureView, success: SyncSuccess): Promise<void> {
  return online.writeMark(recordOf(view), JSON.stringify({ success } satisfies SyncRecord))
}

export async function recordFailure(online: Marks, view: FeatureView, beganMs: number, error: unknown): Promise<void> {
  const { success } = await readSyncRecord(online, view)
  const failure = { beganMs, error: asTwinstoreError(error).message.slice(0, ERROR_LENGTH_MAX) }
  await online.writeMark(recordOf(view), JSON.stringify({ ...(success === undefined ? {} : { success }), failure }))
}

function recordOf(view: FeatureView): string {
  return `sync-record/${storageId(view)}`
}
