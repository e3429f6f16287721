/** What the handlers need of the parts behind them, as narrow as it is used; the composition root passes the real ones. */
import type { Definitions } from '../domain/registry.ts'
import type { JobProgress } from '../offline/offline-store.ts'

export interface Archiver {
  /** Resolves when every row acknowledged before the call is in the offline history. */
  flush(signal?: AbortSignal): Promise<void>
  status(): { readonly error?: string }
}

/** What the sync of one view did. */
export interface ViewSyncResult {
  readonly view: string
  readonly rowsRead: number
  readonly rowsAdded: number
  readonly rowsOnline: number
  readonly tableVersion: number
  readonly seconds: number
}

export interface Syncer {
  /** Syncs the views one after the other. ABORTED if one of them is being synced already. */
  sync(
    views: readonly string[],
    options?: {
      readonly signal?: AbortSignal
      readonly onProgress?: (view: string, progress: JobProgress) => void
      readonly onResult?: (result: ViewSyncResult) => void
    },
  ): Promise<readonly ViewSyncResult[]>
}

/** Definitions as applied some time ago. */
export interface Snapshot {
  readonly definitions: Definitions
  /** The functions of its on-demand views; undefined if it has none. */
  readonly bundleFile?: string
}

export interface Snapshots {
  /** NOT_FOUND if no definitions with this fingerprint were ever applied here. */
  load(fingerprint: string): Promise<Snapshot>
}

/** What a handler is called with besides its request. */
export interface CallContext {
  /** Aborts with a `TwinstoreError` when the caller no longer wants the answer. */
  readonly signal: AbortSignal
}
