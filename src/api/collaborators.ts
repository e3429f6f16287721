/** What the handlers need that no other area declares; the composition root passes the real ones. */
import type { Definitions } from '../domain/registry.ts'

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
