/** How the syncs of every view with a source go, whichever instance runs them: for `status`, for metrics, and for the schedule. */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import type { FeatureView } from '../domain/registry.ts'
import type { Clock } from '../lib/clock.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { readSyncRecord, type SyncFailure } from './sync-record.ts'
import type { Syncer } from './syncer.ts'

export interface SyncState {
  readonly view: string
  /** Undefined: by hand only. */
  readonly everySeconds: number | undefined
  /** Undefined: values never expire. */
  readonly ttlSeconds: number | undefined
  /** Whether this instance runs the view's schedule. */
  readonly scheduledHere: boolean
  readonly running: boolean
  /** When the last sync that succeeded began, wall milliseconds; `seconds` is undefined where only the table tells of it. */
  readonly last: { readonly beganMs: number; readonly seconds: number | undefined } | undefined
  readonly nextDueMs: number | undefined
  readonly failure: SyncFailure | undefined
  readonly newestEventMicros: number | undefined
  /** Age of the newest event timestamp. */
  readonly freshnessSeconds: number | undefined
}

export interface SyncStatesParts {
  readonly online: Pick<OnlineStore, 'readMark' | 'writeMark'>
  readonly offline: Pick<OfflineStore, 'status'>
  readonly definitions: DefinitionsSource
  readonly syncer: Pick<Syncer, 'counts'>
  readonly clock: Pick<Clock, 'nowMicros'>
  /** Whether this instance runs the view's schedule. */
  readonly isScheduledHere: (view: string) => boolean
}

export function syncStates(parts: SyncStatesParts): Promise<readonly SyncState[]> {
  const views = [...parts.definitions.current.registry.views.values()]
  return Promise.all(views.filter(({ source }) => source !== undefined).map((view) => syncState(parts, view)))
}

async function syncState(parts: SyncStatesParts, view: FeatureView): Promise<SyncState> {
  const { newestEventMicros, last, failure } = await lastRun(parts, view)
  const { syncEverySeconds: everySeconds, ttlMicros } = view
  return {
    view: view.name,
    everySeconds,
    ttlSeconds: ttlMicros === undefined ? undefined : ttlMicros / 1e6,
    scheduledHere: parts.isScheduledHere(view.name),
    running: (parts.syncer.counts().get(view.name)?.running ?? 0) > 0,
    last,
    nextDueMs: everySeconds === undefined || last === undefined ? undefined : last.beganMs + everySeconds * 1000,
    failure,
    newestEventMicros,
    freshnessSeconds: newestEventMicros === undefined ? undefined : (parts.clock.nowMicros() - newestEventMicros) / 1e6,
  }
}

/**
 * The record is lost with the online store, and a sync that added nothing is in the record only: the later of both counts. The
 * position of a sync is the time at which it began.
 */
async function lastRun({ online, offline }: Pick<SyncStatesParts, 'online' | 'offline'>, view: FeatureView) {
  const [{ success, failure }, { syncPosition, newestEventMicros }] = await Promise.all([
    readSyncRecord(online, view),
    offline.status(view),
  ])
  const inTableMs = syncPosition / 1000
  const isRecorded = success !== undefined && success.beganMs >= Math.floor(inTableMs) - RECORD_SLACK_MS
  const last = isRecorded
    ? { beganMs: success.beganMs, seconds: success.seconds }
    : inTableMs > 0
      ? { beganMs: inTableMs, seconds: undefined }
      : undefined
  return { last, failure, newestEventMicros }
}

/** A run's position is given a moment after the run began, by the clock of the store. */
const RECORD_SLACK_MS = 60_000

/** When the last sync of the view that succeeded began, wall milliseconds. */
export async function lastSyncBeganMs(
  parts: Pick<SyncStatesParts, 'online' | 'offline'>,
  view: FeatureView,
): Promise<number | undefined> {
  return (await lastRun(parts, view)).last?.beganMs
}
