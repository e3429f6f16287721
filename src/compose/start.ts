/** What a start is told and tells, and what a server knows that is one of several workers. */
import type { Duplex } from 'node:stream'
import type { Edge, ServedDefinitions } from '../workers/messages.ts'
import type { ChangeChannel } from '../workers/shared-watch.ts'
import type { ViewSyncResult } from '../writing/syncer.ts'

export interface StartHooks {
  /** Aborts a start that is under way. */
  readonly signal: AbortSignal
  /** What applying the definitions changed, in lines for people. */
  onApplied(changes: readonly string[]): void
  onSyncProgress(view: string, step: string, fraction: number | undefined): void
  onSynced(result: ViewSyncResult): void
  /** Called once, before anything else is done, where there are certificates: with what reads them again. */
  onReload(reload: () => void): void
}

export interface RunningServer {
  /** With the real port. */
  readonly address: string
  /** Of HTTP with JSON, with the real port; undefined if it is not served. */
  readonly httpAddress: string | undefined
  /** Of `/metrics`, with the real port; undefined if they are not served. */
  readonly metricsAddress: string | undefined
  readonly project: string
  readonly fingerprint: string
  /** What relative paths of source files start from. */
  readonly sourceDir: string
  /** Drains and closes everything; resolves within about twice `drain-timeout`. */
  stop(): Promise<void>
}

/** What a server has to know that is one of several workers. See `startSupervisor`. */
export interface ServerAsWorker {
  readonly number: number
  /** What another worker has applied; undefined for the one that applies definitions and syncs. */
  readonly definitions: ServedDefinitions | undefined
  readonly changes: ChangeChannel
  /** The supervisor listens; called once for each edge, with what takes the connections it hands over. */
  connections(edge: Edge, accept: (connection: Duplex) => void): void
}
