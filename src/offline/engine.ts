/**
 * The port to columnar work. A job is plain data in and plain data out, so that it can run in this process (tests, one-shot
 * commands) or in a child process (the server: a long query never shares the serving event loop, can be killed, and
 * cannot take the server's memory with it).
 *
 * Jobs read and write local files only. What a file means (a table's snapshot, a commit) is decided by the caller.
 */
import type { Jobs } from './jobs.ts'

export type JobKind = keyof Jobs

export interface JobOptions {
  readonly signal?: AbortSignal
  /** Called now and then with what the job is doing and how far it is, 0 to 1 (undefined where it cannot tell). */
  readonly onProgress?: (progress: JobProgress) => void
}

export interface JobProgress {
  readonly step: string
  readonly fraction?: number
}

export interface OfflineEngine {
  /**
   * Runs one job. Rejects with CANCELLED when the signal aborts (the work is stopped), RESOURCE_EXHAUSTED when too many
   * jobs wait (option `offline-jobs-max`), or the job's own `TwinstoreError`.
   */
  run<K extends JobKind>(kind: K, input: Jobs[K]['input'], options?: JobOptions): Promise<Jobs[K]['output']>
  close(): Promise<void>
}
